import { CHECKSUM_BAD, CHECKSUM_PARTIAL, CHECKSUM_VERIFIED, CHECKSUM_WANTED, VLAN_TAGGED } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import type { NicOptions } from '../src/index.ts'
import { Lab, type Wanted } from './support/lab.ts'
import { build, type PacketSpec, payloadOf } from './support/packets.ts'

const CHECKED = CHECKSUM_VERIFIED | CHECKSUM_BAD | CHECKSUM_PARTIAL

interface Case {
  readonly spec?: Partial<PacketSpec>
  readonly sender?: NicOptions
  readonly receiver?: NicOptions
  readonly wanted?: Wanted
  /** Changes the packet before it is sent. */
  readonly spoil?: (bytes: Uint8Array, transport: number) => void
}

async function carry({ spec, sender, receiver, wanted, spoil }: Case) {
  await using lab = new Lab()
  const [a, b] = [lab.station(sender), lab.station(receiver)]
  const built = build({ from: a.nic.mac, to: b.nic.mac, ...spec })
  const sent = built.bytes.slice()
  spoil?.(sent, built.transport)
  const done = a.send(sent, wanted)
  return {
    done,
    built: built.bytes,
    sent,
    received: b.receive()[0],
    sender: a.nic.statistics(),
    receiver: b.nic.statistics(),
  }
}

const packets: Readonly<Record<string, Partial<PacketSpec>>> = {
  'UDP over IPv4': {},
  'TCP over IPv4': { protocol: 'tcp', tcpOptions: 12, payload: payloadOf(501) },
  'UDP over IPv6': { source: 'fd00::1', destination: 'fd00::2', payload: payloadOf(33) },
  'TCP over IPv6': { source: 'fd00::1', destination: 'fd00::2', protocol: 'tcp' },
  'IPv4 with options': { ipOptions: 12, payload: payloadOf(1001) },
  'a tagged packet': { vlan: 0x2005 },
}

describe('checksums on receive', () => {
  it.each(Object.entries(packets))('%s: right is verified, wrong is bad', async (_, spec) => {
    expect((await carry({ spec })).received.flags & CHECKED).toBe(CHECKSUM_VERIFIED)
    const spoil = (bytes: Uint8Array) => {
      bytes[bytes.length - 1] ^= 1
    }
    expect((await carry({ spec, spoil })).received.flags & CHECKED).toBe(CHECKSUM_BAD)
    expect((await carry({ spec, spoil, receiver: { checksumVerify: false } })).received.flags & CHECKED).toBe(0)
  })

  it('does not judge a UDP packet over IPv4 that has none; over IPv6 that is wrong', async () => {
    const spoil = (bytes: Uint8Array, transport: number) => bytes.fill(0, transport + 6, transport + 8)
    expect((await carry({ spoil })).received.flags & CHECKED).toBe(0)
    expect((await carry({ spec: packets['UDP over IPv6'], spoil })).received.flags & CHECKED).toBe(CHECKSUM_BAD)
  })

  it('does not judge fragments, nor what is cut off', async () => {
    const fragment = (bytes: Uint8Array) => {
      bytes[20] = 0x20
    }
    expect((await carry({ spoil: fragment })).received.flags & CHECKED).toBe(0)
    const tooLong = (bytes: Uint8Array) => {
      bytes[16] = 0xff
    }
    expect((await carry({ spoil: tooLong })).received.flags & CHECKED).toBe(0)
  })

  it('finds a UDP length that the packet does not have', async () => {
    const spoil = (bytes: Uint8Array, transport: number) => {
      bytes[transport + 5] = 3
    }
    expect((await carry({ spoil })).received.flags & CHECKED).toBe(CHECKSUM_BAD)
  })

  it('looks past padding', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    const { bytes } = build({ from: a.nic.mac, to: b.nic.mac, payload: payloadOf(1) })
    a.send(Uint8Array.from([...bytes, ...new Array<number>(17).fill(0xaa)]))
    expect(b.receive()[0].flags & CHECKED).toBe(CHECKSUM_VERIFIED)
  })
})

describe('checksums on transmit', () => {
  it.each(Object.entries(packets))('%s: computed from the pseudo-header on', async (_, spec) => {
    const tcp = spec.protocol === 'tcp'
    const built = build({ from: '02:00:00:00:00:01', to: '02:00:00:00:00:02', ...spec })
    const checksumOffset = tcp ? 16 : 6
    const view = new DataView(built.bytes.buffer)
    const final = view.getUint16(built.transport + checksumOffset)
    let total = 0
    for (let i = built.transport; i < built.bytes.length; i += 2) {
      total += i + 1 < built.bytes.length ? view.getUint16(i) : view.getUint8(i) << 8
    }
    // Final sum and the rest add up to all ones: the pseudo-header's sum is what is missing.
    let pseudo = 0xffff * 70_000 - total
    while (pseudo > 0xffff) pseudo = (pseudo % 0x10000) + Math.floor(pseudo / 0x10000)
    const spoil = (bytes: Uint8Array, transport: number) =>
      new DataView(bytes.buffer).setUint16(transport + checksumOffset, pseudo)
    const wanted = { flags: CHECKSUM_WANTED, checksumStart: built.transport, checksumOffset }
    for (const cuts of [[], [10, 30]]) {
      const { received, built: right } = await carry({
        spec,
        spoil,
        wanted: { ...wanted, cuts },
        receiver: { vlan: false },
      })
      expect(received.bytes).toEqual(right)
      expect(new DataView(received.bytes.buffer).getUint16(built.transport + checksumOffset)).toBe(final)
      expect(received.flags & CHECKED).toBe(CHECKSUM_VERIFIED)
    }
    for (const partialChecksums of ['marked', 'unmarked'] as const) {
      const { received, sent } = await carry({ spec, spoil, wanted, receiver: { partialChecksums, vlan: false } })
      expect(received.bytes).toEqual(sent)
      expect(received.flags & CHECKED).toBe(partialChecksums === 'marked' ? CHECKSUM_PARTIAL : 0)
      if (partialChecksums === 'marked') {
        expect([received.checksumStart, received.checksumOffset]).toEqual([built.transport, checksumOffset])
      }
    }
  })
})

