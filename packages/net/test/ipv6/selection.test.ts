import { describe, expect, it } from 'vitest'
import { formatIp, parseIp } from '../../src/ipv6/address.ts'
import { orderDestinations } from '../../src/ipv6/destination-order.ts'
import { policyOf } from '../../src/ipv6/policy-table.ts'
import { type SourceCandidate, selectSource } from '../../src/ipv6/source-selection.ts'

/** `!` before an address: deprecated; `~`: temporary. */
function candidate(text: string, router?: string): SourceCandidate {
  const words = parseIp(text.replace(/^[!~]/, ''))
  return {
    words,
    prefix: 64,
    deprecated: text.startsWith('!'),
    temporary: text.startsWith('~'),
    router: router === undefined ? undefined : parseIp(router),
  }
}

const choose = (destination: string, ...sources: string[]) => {
  const chosen = selectSource(
    parseIp(destination),
    sources.map((text) => candidate(text)),
  )
  // Whatever the order of the candidates.
  const reversed = selectSource(
    parseIp(destination),
    sources.reverse().map((text) => candidate(text)),
  )
  expect(reversed?.words).toEqual(chosen?.words)
  return chosen === undefined ? undefined : formatIp(chosen.words)
}

describe('source addresses (RFC 6724 section 5, with the examples of section 10.1)', () => {
  it('prefer the destination itself (rule 1)', () => {
    expect(choose('2001:db8:1::1', '2001:db8:3::1', '2001:db8:1::1')).toBe('2001:db8:1::1')
    expect(choose('2001:db8:1::1', '!2001:db8:1::1', '2001:db8:3::1')).toBe('2001:db8:1::1')
  })

  it('prefer the appropriate scope (rule 2)', () => {
    expect(choose('2001:db8:1::1', '2001:db8:3::1', 'fe80::1')).toBe('2001:db8:3::1')
    expect(choose('ff05::1', '2001:db8:3::1', 'fe80::1')).toBe('2001:db8:3::1')
    expect(choose('fe80::1', 'fe80::2', '2001:db8:1::1')).toBe('fe80::2')
    expect(choose('fe80::9', 'fec0::2', 'fe80::2')).toBe('fe80::2')
    expect(choose('fec0::9', 'fec0::2', '2001:db8::2', 'fe80::2')).toBe('fec0::2')
    expect(choose('2001:db8::9', 'fec0::2', 'fe80::2')).toBe('fec0::2')
    // The smaller scope reaches the destination: it is preferred.
    expect(choose('ff02::1', '2001:db8::2', 'fe80::2')).toBe('fe80::2')
  })

  it('avoid deprecated ones (rule 3), and stay in the prefix of the router (rule 5.5)', () => {
    expect(choose('2001:db8:1::1', '!2001:db8:1::2', '2001:db8:3::2')).toBe('2001:db8:3::2')
    const chosen = selectSource(
      parseIp('2001:db8:ffff::1'),
      [candidate('2001:db8:1::1', 'fe80::a'), candidate('2001:db8:2::1', 'fe80::b')],
      parseIp('fe80::b'),
    )
    expect(formatIp(chosen?.words ?? parseIp('::'))).toBe('2001:db8:2::1')
  })

  it('prefer the label of the destination (rule 6)', () => {
    expect(choose('2002:c633:6401::1', '2002:c633:6401::d5e3:7953:13eb:22e8', '2001:db8:1::2')).toBe(
      '2002:c633:6401:0:d5e3:7953:13eb:22e8',
    )
    expect(choose('fd00:1::1', '2001:db8:1::2', 'fd00:2::2')).toBe('fd00:2::2')
  })

  it('prefer temporary ones (rule 7), and then the longest prefix in common (rule 8)', () => {
    expect(choose('2001:db8:1::d5e3:0:0:1', '2001:db8:1::2', '~2001:db8:1::d5e3:7953:13eb:22e8')).toBe(
      '2001:db8:1:0:d5e3:7953:13eb:22e8',
    )
    expect(choose('2001:db8:1::1', '2001:db8:1::2', '2001:db8:3::2')).toBe('2001:db8:1::2')
    expect(choose('::1')).toBeUndefined()
  })
})

