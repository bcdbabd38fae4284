import {
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  CHECKSUM_WANTED,
  SEGMENT_TCP4,
  SEGMENT_TCP6,
  SEGMENT_UDP,
  VLAN_TAGGED,
} from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lab, type Received } from './support/lab.ts'
import { build, cut, type PacketSpec, payloadOf } from './support/packets.ts'

const SIX = { source: 'fd00::1', destination: 'fd00::2:3' }

const kinds = fc.record({
  protocol: fc.constantFrom('tcp' as const, 'udp' as const),
  six: fc.boolean(),
  length: fc.integer({ min: 1, max: 20_000 }),
  size: fc.integer({ min: 200, max: 1400 }),
  tcpFlags: fc.integer({ min: 0, max: 255 }),
  sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
  id: fc.nat(0xffff),
  tcpOptions: fc.constantFrom(0, 4, 12, 40),
  ipOptions: fc.constantFrom(0, 8),
  vlan: fc.option(fc.nat(0xffff), { nil: undefined }),
  offloadTag: fc.boolean(),
  cuts: fc.array(fc.integer({ min: 1, max: 1800 }), { maxLength: 6 }),
  garbage: fc.boolean(),
})

function prepare(kind: typeof kinds extends fc.Arbitrary<infer T> ? T : never, from: string, to: string) {
  const { protocol, six, length, tcpOptions, ipOptions, vlan } = kind
  const spec = {
    ...{
      from,
      to,
      protocol,
      payload: payloadOf(length),
      tcpFlags: kind.tcpFlags,
      sequence: kind.sequence,
      id: kind.id,
    },
    ...(six && SIX),
    tcpOptions,
    ipOptions: six ? 0 : ipOptions,
    ...(vlan !== undefined && !kind.offloadTag && { vlan }),
  } satisfies PacketSpec
  const built = build(spec)
  // What the sender leaves in lengths and checksums must not matter.
  if (kind.garbage) {
    built.bytes.fill(0xee, built.network + (six ? 4 : 2), built.network + (six ? 6 : 4))
    if (!six) built.bytes.fill(0xee, built.network + 10, built.network + 12)
    const field = built.transport + (protocol === 'udp' ? 6 : 16)
    built.bytes.fill(0xee, field, field + 2)
  }
  const frames = built.bytes.length
  const cuts = [...kind.cuts]
  let rest = frames - cuts.reduce((sum, bytes) => sum + bytes, 0)
  while (rest > 1900) {
    cuts.push(1900)
    rest -= 1900
  }
  const type = protocol === 'udp' ? SEGMENT_UDP : six ? SEGMENT_TCP6 : SEGMENT_TCP4
  const tagged = vlan !== undefined && kind.offloadTag
  return {
    spec: tagged ? { ...spec, vlan } : spec,
    built,
    wanted: {
      flags: type | CHECKSUM_WANTED | (tagged ? VLAN_TAGGED : 0),
      checksumStart: built.transport,
      checksumOffset: protocol === 'udp' ? 6 : 16,
      segmentSize: kind.size,
      headerLength: built.headers,
      vlan: vlan ?? 0,
      cuts,
    },
  }
}

