import { assertNoLeaks } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { ACK, FIN, PSH, RST, SYN, URG } from '../../src/tcp/segment.ts'
import { stackAndWire, teach } from '../support/wire.ts'
import { pattern } from './support/pair.ts'
import { RawPeer, segmentsOf, type TcpFields, tcpFrame } from './support/raw-peer.ts'

const SEEDS = [1, 2, 3]
const SEGMENTS = 4000

/** A random choice of a list. */
type Pick = <T>(list: readonly T[]) => T

function mutated(pick: Pick, below: (bound: number) => number, base: number, acknowledged: number): TcpFields {
  const near = () => base + pick([0, 0, 0, 1, -1, 10, 1460, -1460, 65_535, 100_000, 2 ** 30, 2 ** 31]) + below(3)
  const flags = pick([ACK, ACK, ACK | PSH, ACK | FIN, SYN, RST, RST | ACK, 0, SYN | ACK, SYN | FIN, ACK | URG, 0xff])
  const length = pick([0, 0, 1, 100, 1400])
  return {
    sequence: near() | 0,
    acknowledgment: (acknowledged + pick([0, 0, 0, 1, -1, 1000, 2 ** 31])) | 0,
    flags,
    window: pick([0, 1, 65_535, below(65_536)]),
    payload: pattern(length, below(1000)),
    ...(below(3) === 0 && { hasTimestamp: true, timestampValue: below(2 ** 31), timestampEcho: below(2 ** 31) }),
    ...(below(4) === 0 && { mss: below(65_536), windowScale: below(20), sackPermitted: true }),
    ...(below(8) === 0 && { rawOptions: Uint8Array.from({ length: 4 * below(11) }, () => below(256)) }),
    ...(below(10) === 0 && { dataOffset: below(16) }),
    ...(below(10) === 0 && { tcpChecksum: below(65_536) }),
    ...(below(6) === 0 && { segmentSize: 0, ecn: below(4) }),
  }
}

describe('any segments', { timeout: 120_000 }, () => {
  it.each(SEEDS)('on listeners and live connections break nothing and leak nothing, seed %i', async (seed) => {
    const random = seededRandom(seed)
    const below = (bound: number) => random.next() % bound
    const pick: Pick = (list) => list[below(list.length)]
    const bench = await stackAndWire({ seed })
    teach(bench)
    const { libos, machines, wire, machine } = bench
    const listener = libos.socket('stream')
    libos.bind(listener, { address: '0.0.0.0', port: 80 })
    libos.listen(listener, 20)
    let events = 0
    libos.serveStreams(listener, (burst, now) => {
      for (let i = 0; i < burst.count; i++) {
        events++
        burst.verdict[i] = pick([0, 0, 2, 3])
        if (below(50) === 0) libos.resumeStream(burst.qd[i] as never)
        if (below(200) === 0 && burst.event[i] !== 16) libos.close(burst.qd[i] as never)
        expect(now).toBeGreaterThanOrEqual(0)
      }
    })
    const peers = Array.from({ length: 10 }, () => new RawPeer(bench, 3999))
    for (let n = 0; n < SEGMENTS; n++) {
      const index = below(peers.length)
      const peer = peers[index]
      if (n < peers.length || below(40) === 0) {
        // A fresh port: what was at the old one may live on.
        const fresh = new RawPeer(bench, 4000 + n)
        peers[n < peers.length ? n : index] = fresh
        fresh.next = below(2 ** 31)
        const answers = segmentsOf(
          wire.exchange(tcpFrame({ sourcePort: fresh.port, sequence: fresh.next, flags: SYN })),
        )
        const answer = answers.find(({ destinationPort }) => destinationPort === fresh.port)
        fresh.next++
        if (answer !== undefined) fresh.received = (answer.segment.sequence + 1) | 0
        if (below(4) > 0) fresh.exchange({ flags: ACK })
      } else {
        const fields = mutated(pick, below, peer.next, peer.received)
        wire.send(tcpFrame({ sourcePort: peer.port, ...fields }))
        if (below(4) === 0) peer.next = ((fields.sequence ?? 0) + (fields.payload?.length ?? 0)) | 0
      }
      if (below(30) === 0) machines.run(pick([1e6, 100e6, 3e9]))
      if (n % 16 === 0) {
        machines.run(1e6)
        for (const { checksumRight, segment } of segmentsOf(wire.receive())) {
          expect(checksumRight).toBe(true)
          expect(segment.length).toBeLessThanOrEqual(65_535)
        }
      }
    }
    expect(events).toBeGreaterThan(100)
    for (const line of libos.sockets()) expect(line.receiveQueue).toBeLessThanOrEqual(1 << 20)
    await libos.shutdown()
    machine.queues[0].detach()
    assertNoLeaks(machine.pool)
  })
})