describe('destination addresses (RFC 6724 section 6, with the examples of section 10.2)', () => {
  /** Pairs of a destination and the source that it would have. */
  const order = (...pairs: [string, string | undefined][]) => {
    const sources = new Map(pairs.map(([to, from]) => [formatIp(parseIp(to)), from]))
    const sourceFor = (destination: Int32Array) => {
      const from = sources.get(formatIp(destination))
      return from === undefined ? undefined : candidate(from)
    }
    return orderDestinations(
      pairs.map(([to]) => parseIp(to)),
      sourceFor,
    ).map(formatIp)
  }

  it('avoid those that cannot be reached (rule 1)', () => {
    expect(order(['2001:db8:1::1', undefined], ['198.51.100.121', '198.51.100.117'])).toEqual([
      '198.51.100.121',
      '2001:db8:1::1',
    ])
  })

  it("prefer those of their source's scope (rule 2)", () => {
    expect(order(['2001:db8:1::1', 'fe80::1'], ['198.51.100.121', '198.51.100.117'])[0]).toBe('198.51.100.121')
    expect(order(['198.51.100.121', '169.254.13.78'], ['2001:db8:1::1', '2001:db8:1::2'])[0]).toBe('2001:db8:1::1')
  })

  it('avoid deprecated sources (rule 3), and prefer matching labels (rule 5)', () => {
    expect(order(['2001:db8:1::1', '!2001:db8:1::2'], ['2001:db8:3::1', '2001:db8:3::2'])[0]).toBe('2001:db8:3::1')
    expect(order(['2002:c633:6401::1', '2001:db8:1::2'], ['2001:db8:1::1', '2001:db8:1::2'])[0]).toBe('2001:db8:1::1')
  })

  it('prefer by precedence (rule 6): IPv6 before IPv4, and that before 6to4', () => {
    expect(order(['10.1.2.3', '10.1.2.4'], ['2001:db8:1::1', '2001:db8:1::2'])).toEqual(['2001:db8:1::1', '10.1.2.3'])
    expect(order(['2002:c633:6401::1', '2002:c633:6401::2'], ['2001:db8:1::1', '2001:db8:1::2'])[0]).toBe(
      '2001:db8:1::1',
    )
    expect(order(['2002:c633:6401::1', '2002:c633:6401::2'], ['10.1.2.3', '10.1.2.4'])[0]).toBe('10.1.2.3')
  })

  it('prefer the smaller scope (rule 8), the longer prefix (rule 9), and else keep their order (rule 10)', () => {
    expect(order(['2001:db8:1::1', '2001:db8:1::2'], ['fe80::1', 'fe80::2'])[0]).toBe('fe80::1')
    expect(order(['2001:db8:1::1', '2001:db8:1::2'], ['2001:db8:3ffe::1', '2001:db8:3f44::2'])[0]).toBe('2001:db8:1::1')
    expect(order(['10.9.9.9', '10.1.2.4'], ['10.1.2.3', '10.1.2.4'])).toEqual(['10.9.9.9', '10.1.2.3'])
  })
})

describe('the policy table (RFC 6724 section 2.1)', () => {
  it('answers by the longest prefix', () => {
    const rows: Record<string, [number, number]> = {
      '::1': [50, 0],
      '2001:db8::1': [40, 1],
      '10.0.0.1': [35, 4],
      '2002::1': [30, 2],
      '2001::1': [5, 5],
      'fd00::1': [3, 13],
      '::2': [1, 3],
      'fec0::1': [1, 11],
      '3ffe::1': [1, 12],
    }
    for (const [text, [precedence, label]] of Object.entries(rows)) {
      expect(policyOf(parseIp(text)), text).toMatchObject({ precedence, label })
    }
  })
})