describe('segmentation on transmit', () => {
  it('makes the packets that a slow sender would have made', async () => {
    await using lab = new Lab()
    const sender = lab.station({ ringSize: 512 })
    const receiver = lab.station({ ringSize: 512, vlan: false })
    fc.assert(
      fc.property(kinds, (kind) => {
        const { spec, wanted, built } = prepare(kind, sender.nic.mac, receiver.nic.mac)
        expect(sender.send(built.bytes, wanted)).toBeGreaterThan(0)
        const received = receiver.receive()
        expect(received.map(({ bytes }) => Buffer.from(bytes).toString('hex'))).toEqual(
          cut(spec, kind.size).map((bytes) => Buffer.from(bytes).toString('hex')),
        )
        expect(received.every(({ flags }) => flags & CHECKSUM_VERIFIED)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('into more packets than a ring with flow control ever holds waits for the ring to be empty, and counts the rest', async () => {
    await using lab = new Lab()
    const sender = lab.station()
    const receiver = lab.station({ ringSize: 4, flowControl: true })
    const spec = { from: sender.nic.mac, to: receiver.nic.mac, payload: payloadOf(6000), protocol: 'tcp' } as const
    const built = build(spec)
    const wanted = {
      ...{ flags: SEGMENT_TCP4 | CHECKSUM_WANTED, checksumStart: built.transport, checksumOffset: 16 },
      ...{ segmentSize: 1000, headerLength: built.headers, cuts: [1500, 1500, 1500, 1500] },
    }
    expect(sender.send(built.bytes, wanted)).toBeGreaterThan(0)
    expect(sender.send(built.bytes, wanted)).toBe(0)
    expect(receiver.receive()).toHaveLength(4)
    expect(sender.send(built.bytes, wanted)).toBeGreaterThan(0)
    expect(receiver.nic.statistics().rxDroppedRingFull).toBe(4)
  })

  it('takes the tag out of every segment for a receiver that wants that', async () => {
    await using lab = new Lab()
    const [sender, receiver] = [lab.station(), lab.station()]
    const spec = { from: sender.nic.mac, to: receiver.nic.mac, payload: payloadOf(3000), protocol: 'tcp' } as const
    for (const inBand of [true, false]) {
      const built = build(inBand ? { ...spec, vlan: 0x3123 } : spec)
      sender.send(built.bytes, {
        ...{ flags: SEGMENT_TCP4 | (inBand ? 0 : VLAN_TAGGED), vlan: 0x3123, cuts: [1500, 1000] },
        ...{ segmentSize: 1000, headerLength: built.headers },
      })
      const received = receiver.receive()
      expect(received.map(({ bytes }) => bytes)).toEqual(cut(spec, 1000))
      expect(received.map(({ vlan, flags }) => [vlan, flags & VLAN_TAGGED])).toEqual(
        [1, 2, 3].map(() => [0x3123, VLAN_TAGGED]),
      )
    }
  })

  it('refuses headers that are not what the flags say', async () => {
    await using lab = new Lab()
    const [sender, receiver] = [lab.station(), lab.station()]
    const spec = { from: sender.nic.mac, to: receiver.nic.mac, payload: payloadOf(1500) }
    const tcp = build({ ...spec, protocol: 'tcp' })
    const udp = build(spec)
    const bad = [
      [tcp, SEGMENT_UDP, tcp.headers],
      [tcp, SEGMENT_TCP6, tcp.headers],
      [udp, SEGMENT_TCP4, udp.headers],
      [tcp, SEGMENT_TCP4, tcp.headers - 4],
      [udp, SEGMENT_UDP, udp.headers + 1],
      [udp, SEGMENT_UDP, 5],
    ] as const
    for (const [built, flags, headerLength] of bad) {
      expect(sender.send(built.bytes, { flags, headerLength, segmentSize: 500 })).toBe(-1)
    }
    expect(sender.nic.statistics().txInvalidDescriptors).toBe(bad.length)
    expect(receiver.receive()).toEqual([])
  })

  it('counts a super-frame as one packet on transmit and its segments on receive', async () => {
    await using lab = new Lab()
    const [sender, receiver] = [lab.station(), lab.station()]
    const built = build({ from: sender.nic.mac, to: receiver.nic.mac, payload: payloadOf(5000) })
    sender.send(built.bytes, { flags: SEGMENT_UDP, headerLength: 42, segmentSize: 1000, cuts: [1900, 1900] })
    expect(receiver.receive()).toHaveLength(5)
    expect(sender.nic.statistics()).toMatchObject({ txPackets: 1, txBytes: 5042 })
    expect(receiver.nic.statistics()).toMatchObject({ rxPackets: 5, rxBytes: 5000 + 5 * 42 })
  })
})

describe('segmentation on receive', () => {
  const pass = async (
    partialChecksums: 'never' | 'marked' | 'unmarked',
    check: (got: Received, whole: Uint8Array) => void,
  ) => {
    await using lab = new Lab()
    const sender = lab.station()
    const receiver = lab.station({ receiveSegmentation: true, partialChecksums })
    const spec = { from: sender.nic.mac, to: receiver.nic.mac, payload: payloadOf(9000), protocol: 'tcp' } as const
    const built = build(spec)
    const wanted = {
      flags: SEGMENT_TCP4 | CHECKSUM_WANTED,
      checksumStart: 34,
      checksumOffset: 16,
      cuts: [1900, 1900, 1900, 1900],
    }
    sender.send(built.bytes, { ...wanted, headerLength: built.headers, segmentSize: 1400 })
    const received = receiver.receive()
    expect(received).toHaveLength(1)
    expect(received[0]).toMatchObject({ segmentSize: 1400, headerLength: built.headers, entries: 6 })
    expect(received[0].flags & SEGMENT_TCP4).toBe(SEGMENT_TCP4)
    check(received[0], built.bytes)
  }

  it('passes the super-frame whole, with a right checksum', () =>
    pass('never', (got, whole) => {
      expect(got.bytes).toEqual(whole)
      expect(got.flags & CHECKSUM_VERIFIED).toBe(CHECKSUM_VERIFIED)
    }))

  it('passes it with the sum of the pseudo-header, marked', () =>
    pass('marked', (got, whole) => {
      expect(got.flags & CHECKSUM_PARTIAL).toBe(CHECKSUM_PARTIAL)
      expect([got.checksumStart, got.checksumOffset]).toEqual([34, 16])
      // Summing from there on must give what the sender's own sum was.
      const view = new DataView(got.bytes.buffer)
      const field = view.getUint16(50)
      let total = field
      view.setUint16(50, 0)
      for (let i = 34; i < got.bytes.length; i += 2) total += view.getUint16(i)
      while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000)
      view.setUint16(50, ~total & 0xffff)
      expect(got.bytes).toEqual(whole)
    }))

  it('passes it unmarked where the device cannot tell', () =>
    pass('unmarked', (got) => expect(got.flags & (CHECKSUM_PARTIAL | CHECKSUM_VERIFIED)).toBe(0)))
})
