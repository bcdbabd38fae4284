import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatIp, parseIpv6 } from '../../src/ipv6/address.ts'
import * as counters from '../../src/ipv6/counters.ts'
import { NeighborOptions, readOptions } from '../../src/ndp/options.ts'
import { checkMessage, createNeighborMessage, MESSAGE_OK } from '../../src/ndp/validity.ts'
import * as nd from '../../src/ndp/wire.ts'
import { addressBytes, concat, linkLayerOption, memoryAt, u32 } from './support/frames6.ts'

const MAC = '02:00:00:00:00:09'
const slla = linkLayerOption(1, MAC)
const tlla = linkLayerOption(2, MAC)

/** Checks a message of this type, body (from byte 4 on) and options. */
function check(
  type: number,
  body: Uint8Array | readonly number[],
  { source = 'fe80::2', destination = 'fe80::1', hopLimit = 255, code = 0 } = {},
) {
  const bytes = concat([type, code, 0, 0], body)
  const message = createNeighborMessage(new NeighborOptions())
  message.source.set(parseIpv6(source))
  message.destination.set(parseIpv6(destination))
  message.hopLimit = hopLimit
  return { result: checkMessage(memoryAt(bytes, 2).view, 2, bytes.length, message), message }
}

const target = (text: string, flags = 0, ...options: readonly Uint8Array[]) =>
  concat(u32(flags), addressBytes(text), ...options)
const NS = 135
const NA = 136

describe('neighbour discovery messages', () => {
  it('that a router passed on, with another code, or too short are not believed (RFC 4861 sections 6.1, 7.1, 8.1)', () => {
    const bodies: [number, number][] = [
      [133, 8],
      [134, 16],
      [135, 24],
      [136, 24],
      [137, 40],
    ]
    for (const [type, length] of bodies) {
      const body = new Uint8Array(length - 4)
      if (length >= 24) body.set(addressBytes('fe80::7'), 4)
      if (length === 40) body.set(addressBytes('2001:db8::7'), 20)
      expect(check(type, body).result, `type ${type}`).toBe(MESSAGE_OK)
      expect(check(type, body, { hopLimit: 254 }).result).toBe(counters.DROP_ND_BAD_HOP_LIMIT)
      expect(check(type, body, { code: 1 }).result).toBe(counters.DROP_ND_MALFORMED)
      expect(check(type, body.subarray(0, -1)).result).toBe(counters.DROP_ND_MALFORMED)
      // An option of no length, and one that runs over the end.
      expect(check(type, concat(body, [1, 0, 0, 0, 0, 0, 0, 0])).result).toBe(counters.DROP_ND_MALFORMED)
      expect(check(type, concat(body, [1, 2, 0, 0, 0, 0, 0, 0])).result).toBe(counters.DROP_ND_MALFORMED)
      expect(check(type, concat(body, [1, 1, 0])).result).toBe(counters.DROP_ND_MALFORMED)
    }
  })

  it('solicitations: no group as target; from nobody only to the solicited-node group, without an address (7.1.1)', () => {
    const probe = { source: '::', destination: 'ff02::1:ff00:7' }
    expect(check(NS, target('fe80::7', 0, slla)).message.options).toMatchObject({ hasSource: true, sourceLow: 9 })
    expect(check(NS, target('fe80::7'), probe).result).toBe(MESSAGE_OK)
    expect(check(NS, target('ff02::7')).result).toBe(counters.DROP_ND_BAD_TARGET)
    expect(check(NS, target('fe80::7'), { ...probe, destination: 'fe80::7' }).result).toBe(
      counters.DROP_ND_BAD_DESTINATION,
    )
    expect(check(NS, target('fe80::8'), probe).result).toBe(counters.DROP_ND_BAD_DESTINATION)
    expect(check(NS, target('fe80::7', 0, slla), probe).result).toBe(counters.DROP_ND_MALFORMED)
  })

  it('advertisements: no group as target, not solicited when they went to a group (7.1.2)', () => {
    expect(check(NA, target('fe80::7', nd.FLAG_SOLICITED, tlla)).result).toBe(MESSAGE_OK)
    expect(check(NA, target('ff02::7')).result).toBe(counters.DROP_ND_BAD_TARGET)
    const toAll = { destination: 'ff02::1' }
    expect(check(NA, target('fe80::7', nd.FLAG_OVERRIDE), toAll).result).toBe(MESSAGE_OK)
    expect(check(NA, target('fe80::7', nd.FLAG_SOLICITED), toAll).result).toBe(counters.DROP_ND_BAD_DESTINATION)
    expect(check(NA, target('fe80::7'), { source: '::' }).result).toBe(counters.DROP_ND_BAD_SOURCE)
  })

  it('router advertisements come from link-local addresses (6.1.2)', () => {
    expect(check(134, new Uint8Array(12), { source: '2001:db8::9' }).result).toBe(counters.DROP_ND_BAD_SOURCE)
  })

  it('router solicitations from nobody carry no address (6.1.1)', () => {
    const from = { source: '::', destination: 'ff02::2' }
    expect(check(133, new Uint8Array(4), from).result).toBe(MESSAGE_OK)
    expect(check(133, concat(new Uint8Array(4), slla), from).result).toBe(counters.DROP_ND_MALFORMED)
  })

  it('redirects: from a link-local address, about no group, to a neighbour or to the destination itself (8.1)', () => {
    const redirect = (to: string, about: string) => concat(u32(0), addressBytes(to), addressBytes(about))
    expect(check(137, redirect('fe80::9', '2001:db8::9')).result).toBe(MESSAGE_OK)
    expect(check(137, redirect('2001:db8::9', '2001:db8::9')).result).toBe(MESSAGE_OK)
    expect(check(137, redirect('2001:db8::8', '2001:db8::9')).result).toBe(counters.DROP_ND_BAD_TARGET)
    expect(check(137, redirect('fe80::9', 'ff0e::9')).result).toBe(counters.DROP_ND_BAD_REDIRECT)
    expect(check(137, redirect('fe80::9', '2001:db8::9'), { source: '2001:db8::2' }).result).toBe(
      counters.DROP_ND_BAD_SOURCE,
    )
  })
})

