import { afterEach, describe, expect, it } from 'vitest'
import { SECOND } from '../support/machines.ts'
import {
  concat,
  fragmentHeader,
  HOST,
  icmpv6Message,
  ipv6Packet,
  optionsHeader,
  PEER,
  u32,
  udp6,
} from './support/frames6.ts'
import {
  type Bench6,
  CLIENT_MAC,
  counter6,
  host6,
  icmpPacket,
  PEER_LOCAL,
  type Seen6,
  teach6,
} from './support/host6.ts'

let bench: Bench6
afterEach(() => bench.machines.close())

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7)
const echo = (bytes: number, fields = {}) =>
  icmpPacket(128, 0, pattern(bytes), { source: PEER, destination: HOST, ...fields })
const pad6 = [1, 4, 0, 0, 0, 0]

/** An error's type, code, rest, and the packet that it quotes. */
const errorOf = ({ message }: Seen6) => ({
  type: message[0],
  code: message[1],
  rest: new DataView(message.buffer, message.byteOffset).getUint32(4),
  quoted: message.slice(8),
})

describe('echo (RFC 4443 section 4)', () => {
  it('is answered with the same data, in the traffic class of the request', async () => {
    bench = await host6()
    const [answer] = bench.exchange(echo(100, { trafficClass: 0xb8 }))
    expect(answer).toMatchObject({ to: CLIENT_MAC, source: HOST, destination: PEER, type: 129, hopLimit: 64 })
    expect(answer.message).toEqual(icmpv6Message(129, 0, pattern(100), { source: HOST, destination: PEER }))
  })

  it('is answered past extension headers', async () => {
    bench = await host6()
    const message = icmpv6Message(128, 0, pattern(20))
    const packet = ipv6Packet(concat(optionsHeader(60, pad6), optionsHeader(58, [0x1e, 4, 1, 2, 3, 4]), message), {
      nextHeader: 0,
    })
    expect(bench.exchange(packet)).toMatchObject([{ type: 129, source: HOST }])
  })

  it('to a group is answered from an address of ours, at a limited rate', async () => {
    bench = await host6({ icmpBurst: 2, icmpRate: 1 })
    teach6(bench)
    const toAll = echo(8, { destination: 'ff02::1', source: PEER_LOCAL })
    const answers = [1, 2, 3, 4].flatMap(() => bench.exchange(toAll, { to: '33:33:00:00:00:01' }))
    expect(answers.map(({ type }) => type)).toEqual([129, 129])
    expect(answers[0].source).toMatch(/^fe80::/)
    expect(counter6(bench.libos, 'drop.icmp6RateLimited')).toBe(2)
  })

  it('of a wrong checksum is not answered, nor one to a group that nobody joined', async () => {
    bench = await host6()
    const broken = echo(8)
    broken[50] ^= 1
    expect(bench.exchange(broken)).toEqual([])
    expect(bench.exchange(echo(8, { destination: 'ff02::77' }), { to: '33:33:00:00:00:77' })).toEqual([])
    expect(counter6(bench.libos, 'drop.icmp6BadChecksum')).toBe(1)
  })

  it('replies that nobody asked for are counted', async () => {
    bench = await host6()
    bench.exchange(icmpPacket(129, 0, [0, 0, 0, 0], { source: PEER, destination: HOST }))
    expect(counter6(bench.libos, 'drop.icmp6NotOurs')).toBe(1)
  })
})

