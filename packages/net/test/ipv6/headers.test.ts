import { describe, expect, it } from 'vitest'
import { parseIpv6 } from '../../src/ipv6/address.ts'
import * as counters from '../../src/ipv6/counters.ts'
import { CHAIN_OK, HeaderChain, isChainComplete, walkHeaders } from '../../src/ipv6/extension-headers.ts'
import { checkAddresses, checkHeader, HEADER_OK } from '../../src/ipv6/header-check.ts'
import * as ipv6 from '../../src/ipv6/wire.ts'
import { fragmentHeader, ipv6Packet, memoryAt, optionsHeader } from './support/frames6.ts'

/** Walks a packet of these extension headers at an odd address; positions come back relative to it. */
function walk(first: number, headers: readonly Uint8Array[], toGroup = false) {
  const payload = Uint8Array.from(headers.flatMap((header) => [...header]))
  const packet = ipv6Packet(payload, { nextHeader: first })
  const memory = memoryAt(packet, 3)
  const chain = new HeaderChain()
  const result = walkHeaders(memory.view, 3, 3 + packet.length, toGroup, chain)
  return {
    result,
    protocol: chain.protocol,
    at: chain.at - 3,
    nextHeaderAt: chain.nextHeaderAt - 3,
    problem: chain.problem,
    problemAt: chain.problemAt - 3,
    routerAlert: chain.routerAlert,
  }
}

const udp = new Uint8Array(8)
const pad6 = [1, 4, 0, 0, 0, 0]
const routing = (type: number, left: number, next = 17) => Uint8Array.of(next, 0, type, left, 0, 0, 0, 0)

describe('the fixed header', () => {
  it('is written and read back, byte by byte (RFC 8200 section 3)', () => {
    const memory = memoryAt(new Uint8Array(40))
    const [from, to] = [parseIpv6('2001:db8::1'), parseIpv6('ff02::1')]
    ipv6.emit(memory.view, 0, 0xb9, 0x12345, 1234, 17, 63, from, to)
    expect([...memory.bytes.slice(0, 8)]).toEqual([0x6b, 0x91, 0x23, 0x45, 0x04, 0xd2, 17, 63])
    expect(ipv6.version(memory.view, 0)).toBe(6)
    expect(ipv6.trafficClass(memory.view, 0)).toBe(0xb9)
    expect(ipv6.flowLabel(memory.view, 0)).toBe(0x12345)
    expect(ipv6.payloadLength(memory.view, 0)).toBe(1234)
    expect(ipv6.isAddressAt(memory.view, ipv6.SOURCE, from)).toBe(true)
    expect(ipv6.isAddressAt(memory.view, ipv6.DESTINATION, from)).toBe(false)
    expect(ipv6.addressSumAt(memory.view, 0)).toBe(ipv6.addressSum(from, to))
  })

  it('is refused when it is short, of another version, or longer than its frame', () => {
    const check = (packet: Uint8Array, length = packet.length) => checkHeader(memoryAt(packet).view, 0, length)
    expect(check(ipv6Packet(udp))).toBe(HEADER_OK)
    expect(check(ipv6Packet(udp), 60)).toBe(HEADER_OK)
    expect(check(ipv6Packet(udp), 0)).toBe(counters.DROP_IP6_TRUNCATED)
    expect(check(ipv6Packet(udp), 39)).toBe(counters.DROP_IP6_TRUNCATED)
    expect(check(ipv6Packet(udp, { payloadLength: 9 }))).toBe(counters.DROP_IP6_TRUNCATED)
    expect(check(ipv6Packet(udp, { firstByte: 0x45 }))).toBe(counters.DROP_IP6_BAD_VERSION)
  })

  it('bears no address that cannot come from a network (RFC 4291 sections 2.5 and 2.7)', () => {
    const check = (source: string, destination: string) => checkAddresses(parseIpv6(source), parseIpv6(destination))
    expect(check('2001:db8::2', '2001:db8::1')).toBe(HEADER_OK)
    expect(check('::', 'ff02::1:ff00:1')).toBe(HEADER_OK)
    for (const source of ['ff02::1', '::1', '::ffff:10.0.0.1']) {
      expect(check(source, '2001:db8::1'), source).toBe(counters.DROP_IP6_BAD_SOURCE)
    }
    for (const destination of ['::', '::1', '::ffff:10.0.0.1', 'ff01::1', 'ff00::1']) {
      expect(check('2001:db8::2', destination), destination).toBe(counters.DROP_IP6_BAD_DESTINATION)
    }
  })
})