describe('options', () => {
  const read = (...parts: readonly (Uint8Array | readonly number[])[]) => {
    const bytes = concat(...parts)
    const options = new NeighborOptions()
    return { whole: readOptions(memoryAt(bytes, 4).view, 4, 4 + bytes.length, options), options }
  }
  const domains = (...names: string[]) => {
    const labels = names.flatMap((name) => [...name.split('.').flatMap((l) => [l.length, ...Buffer.from(l)]), 0])
    return [...labels, ...new Array((8 - (labels.length % 8)) % 8).fill(0)]
  }

  it('tell prefixes with their flags and lifetimes, all ones for ever (RFC 4861 section 4.6.2)', () => {
    const { options } = read(
      [3, 4, 64, 0xc0],
      u32(0xffffffff),
      u32(3600),
      u32(0),
      addressBytes('2001:db8:1::'),
      [5, 1, 0, 0],
      u32(1400),
    )
    expect(options.mtu).toBe(1400)
    expect(options.prefixes).toEqual([
      {
        prefix: parseIpv6('2001:db8:1::'),
        length: 64,
        onLink: true,
        autonomous: true,
        valid: Number.POSITIVE_INFINITY,
        preferred: 3600e9,
      },
    ])
  })

  it('tell routes, whose prefix takes as much as its length needs (RFC 4191 section 2.3)', () => {
    const { options } = read(
      [24, 1, 0, 0x08],
      u32(60),
      [24, 2, 48, 0x18],
      u32(60),
      addressBytes('2001:db8:1::').subarray(0, 8),
      [24, 3, 96, 0x00],
      u32(60),
      addressBytes('2001:db8:1::'),
    )
    expect(
      options.routes.map(({ prefix, length, preference }) => `${formatIp(prefix)}/${length} ${preference}`),
    ).toEqual(['::/0 1', '2001:db8:1::/48 -1', '2001:db8:1::/96 0'])
    // The reserved preference, and a prefix that is cut off.
    expect(read([24, 1, 0, 0x10], u32(60)).options.routes).toEqual([])
    expect(read([24, 1, 64, 0x00], u32(60)).options.routes).toEqual([])
  })

  it('hand resolvers and search domains on (RFC 8106 section 5)', () => {
    const list = domains('example.org', 'lab.example.org')
    const { options } = read(
      [25, 5, 0, 0],
      u32(300),
      addressBytes('2001:db8::53'),
      addressBytes('2001:db8::54'),
      [31, 1 + list.length / 8, 0, 0],
      u32(600),
      list,
    )
    expect(options.dns).toEqual([
      { servers: ['2001:db8::53', '2001:db8::54'].map(parseIpv6), domains: [], lifetime: 300e9 },
      { servers: [], domains: ['example.org', 'lab.example.org'], lifetime: 600e9 },
    ])
    // A label that runs over the end, and one with a blank: the option is passed over.
    expect(read([31, 2, 0, 0], u32(600), [63, 97, 97, 97, 97, 97, 97, 97]).options.dns).toEqual([])
    expect(read([31, 2, 0, 0], u32(600), [3, 97, 32, 97, 0, 0, 0, 0]).options.dns).toEqual([])
  })

  it('that are unknown, or of a wrong length, are passed over', () => {
    const { whole, options } = read(
      [99, 1, 0, 0, 0, 0, 0, 0],
      slla,
      [1, 2],
      new Uint8Array(14),
      [25, 2],
      new Uint8Array(14),
    )
    expect(whole).toBe(true)
    expect(options).toMatchObject({ hasSource: true, sourceHigh: 0x02000000, sourceLow: 9, dns: [] })
  })

  it('are bounded, and any bytes are survived', () => {
    expect(read(...new Array(40).fill(concat([24, 1, 0, 0], u32(60)))).options.routes).toHaveLength(16)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        read(bytes)
      }),
    )
  })

  it('are cleared for the next message', () => {
    const options = new NeighborOptions()
    readOptions(memoryAt(slla).view, 0, 8, options)
    readOptions(memoryAt(slla).view, 0, 0, options)
    expect(options.hasSource).toBe(false)
  })

  it('are written as they are read: link-layer addresses and nonces', () => {
    const memory = memoryAt(new Uint8Array(16))
    nd.emitLinkLayer(memory.view, 0, 1, 0x0200_0000, 9)
    nd.emitNonce(memory.view, 8, 0x1234_5678, 0x9abc)
    const options = new NeighborOptions()
    expect(readOptions(memory.view, 0, 16, options)).toBe(true)
    expect([...memory.bytes.slice(0, 8)]).toEqual([...slla])
    expect(options).toMatchObject({ sourceLow: 9, hasNonce: true, nonceHigh: 0x12345678, nonceLow: 0x9abc })
  })
})