describe('VLAN tags', () => {
  const TCI = 0xa00f
  const tagged = { flags: VLAN_TAGGED, vlan: TCI }
  it.each([
    ['asked for, taken out', tagged, undefined, true],
    ['asked for, left in', tagged, undefined, false],
    ['in the packet, taken out', {}, TCI, true],
    ['in the packet, left in', {}, TCI, false],
  ] as const)('%s', async (_, wanted, vlan, strips) => {
    const spec = vlan === undefined ? {} : { vlan }
    const { received, sender } = await carry({ spec, wanted, receiver: { vlan: strips } })
    const addresses = { from: macOf(received.bytes, 6), to: macOf(received.bytes, 0) }
    expect(received.bytes).toEqual(build({ ...addresses, ...(strips ? {} : { vlan: TCI }) }).bytes)
    expect(received.flags & VLAN_TAGGED).toBe(strips ? VLAN_TAGGED : 0)
    if (strips) expect(received.vlan).toBe(TCI)
    expect(received.flags & CHECKED).toBe(CHECKSUM_VERIFIED)
    expect(sender.txPackets).toBe(1)
  })

  it('with a wanted checksum: the tag moves where it is', async () => {
    const wanted = { ...tagged, flags: VLAN_TAGGED | CHECKSUM_WANTED, checksumStart: 34, checksumOffset: 6 }
    const spoil = (bytes: Uint8Array) => bytes.set(pseudoHeaderOf(bytes), 40)
    const { received } = await carry({ wanted, spoil, receiver: { vlan: false } })
    expect(received.flags & CHECKED).toBe(CHECKSUM_VERIFIED)
    const partial = await carry({ wanted, spoil, receiver: { vlan: false, partialChecksums: 'marked' } })
    expect(partial.received.checksumStart).toBe(38)
  })

  it('two tags: the outer one is taken out', async () => {
    const { received, built } = await carry({ spec: { vlan: 0x0007 }, wanted: tagged })
    expect(received.vlan).toBe(TCI)
    expect(received.bytes).toEqual(built)
  })

  it('is refused by a NIC that cannot put tags in', async () => {
    const { done, sender } = await carry({ wanted: { flags: VLAN_TAGGED }, sender: { vlan: false } })
    expect(done).toBe(-1)
    expect(sender.txUnsupported).toBe(1)
  })
})

describe('lengths', () => {
  it('a packet longer than the receiver takes is dropped and counted', async () => {
    const spec = { payload: payloadOf(3000) }
    const { receiver, sender } = await carry({ spec, sender: { mtu: 4000 }, wanted: { cuts: [1800] } })
    expect(sender.txPackets).toBe(1)
    expect(receiver).toMatchObject({ rxPackets: 0, rxDroppedTooLong: 1 })
  })

  it('a jumbo packet arrives as a chain, and not where chains are unknown', async () => {
    const spec = { payload: payloadOf(8000) }
    const wanted = { cuts: [1000, 1900, 1900, 1900] }
    const jumbo = { mtu: 9000, ringSize: 16 }
    const { received, sent } = await carry({ spec, wanted, sender: jumbo, receiver: jumbo })
    expect(received.bytes).toEqual(sent)
    expect(received.entries).toBe(5)
    const { receiver } = await carry({ spec, wanted, sender: jumbo, receiver: { ...jumbo, maxChain: 4 } })
    expect(receiver).toMatchObject({ rxPackets: 0, rxDroppedTooLong: 1 })
  })

  it('a packet without an Ethernet header is invalid', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    expect(a.send(new Uint8Array(13))).toBe(-1)
    expect(a.nic.statistics().txInvalidDescriptors).toBe(1)
    expect(b.receive()).toEqual([])
  })

  it('follows a change of the MTU, up to what was promised', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station({ mtu: 1500, maxMtu: 4000 }), lab.station({ mtu: 1500, maxMtu: 4000 })]
    const packet = build({ from: a.nic.mac, to: b.nic.mac, payload: payloadOf(2500) }).bytes
    a.send(packet, { cuts: [1800] })
    expect(b.receive()).toHaveLength(0)
    b.nic.setMtu(4000)
    a.send(packet, { cuts: [1800] })
    expect(b.receive()).toHaveLength(1)
    expect(() => b.nic.setMtu(4001)).toThrow(/maxMtu/)
  })
})

function macOf(bytes: Uint8Array, at: number): string {
  return [...bytes.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}

/** Folded sum of the pseudo-header of an untagged IPv4 UDP packet. */
function pseudoHeaderOf(bytes: Uint8Array): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  let total = 17 + view.getUint16(38)
  for (let i = 26; i < 34; i += 2) total += view.getUint16(i)
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16)
  return [total >> 8, total & 0xff]
}