describe('extension headers', () => {
  it('may be absent', () => {
    expect(walk(17, [udp])).toMatchObject({ result: CHAIN_OK, protocol: 17, at: 40, nextHeaderAt: 6, problem: -1 })
  })

  it('are passed over in any order, hop-by-hop options first (RFC 8200 section 4.1)', () => {
    const chain = walk(0, [
      optionsHeader(60, [5, 2, 0, 0, 1, 0]),
      optionsHeader(43, [1, 12, ...new Array(12).fill(0)].slice(0, 6).fill(0)),
      routing(3, 0, 60),
      optionsHeader(17, [0x1e, 4, 1, 2, 3, 4]),
      udp,
    ])
    expect(chain).toMatchObject({ result: CHAIN_OK, protocol: 17, at: 72, nextHeaderAt: 64, routerAlert: true })
  })

  it('hop-by-hop elsewhere is an unknown next header: code 1, at the field that named it (section 4)', () => {
    const late = walk(60, [optionsHeader(0, pad6), optionsHeader(17, pad6), udp])
    expect(late).toMatchObject({ result: counters.DROP_IP6_HOP_BY_HOP_NOT_FIRST, problem: 1, problemAt: 40 })
    const twice = walk(0, [optionsHeader(0, pad6), optionsHeader(17, pad6), udp])
    expect(twice).toMatchObject({ result: counters.DROP_IP6_HOP_BY_HOP_NOT_FIRST, problem: 1, problemAt: 40 })
  })

  it('routing of type 0, and of any type with segments left, is refused: code 0, at the type (RFC 5095 section 3)', () => {
    for (const type of [0, 2, 3, 4, 99]) {
      expect(walk(43, [routing(type, 1), udp])).toMatchObject({
        result: counters.DROP_IP6_ROUTING_HEADER,
        problem: 0,
        problemAt: 42,
      })
      expect(walk(43, [routing(type, 0), udp]).result).toBe(CHAIN_OK)
    }
  })

  it('unknown options are skipped, dropped, or reported by their two highest bits (section 4.2)', () => {
    const option = (type: number, toGroup = false) => walk(60, [optionsHeader(17, [type, 4, 0, 0, 0, 0]), udp], toGroup)
    expect(option(0x1e).result).toBe(CHAIN_OK)
    expect(option(0x5e)).toMatchObject({ result: counters.DROP_IP6_UNKNOWN_OPTION, problem: -1 })
    expect(option(0x9e)).toMatchObject({ result: counters.DROP_IP6_UNKNOWN_OPTION, problem: 2, problemAt: 42 })
    expect(option(0xde)).toMatchObject({ result: counters.DROP_IP6_UNKNOWN_OPTION, problem: 2, problemAt: 42 })
    // 10 is reported even about groups, 11 is not.
    expect(option(0x9e, true)).toMatchObject({ result: counters.DROP_IP6_UNKNOWN_OPTION, problem: 2 })
    expect(option(0xde, true)).toMatchObject({ result: counters.DROP_IP6_UNKNOWN_OPTION, problem: -1 })
    // A jumbo payload (RFC 2675) is such an option to us.
    expect(walk(0, [optionsHeader(17, [0xc2, 4, 0, 1, 0, 0]), udp])).toMatchObject({ problem: 2, problemAt: 42 })
  })

  it('that run over the end, or options that run over their header, are malformed', () => {
    expect(walk(60, [Uint8Array.of(17, 1, 1, 4, 0, 0, 0, 0)]).result).toBe(counters.DROP_IP6_BAD_EXTENSION)
    expect(walk(60, [Uint8Array.of(17, 0, 1, 4)]).result).toBe(counters.DROP_IP6_BAD_EXTENSION)
    expect(walk(60, [optionsHeader(17, [1, 5, 0, 0, 0, 0]), udp]).result).toBe(counters.DROP_IP6_BAD_EXTENSION)
    expect(walk(60, [optionsHeader(17, [1, 3, 0, 0, 0, 0x1e]), udp]).result).toBe(counters.DROP_IP6_BAD_EXTENSION)
    expect(walk(0, [optionsHeader(17, [5, 1, 0, 1, 1, 0]), udp]).result).toBe(counters.DROP_IP6_BAD_EXTENSION)
  })

  it('are bounded: headers, options and padding (RFC 8504 section 5.3)', () => {
    const many = Array.from({ length: 9 }, (_, i) => optionsHeader(i === 8 ? 17 : 60, pad6))
    expect(walk(60, many.slice(1)).result).toBe(CHAIN_OK)
    expect(walk(60, [...many, udp]).result).toBe(counters.DROP_IP6_TOO_MANY_HEADERS)
    const options = (n: number) => [
      ...new Array(n).fill([0x1e, 0]).flat(),
      ...new Array((8 - ((2 * n + 2) % 8)) % 8).fill(0),
    ]
    expect(walk(60, [optionsHeader(17, options(8)), udp]).result).toBe(CHAIN_OK)
    expect(walk(60, [optionsHeader(17, options(9)), udp]).result).toBe(counters.DROP_IP6_TOO_MANY_OPTIONS)
    expect(walk(60, [optionsHeader(17, [1, 12, ...new Array(12).fill(0)]), udp]).result).toBe(
      counters.DROP_IP6_BAD_PADDING,
    )
    expect(walk(60, [optionsHeader(17, new Array(14).fill(0)), udp]).result).toBe(counters.DROP_IP6_BAD_PADDING)
    expect(walk(60, [optionsHeader(17, [1, 4, 0, 0, 1, 0]), udp]).result).toBe(counters.DROP_IP6_BAD_PADDING)
  })

  it('end at a fragment, and an atomic fragment is none (RFC 6946 section 4)', () => {
    expect(walk(60, [optionsHeader(44, pad6), fragmentHeader(17, 0, true, 7), udp])).toMatchObject({
      result: CHAIN_OK,
      protocol: 44,
      at: 48,
      nextHeaderAt: 40,
    })
    expect(walk(44, [fragmentHeader(60, 0, false, 7), optionsHeader(17, pad6), udp])).toMatchObject({
      result: CHAIN_OK,
      protocol: 17,
      at: 56,
    })
    const nested = walk(44, [fragmentHeader(44, 0, false, 7), fragmentHeader(17, 0, false, 8), udp])
    expect(nested.result).toBe(counters.DROP_IP6_BAD_EXTENSION)
  })

  it('leave unknown numbers to the caller, with the place that named them', () => {
    expect(walk(60, [optionsHeader(50, pad6), udp])).toMatchObject({ result: CHAIN_OK, protocol: 50, nextHeaderAt: 40 })
    expect(walk(59, [])).toMatchObject({ result: CHAIN_OK, protocol: 59, at: 40 })
  })

  it('must all be in a first fragment, with the upper layer (RFC 7112 section 5)', () => {
    const complete = (first: number, parts: readonly Uint8Array[]) => {
      const bytes = Uint8Array.from(parts.flatMap((part) => [...part]))
      return isChainComplete(memoryAt(bytes).view, first, 0, bytes.length)
    }
    expect(complete(17, [udp])).toBe(true)
    expect(complete(6, [udp])).toBe(false)
    expect(complete(6, [new Uint8Array(20)])).toBe(true)
    expect(complete(60, [optionsHeader(17, pad6)])).toBe(false)
    expect(complete(60, [optionsHeader(17, pad6), udp])).toBe(true)
    expect(complete(60, [Uint8Array.of(17, 9, 0, 0, 0, 0, 0, 0)])).toBe(false)
    expect(complete(59, [])).toBe(true)
  })
})

