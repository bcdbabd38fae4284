import { expect, it } from 'vitest'
import { seededRandom } from '../src/random.ts'
import { hex, slowChecksum, udpFrame } from './support/frames.ts'
import { MILLISECOND } from './support/machines.ts'
import { type Bench, stackAndWire } from './support/wire.ts'

const FRAMES = 6000

async function bench(): Promise<Bench> {
  return stackAndWire(
    { receiveQueue: 100, icmpRate: 0, icmpBurst: 1 },
    { topology: 'direct', nic: { checksumVerify: false } },
  )
}

/** Mostly right UDP frames with one or two bytes of their headers changed, most with a header checksum that is right again. */
function* frames(): Generator<Uint8Array> {
  const random = seededRandom(99)
  const below = (bound: number) => random.next() % bound
  for (let n = 0; n < FRAMES; n++) {
    const frame = udpFrame({ payload: Uint8Array.from({ length: below(40) }, () => below(256)), udpChecksum: 0 })
    for (let m = below(3); m > 0; m--) frame[14 + below(28)] = [0, 1, 7, 10, 17, 0x45, 255, below(256)][below(8)]
    if (below(5) > 0) {
      frame.set(hex('0000'), 24)
      const sum = slowChecksum(frame.subarray(14, 34))
      frame[24] = sum >> 8
      frame[25] = sum & 255
    }
    yield frame
  }
}

it('the fast path and the slow path take the same datagrams, and count the same drops', async () => {
  const [fast, slow] = [await bench(), await bench()]
  const text = (bytes: Uint8Array, from: string) => `${from} ${Buffer.from(bytes).toString('hex')}`
  const taken: { fast: string[]; slow: string[] } = { fast: [], slow: [] }
  const served = fast.libos.socket('datagram')
  fast.libos.bind(served, { address: '0.0.0.0', port: 7 })
  fast.libos.serveDatagrams(served, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const at = burst.address[i]
      const bytes = fast.machine.pool.bytes.slice(at, at + burst.length[i])
      taken.fast.push(text(bytes, `${burst.peerAddress[i] >>> 0}:${burst.peerPort[i]}`))
    }
  })
  const popped = slow.libos.socket('datagram')
  slow.libos.bind(popped, { address: '0.0.0.0', port: 7 })
  const number = (address: string) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  for (const frame of frames()) {
    for (const side of [fast, slow]) {
      side.wire.send(frame)
      side.machines.run(MILLISECOND)
    }
    const token = slow.libos.pop(popped)
    if (slow.machine.runtime.cancel(token)) {
      slow.machine.runtime.wait(token)
      continue
    }
    const completion = slow.machine.runtime.wait(token)
    if (completion.kind !== 'pop') throw new Error(completion.kind)
    const { address, port } = completion.source ?? { address: '', port: 0 }
    taken.slow.push(text(completion.sga.toBytes(), `${number(address)}:${port}`))
    completion.sga.free()
  }
  expect(taken.fast.length).toBeGreaterThan(FRAMES / 4)
  expect(taken.fast.length).toBeLessThan(FRAMES)
  expect(taken.fast).toEqual(taken.slow)
  expect(fast.libos.statistics()).toEqual(slow.libos.statistics())
  await fast.machines.close()
  await slow.machines.close()
})
