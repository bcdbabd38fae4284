import type { NicOptions } from '@parakernel/emulated'
import { assertNoLeaks, CHECKSUM_WANTED, SEGMENT_UDP } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import type { NetOptions } from '../src/index.ts'
import { hex, slowChecksum, udpFrame } from './support/frames.ts'
import { counter, readIpv4, stackAndWire } from './support/wire.ts'

async function echo(options: Partial<NetOptions>, nic: NicOptions = {}, wireNic: NicOptions = {}) {
  const bench = await stackAndWire(options, { nic, wireNic })
  const { libos } = bench
  const qd = libos.socket('datagram')
  libos.bind(qd, { address: '0.0.0.0', port: 7 })
  libos.serveDatagrams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  return bench
}

const payload = hex('0102030405060708090a0b')
/** The datagram that answers `udpFrame({ payload })`. */
const answer = readIpv4(
  udpFrame({ payload, source: '10.0.0.1', destination: '10.0.0.2', sourcePort: 7, destinationPort: 4000 }).subarray(14),
).payload

describe('checksums', () => {
  const cases: readonly [name: string, options: Partial<NetOptions>, nic: NicOptions][] = [
    ['by the device', {}, {}],
    ['in software, because the device has no offloads', {}, { checksumVerify: false, checksumCompute: false }],
    ['in software, by choice', { checksum: 'software' }, {}],
  ]
  for (const [name, options, nic] of cases) {
    it(`are right ${name}, and a wrong one is dropped`, async () => {
      const { machines, libos, wire } = await echo(options, nic)
      const [seen] = wire.exchange(udpFrame({ payload }))
      expect(readIpv4(seen.payload).payload).toEqual(answer)
      expect(slowChecksum(seen.payload.subarray(0, 20))).toBe(0)
      expect(wire.exchange(udpFrame({ payload, udpChecksum: 0x1111 }))).toEqual([])
      expect(counter(libos, 'drop.udpBadChecksum')).toBe(1)
      await machines.close()
    })
  }

  it('are omitted by choice, and still checked', async () => {
    const { machines, wire } = await echo({ checksum: 'omit' }, { checksumVerify: false })
    const [seen] = wire.exchange(udpFrame({ payload }))
    expect(readIpv4(seen.payload).payload.subarray(6, 8)).toEqual(hex('0000'))
    expect(wire.exchange(udpFrame({ payload, udpChecksum: 0x1111 }))).toEqual([])
    await machines.close()
  })

  it('of zero are sent as ones (RFC 768)', async () => {
    const { machines, wire } = await echo({ checksum: 'software' })
    // A payload that makes the answer's sum all ones: what is missing from 0xffff with a zero there.
    const view = new DataView(answer.slice().buffer)
    const blank = udpFrame({
      payload: hex('0000'),
      source: '10.0.0.1',
      destination: '10.0.0.2',
      sourcePort: 7,
      destinationPort: 4000,
    })
    const missing = new DataView(blank.buffer).getUint16(40)
    view.setUint16(0, missing)
    const [seen] = wire.exchange(udpFrame({ payload: Uint8Array.of(missing >> 8, missing & 255) }))
    expect(readIpv4(seen.payload).payload.subarray(6, 8)).toEqual(hex('ffff'))
    await machines.close()
  })

  for (const partialChecksums of ['marked', 'unmarked'] as const) {
    it(`that are partial are taken when the device says that they occur, ${partialChecksums}`, async () => {
      const nic: NicOptions = { partialChecksums, checksumVerify: false }
      const { machines, wire } = await echo({}, nic, { partialChecksums })
      // Length 8 + 11, protocol 17, 10.0.0.2 and 10.0.0.1.
      const pseudo = 0x0a00 + 2 + 0x0a00 + 1 + 17 + 19
      wire.send(udpFrame({ payload, udpChecksum: pseudo }), (burst) => {
        burst.flags[0] |= CHECKSUM_WANTED
        burst.checksumStart[0] = 34
        burst.checksumOffset[0] = 6
      })
      machines.run(1e6)
      expect(wire.receive().length).toBe(1)
      await machines.close()
    })
  }

  it('that are partial are wrong when the device does not say that they occur', async () => {
    const { machines, wire } = await echo({}, { checksumVerify: false })
    expect(wire.exchange(udpFrame({ payload, udpChecksum: 0x0a00 + 2 + 0x0a00 + 1 + 17 + 19 }))).toEqual([])
    await machines.close()
  })
})