/** What only routers send has a name and no index. */
const OF_ROUTERS = ['PktTooBigs', 'RouterAdvertisements', 'Redirects', 'GroupMembQueries'].map(
  (n) => `ipv6IfIcmpOut${n}`,
)

describe('counters', () => {
  it('stand at the index of their name', () => {
    const indices = new Map<string, unknown>(Object.entries(counters))
    const prefixes: Record<string, string> = { ip6: 'ipSystemStats', icmp6: 'ipv6IfIcmp', nd: 'nd', drop: '' }
    counters.IPV6_COUNTERS.forEach((name, i) => {
      const [group, rest] = name.split('.')
      const words = rest.slice(prefixes[group].length).replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, '_')
      const index = indices.get(`${group}_${words}`.toUpperCase())
      if (!OF_ROUTERS.includes(rest)) expect(index, name).toBe(i)
    })
  })

  it('of drops count under the MIB name too', () => {
    const all = new counters.Ipv6Counters()
    all.drop(counters.DROP_IP6_FRAGMENT_OVERLAP)
    all.drop(counters.DROP_ND_BAD_HOP_LIMIT)
    all.drop(counters.DROP_OUT6_NO_ROUTE)
    expect(all.get('ip6.ipSystemStatsReasmFails')).toBe(1)
    expect(all.get('icmp6.ipv6IfIcmpInErrors')).toBe(1)
    expect(all.get('ip6.ipSystemStatsOutNoRoutes')).toBe(1)
  })
})