describe('fragments', () => {
  const fragments = (next: number, payload: Uint8Array, step: number, id = 7) =>
    Array.from({ length: Math.ceil(payload.length / step) }, (_, i) => {
      const piece = payload.slice(i * step, (i + 1) * step)
      const more = (i + 1) * step < payload.length
      return ipv6Packet(concat(fragmentHeader(next, i * step, more, id), piece), { nextHeader: 44 })
    })

  it('of a long request are put together, and the answer is cut (RFC 8200 section 4.5)', async () => {
    bench = await host6()
    teach6(bench)
    const message = icmpv6Message(128, 0, pattern(4000))
    for (const fragment of fragments(58, message, 1400).reverse()) bench.send(fragment)
    bench.run(1e6)
    const pieces = bench.taken()
    expect(pieces.map(({ next, source, destination }) => [next, source, destination])).toEqual(
      new Array(3).fill([44, HOST, PEER]),
    )
    const whole = new Uint8Array(message.length)
    const ids = new Set<number>()
    for (const { payload } of pieces) {
      expect(payload.length + 40).toBeLessThanOrEqual(1500)
      const field = (payload[2] << 8) | payload[3]
      ids.add(new DataView(payload.buffer, payload.byteOffset).getUint32(4))
      expect([payload[0], payload[1]]).toEqual([58, 0])
      whole.set(payload.slice(8), field & 0xfff8)
    }
    expect(ids.size).toBe(1)
    expect(whole).toEqual(icmpv6Message(129, 0, pattern(4000), { source: HOST, destination: PEER }))
    expect(counter6(bench.libos, 'ip6.ipSystemStatsReasmOKs')).toBe(1)
    expect(counter6(bench.libos, 'ip6.ipSystemStatsOutFragCreates')).toBe(3)
  })

  it('that are atomic are whole packets (RFC 6946)', async () => {
    bench = await host6()
    const message = icmpv6Message(128, 0, pattern(8))
    const packet = ipv6Packet(concat(fragmentHeader(58, 0, false, 1), message), { nextHeader: 44 })
    expect(bench.exchange(packet)).toMatchObject([{ type: 129 }])
    expect(counter6(bench.libos, 'ip6.ipSystemStatsReasmReqds')).toBe(0)
  })

  it('that overlap are dropped with all of their datagram (RFC 5722)', async () => {
    bench = await host6()
    const message = icmpv6Message(128, 0, pattern(40))
    const piece = (from: number, to: number) =>
      ipv6Packet(concat(fragmentHeader(58, from, to < message.length, 3), message.slice(from, to)), { nextHeader: 44 })
    for (const packet of [piece(0, 24), piece(16, 32), piece(24, 44)]) bench.exchange(packet)
    expect(bench.taken()).toEqual([])
    expect(counter6(bench.libos, 'drop.ip6FragmentOverlap')).toBe(2)
  })

  it('that do not all come in time are reported, with the first one (RFC 4443 section 3.3)', async () => {
    bench = await host6()
    teach6(bench)
    const [first] = fragments(58, icmpv6Message(128, 0, pattern(4000)), 1400)
    bench.exchange(first)
    bench.exchange(fragments(58, pattern(4000), 1400, 8)[1])
    bench.run(59 * SECOND)
    expect(bench.taken().filter(({ type }) => type === 3)).toEqual([])
    teach6(bench)
    bench.run(2 * SECOND)
    const errors = bench.taken().filter(({ type }) => type === 3)
    expect(errors.map(errorOf)).toEqual([{ type: 3, code: 1, rest: 0, quoted: first.slice(0, 1232) }])
    expect(counter6(bench.libos, 'drop.ip6FragmentTimeout')).toBe(2)
  })

  it('of a wrong length, or without the whole chain of headers, are reported', async () => {
    bench = await host6()
    teach6(bench)
    const misaligned = ipv6Packet(concat(fragmentHeader(17, 0, true, 1), new Uint8Array(9)), { nextHeader: 44 })
    expect(bench.exchange(misaligned).map(errorOf)).toEqual([{ type: 4, code: 0, rest: 4, quoted: misaligned }])
    const tiny = ipv6Packet(concat(fragmentHeader(6, 0, true, 1), new Uint8Array(8)), { nextHeader: 44 })
    expect(bench.exchange(tiny).map(errorOf)).toEqual([{ type: 4, code: 3, rest: 0, quoted: tiny }])
    const long = ipv6Packet(concat(fragmentHeader(17, 65_528, false, 1), new Uint8Array(16)), { nextHeader: 44 })
    expect(bench.exchange(long).map(errorOf)).toEqual([{ type: 4, code: 0, rest: 42, quoted: long }])
  })
})