describe('a super-frame', () => {
  it('that the device passes whole is cut into its datagrams', async () => {
    const bench = await stackAndWire({}, { nic: { receiveSegmentation: true }, wireNic: { checksumCompute: true } })
    const { machines, machine, libos, wire } = bench
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    const data = Uint8Array.from({ length: 1600 }, (_, i) => (i * 5) & 255)
    wire.send(udpFrame({ payload: data }), (burst) => {
      burst.flags[0] |= SEGMENT_UDP | CHECKSUM_WANTED
      burst.segmentSize[0] = 500
      burst.headerLength[0] = 42
      burst.checksumStart[0] = 34
      burst.checksumOffset[0] = 6
    })
    machines.run(1e6)
    const pieces = [0, 1, 2, 3].map(() => {
      const completion = machine.runtime.wait(libos.pop(qd), 0)
      if (completion.kind !== 'pop') throw new Error(completion.kind)
      const bytes = completion.sga.toBytes()
      completion.sga.free()
      return bytes
    })
    expect(pieces.map((piece) => piece.length)).toEqual([500, 500, 500, 100])
    expect(Uint8Array.from(pieces.flatMap((piece) => [...piece]))).toEqual(data)
    await machines.close()
    assertNoLeaks(machine.pool)
  })
})

describe('a VLAN', () => {
  for (const vlan of [true, false]) {
    it(`is spoken ${vlan ? 'by the VLAN column' : 'in band'}, and others are not heard`, async () => {
      const { machines, libos, wire } = await echo({ vlanId: 42 }, { vlan })
      const [seen] = wire.exchange(udpFrame({ payload, tag: 0x602a }))
      expect(seen.frame.subarray(12, 18)).toEqual(hex('8100 002a 0800'))
      expect(readIpv4(seen.frame.subarray(18)).payload).toEqual(answer)
      for (const tag of [undefined, 0, 43, 0xa02b]) {
        expect(wire.exchange(udpFrame(tag === undefined ? { payload } : { payload, tag }))).toEqual([])
      }
      expect(counter(libos, 'drop.linkForeignVlan')).toBe(4)
      await machines.close()
    })
  }
})

describe('a MAC address of its own', () => {
  it('is used instead of the NIC’s', async () => {
    const { machines, wire } = await echo({ mac: '02:00:00:00:00:55' })
    const [seen] = wire.exchange(udpFrame({ payload, to: '02:00:00:00:00:55' }))
    expect(seen.from).toBe('02:00:00:00:00:55')
    expect(wire.exchange(udpFrame({ payload }))).toEqual([])
    await machines.close()
  })
})

describe('changes of the device', () => {
  it('of MTU and MAC address are followed', async () => {
    const { machines, libos, wire } = await echo({}, { maxMtu: 1500 })
    machines.nics[0].setMtu(600)
    const rooms: number[] = []
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 8 })
    libos.serveDatagrams(qd, (burst) => {
      rooms.push(burst.room[0])
    })
    wire.exchange(udpFrame({ destinationPort: 8 }))
    wire.exchange(udpFrame({ destinationPort: 8 }))
    expect(rooms.at(-1)).toBe(572)
    machines.nics[0].setMac('02:00:00:00:00:99')
    machines.run(1e6)
    const [seen] = wire.exchange(udpFrame({ payload, to: '02:00:00:00:00:99' }))
    expect(seen.from).toBe('02:00:00:00:00:99')
    await machines.close()
  })
})
