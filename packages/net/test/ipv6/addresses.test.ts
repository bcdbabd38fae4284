import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  commonPrefixLength,
  formatIp,
  isLinkLocal,
  isMulticast,
  isSiteLocal,
  isUnicastHost,
  matchesPrefix,
  multicastHigh,
  multicastLow,
  parseIp,
  parseIpv6,
  prefixOf,
  scopeOf,
  solicitedNode,
} from '../../src/ipv6/address.ts'
import { AddressMap } from '../../src/ipv6/address-map.ts'

const words = fc.array(fc.integer(), { minLength: 4, maxLength: 4 }).map((list) => Int32Array.from(list))

describe('IPv6 addresses', () => {
  it('are of the kinds of RFC 4291 section 2.4', () => {
    const kinds = (text: string) => {
      const address = parseIpv6(text)
      return [isLinkLocal, isSiteLocal, isMulticast, isUnicastHost].map((is) => Number(is(address))).join('')
    }
    expect(kinds('fe80::1')).toBe('1001')
    expect(kinds('febf:ffff::1')).toBe('1001')
    expect(kinds('fec0::1')).toBe('0101')
    expect(kinds('fc00::1')).toBe('0001')
    expect(kinds('fdff::1')).toBe('0001')
    expect(kinds('ff02::1')).toBe('0010')
    expect(kinds('2001:db8::1')).toBe('0001')
    expect(kinds('::')).toBe('0000')
    expect(kinds('::1')).toBe('0000')
    expect(kinds('::ffff:10.0.0.1')).toBe('0000')
  })

  it('have a scope (RFC 4291 section 2.7, RFC 6724 sections 3.1 and 3.2)', () => {
    const scopes = {
      'ff01::1': 1,
      'ff02::1': 2,
      'ff05::1': 5,
      'ff0e::1': 14,
      'fe80::1': 2,
      '::1': 2,
      'fec0::1': 5,
      'fd00::1': 14,
      '2001:db8::1': 14,
      '169.254.1.1': 2,
      '127.0.0.1': 2,
      '10.0.0.1': 14,
    }
    for (const [text, scope] of Object.entries(scopes)) expect(scopeOf(parseIp(text)), text).toBe(scope)
  })

  it('have a solicited-node group, and groups have MAC addresses (RFC 4291 section 2.7.1, RFC 2464 section 7)', () => {
    const group = solicitedNode(parseIpv6('4037::01:800:200e:8c6c'))
    expect(formatIp(group)).toBe('ff02::1:ff0e:8c6c')
    expect(multicastHigh(group)).toBe(0x3333ff0e)
    expect(multicastLow(group)).toBe(0x8c6c)
  })

  it('have prefixes', () => {
    expect(commonPrefixLength(parseIpv6('2001:db8::'), parseIpv6('2001:db9::'))).toBe(31)
    expect(formatIp(prefixOf(parseIpv6('2001:db8:1:2:3:4:5:6'), 60))).toBe('2001:db8:1::')
    fc.assert(
      fc.property(words, words, fc.integer({ min: 0, max: 128 }), (a, b, length) => {
        const common = commonPrefixLength(a, b)
        expect(commonPrefixLength(b, a)).toBe(common)
        expect(matchesPrefix(prefixOf(a, length), a, length)).toBe(true)
        expect(matchesPrefix(a, b, length)).toBe(common >= length)
        expect(prefixOf(prefixOf(a, length), length)).toEqual(prefixOf(a, length))
      }),
    )
  })
})

describe('a table by address', () => {
  it('answers like a Map by text', () => {
    const few = fc.integer({ min: 0, max: 60 }).map((i) => Int32Array.of(0x20010db8, 0, i & 3, i))
    const step = fc.oneof(
      fc.record({ kind: fc.constant('set'), key: few, value: fc.integer() }),
      fc.record({ kind: fc.constant('delete'), key: few, value: fc.constant(0) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer(), (steps, seed) => {
        const map = new AddressMap<number>(seed)
        const model = new Map<string, number>()
        for (const { kind, key, value } of steps) {
          if (kind === 'set') {
            map.set(key, value)
            model.set(formatIp(key), value)
          } else {
            expect(map.delete(key)).toBe(model.delete(formatIp(key)))
          }
          expect(map.size).toBe(model.size)
          expect(map.get(key)).toBe(model.get(formatIp(key)))
        }
        expect(new Map([...map].map(([key, value]) => [formatIp(key), value]))).toEqual(model)
      }),
    )
  })

  it('keeps copies of its keys', () => {
    const map = new AddressMap<string>(7)
    const key = parseIpv6('fe80::1')
    map.set(key, 'one')
    key[3] = 2
    expect(map.get(parseIpv6('fe80::1'))).toBe('one')
    expect(map.get(key)).toBeUndefined()
  })
})