describe('parameter problems (RFC 4443 section 3.4)', () => {
  it('tell of unknown next headers, options and routing headers, and point at them', async () => {
    bench = await host6()
    teach6(bench)
    const cases: [Uint8Array, number, number][] = [
      [ipv6Packet(new Uint8Array(8), { nextHeader: 200 }), 1, 6],
      [ipv6Packet(concat(optionsHeader(200, pad6), new Uint8Array(8)), { nextHeader: 60 }), 1, 40],
      [ipv6Packet(concat(optionsHeader(0, pad6), optionsHeader(17, pad6)), { nextHeader: 60 }), 1, 40],
      [ipv6Packet(concat(optionsHeader(17, [0x9e, 4, 0, 0, 0, 0])), { nextHeader: 60 }), 2, 42],
      [ipv6Packet(concat(optionsHeader(17, [0xde, 4, 0, 0, 0, 0])), { nextHeader: 60 }), 2, 42],
      [ipv6Packet(Uint8Array.of(17, 0, 0, 1, 0, 0, 0, 0), { nextHeader: 43 }), 0, 42],
    ]
    for (const [packet, code, pointer] of cases) {
      expect(bench.exchange(packet).map(errorOf)).toEqual([{ type: 4, code, rest: pointer, quoted: packet }])
    }
  })

  it('about options are told even about groups, by action 10 and not by 11', async () => {
    bench = await host6()
    teach6(bench)
    const toAll = (option: number) =>
      ipv6Packet(optionsHeader(17, [option, 4, 0, 0, 0, 0]), {
        nextHeader: 60,
        destination: 'ff02::1',
        source: PEER_LOCAL,
      })
    const to = { to: '33:33:00:00:00:01' }
    expect(bench.exchange(toAll(0x9e), to).map(({ type }) => type)).toEqual([4])
    expect(bench.exchange(toAll(0xde), to)).toEqual([])
    expect(bench.exchange(toAll(0x5e), to)).toEqual([])
    expect(counter6(bench.libos, 'drop.ip6UnknownOption')).toBe(3)
  })

  it('are not told about errors, nor to nobody, nor beyond the rate (section 2.4 e and f)', async () => {
    bench = await host6({ icmpBurst: 1, icmpRate: 0.001 })
    teach6(bench)
    const error = concat(optionsHeader(58, [0x9e, 4, 0, 0, 0, 0]), [1, 0, 0, 0, 0, 0, 0, 0])
    expect(bench.exchange(ipv6Packet(error, { nextHeader: 60 }))).toEqual([])
    expect(counter6(bench.libos, 'drop.icmp6Forbidden')).toBe(1)
    const unknown = ipv6Packet(new Uint8Array(8), { nextHeader: 200 })
    expect(bench.exchange(unknown)).toHaveLength(1)
    expect(bench.exchange(unknown)).toEqual([])
    expect(counter6(bench.libos, 'drop.icmp6RateLimited')).toBe(1)
  })

  it('quote no more than 1280 bytes hold (section 2.4 c)', async () => {
    bench = await host6()
    teach6(bench)
    const packet = ipv6Packet(pattern(1400), { nextHeader: 200 })
    const [{ quoted }] = bench.exchange(packet).map(errorOf)
    expect(quoted).toEqual(packet.slice(0, 1232))
  })
})

