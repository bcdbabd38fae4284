import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatIp,
  formatIpv6,
  isIpv4Mapped,
  isIpv6Multicast,
  mapIpv4,
  parseIp,
  parseIpv4,
  parseIpv6,
  parseScopedIpv6,
} from '../src/index.ts'

const invalid = expect.objectContaining({ code: 'EINVAL' })
const words = fc
  .array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((g) => Int32Array.from({ length: 4 }, (_, i) => (g[2 * i] << 16) | g[2 * i + 1]))

describe('IPv6 addresses', () => {
  it('are read in every form of RFC 4291 section 2.2', () => {
    const same: Record<string, readonly number[]> = {
      '2001:DB8:0:0:8:800:200C:417A': [0x20010db8, 0, 0x00080800, 0x200c417a],
      '2001:db8::8:800:200c:417a': [0x20010db8, 0, 0x00080800, 0x200c417a],
      'ff01::101': [0xff010000 | 0, 0, 0, 0x101],
      '::1': [0, 0, 0, 1],
      '::': [0, 0, 0, 0],
      '1::': [0x10000, 0, 0, 0],
      '0:0:0:0:0:0:13.1.68.3': [0, 0, 0, 0x0d014403],
      '::ffff:129.144.52.38': [0, 0, 0xffff, 0x81903426 | 0],
      '64:ff9b::192.0.2.33': [0x0064ff9b, 0, 0, 0xc0000221 | 0],
      '1:2:3:4:5:6:7::': [0x10002, 0x30004, 0x50006, 0x70000],
      '::2:3:4:5:6:7:8': [0x2, 0x30004, 0x50006, 0x70008],
    }
    for (const [text, expected] of Object.entries(same)) expect([...parseIpv6(text)], text).toEqual(expected)
  })

  it('that are none are refused', () => {
    const wrong = [
      '',
      ':',
      ':::',
      '1',
      '10.0.0.1',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1::2::3',
      '1:2:3:4:5:6:7:8::',
      '::1:2:3:4:5:6:7:8',
      '12345::',
      'g::',
      ' ::1',
      '::1 ',
      '1:2:3:4:5:6:7:',
      ':1:2:3:4:5:6:7',
      '::10.0.0.256',
      '::10.0.0',
      '::010.0.0.1',
      '10.0.0.1::',
      '1:2:3:4:5:6:7:10.0.0.1',
      'fe80::1%eth0',
      '::/0',
      '[::1]',
    ]
    for (const text of wrong) expect(() => parseIpv6(text), text).toThrow(invalid)
    for (const text of ['fe80::1%', 'fe80::1%a%b', 'fe80::1%a b']) {
      expect(() => parseScopedIpv6(text), text).toThrow(invalid)
    }
  })

  it('are written in the one form of RFC 5952 section 4', () => {
    const texts: Record<string, string> = {
      '2001:0DB8:0000:0000:0000:0000:0000:0001': '2001:db8::1',
      // 4.2.2: one zero group is not shortened.
      '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
      // 4.2.3: the longest run, and the first of equals.
      '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
      '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
      '0:0:0:0:0:0:0:0': '::',
      '1:0:0:0:0:0:0:0': '1::',
      '0:0:0:0:0:0:0:1': '::1',
      // 5: a dotted tail for mapped addresses.
      '::ffff:c000:0201': '::ffff:192.0.2.1',
      '::1.2.3.4': '::102:304',
    }
    for (const [text, expected] of Object.entries(texts)) expect(formatIpv6(parseIpv6(text)), text).toBe(expected)
  })

  it('go to text and back', () => {
    fc.assert(
      fc.property(words, (address) => {
        expect(parseIpv6(formatIpv6(address))).toEqual(address)
      }),
    )
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const once = formatIpv6(parseIpv6(text))
        expect(formatIpv6(parseIpv6(once))).toBe(once)
        expect(once).not.toMatch(/[A-F]|(^|:)0[\da-f]/)
      }),
    )
  })

  it('agree with the URL parser of the platform, which writes the same form but for dotted tails', () => {
    fc.assert(
      fc.property(words, (address) => {
        fc.pre(!isIpv4Mapped(address))
        const text = formatIpv6(address)
        expect(new URL(`http://[${text}]/`).hostname).toBe(`[${text}]`)
      }),
    )
  })

  it('may carry a zone where it is asked for (RFC 4007 section 11)', () => {
    expect(parseScopedIpv6('fe80::1%eth0.42')).toEqual({ words: parseIpv6('fe80::1'), zone: 'eth0.42' })
    expect(parseScopedIpv6('fe80::1')).toEqual({ words: parseIpv6('fe80::1'), zone: undefined })
  })
})

describe('addresses of either family', () => {
  it('share one form, IPv4 as ::ffff:a.b.c.d', () => {
    expect([...parseIp('10.0.0.1')]).toEqual([0, 0, 0xffff, 0x0a000001])
    expect(parseIp('::ffff:10.0.0.1')).toEqual(parseIp('10.0.0.1'))
    expect(formatIp(mapIpv4(parseIpv4('10.0.0.1')))).toBe('10.0.0.1')
    expect(formatIp(parseIp('FE80::1'))).toBe('fe80::1')
    expect(isIpv4Mapped(parseIp('::1'))).toBe(false)
    expect(() => parseIp('nowhere')).toThrow(invalid)
  })

  it('are groups in ff00::/8', () => {
    expect(isIpv6Multicast(parseIp('ff02::1'))).toBe(true)
    expect(isIpv6Multicast(parseIp('fe80::1'))).toBe(false)
  })
})