describe('packets that are dropped', () => {
  it('each have their counter', async () => {
    bench = await host6()
    const cases: [Uint8Array, string, { to: string }?][] = [
      [ipv6Packet(new Uint8Array(8), { firstByte: 0x50 }), 'ip6BadVersion'],
      [ipv6Packet(new Uint8Array(8)).slice(0, 39), 'ip6Truncated'],
      [ipv6Packet(new Uint8Array(8), { payloadLength: 9 }), 'ip6Truncated'],
      [ipv6Packet(new Uint8Array(8), { source: 'ff02::1' }), 'ip6BadSource'],
      [ipv6Packet(new Uint8Array(8), { source: '::1' }), 'ip6BadSource'],
      [ipv6Packet(new Uint8Array(8), { source: '::ffff:10.0.0.2' }), 'ip6BadSource'],
      [ipv6Packet(new Uint8Array(8), { source: '::' }), 'ip6BadSource'],
      [ipv6Packet(new Uint8Array(8), { destination: '::1' }), 'ip6BadDestination'],
      [ipv6Packet(new Uint8Array(8), { destination: '::ffff:10.0.0.1' }), 'ip6BadDestination'],
      [ipv6Packet(new Uint8Array(8), { destination: 'ff01::1' }), 'ip6BadDestination', { to: '33:33:00:00:00:01' }],
      [ipv6Packet(new Uint8Array(8), { destination: '2001:db8::77' }), 'ip6ForeignDestination'],
      [ipv6Packet(new Uint8Array(8), { destination: 'ff02::77' }), 'ip6NotMember', { to: '33:33:00:00:00:01' }],
      [ipv6Packet(new Uint8Array(8)), 'ip6LinkGroupUnicast', { to: 'ff:ff:ff:ff:ff:ff' }],
      [ipv6Packet(new Uint8Array(8), { nextHeader: 59 }), 'ip6NoNextHeader'],
      [ipv6Packet(new Uint8Array(4), { nextHeader: 58 }), 'icmp6Truncated'],
      [icmpPacket(199, 0, new Uint8Array(4)), 'icmp6UnknownType'],
      [ipv6Packet(Uint8Array.of(17, 9, 0, 0, 0, 0, 0, 0), { nextHeader: 60 }), 'ip6BadExtension'],
    ]
    const before = new Map<string, number>()
    for (const [packet, name, fields] of cases) {
      bench.exchange(packet, fields)
      before.set(name, (before.get(name) ?? 0) + 1)
      expect(counter6(bench.libos, `drop.${name}`), name).toBe(before.get(name))
    }
    expect(counter6(bench.libos, 'ip6.ipSystemStatsInReceives')).toBeGreaterThanOrEqual(cases.length)
  })

  it('carry padding of the link that is not theirs', async () => {
    bench = await host6()
    const padded = concat(echo(4), new Uint8Array(20).fill(0xff))
    expect(bench.exchange(padded)).toMatchObject([{ type: 129 }])
  })
})

describe('packet too big (RFC 8201)', () => {
  const tooBig = (mtu: number, quoted: Uint8Array, source = '2001:db8::fe') =>
    icmpPacket(2, 0, concat(u32(mtu), quoted.slice(0, 1232)), { source, destination: HOST })

  it('is believed when it quotes an echo request that is out, and not otherwise', async () => {
    bench = await host6()
    teach6(bench)
    const ping = bench.libos.ping(PEER, { bytes: 1400, timeout: SECOND })
    bench.run(1e6)
    const [request] = bench.taken()
    expect(request.payload.length).toBe(1408)
    const quoted = ipv6Packet(request.payload, { nextHeader: 58, source: HOST, destination: PEER })
    bench.exchange(tooBig(1300, quoted))
    expect(await ping).toMatchObject({ kind: 'unreachable', type: 2 })
    void bench.libos.ping(PEER, { bytes: 1400, timeout: 1 })
    bench.run(1e6)
    const pieces = bench.taken()
    expect(pieces.map(({ next }) => next)).toEqual([44, 44])
    expect(Math.max(...pieces.map(({ payload }) => payload.length + 40))).toBeLessThanOrEqual(1300)
    bench.exchange(tooBig(1280, quoted))
    expect(counter6(bench.libos, 'drop.icmp6NotOurs')).toBe(1)
    // Ten minutes later a longer one is tried again (section 4).
    bench.run(601 * SECOND)
    teach6(bench)
    bench.taken()
    void bench.libos.ping(PEER, { bytes: 1400, timeout: 1 })
    bench.run(1e6)
    expect(bench.taken().map(({ next }) => next)).toEqual([58])
  })

  it('that quotes nothing of ours, or is cut off, changes nothing', async () => {
    bench = await host6()
    for (const quoted of [
      ipv6Packet(udp6(new Uint8Array(4)), {}),
      ipv6Packet(new Uint8Array(8), { source: HOST }),
      new Uint8Array(20),
    ]) {
      bench.exchange(tooBig(1280, quoted))
    }
    expect(counter6(bench.libos, 'drop.icmp6NotOurs')).toBe(3)
  })
})
