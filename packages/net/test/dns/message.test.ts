import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeResponse, encodeQuery } from '../../src/dns/message.ts'
import { decodeName, encodeName, normalizeName } from '../../src/dns/name.ts'

const bytes = (...parts: (number | string)[]) =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])))

describe('names (RFC 1035)', () => {
  it('have one form, whatever their case and their last dot', () => {
    expect(normalizeName('WWW.Example.ORG.')).toBe('www.example.org')
    expect([...encodeName('ab.c')]).toEqual([2, 97, 98, 1, 99, 0])
    expect([...encodeName('')]).toEqual([0])
  })

  it('survive the wire with dots and odd bytes inside of labels', () => {
    const label = fc.uint8Array({ minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 8 }), (labels) => {
        const wire = Uint8Array.from([...labels.flatMap((one) => [one.length, ...one]), 0])
        const decoded = decodeName(wire, 0)
        expect(decoded?.end).toBe(wire.length)
        const again = decodeName(encodeName(decoded?.name as string), 0)
        expect(again?.name).toBe(decoded?.name)
      }),
    )
  })

  it('may point backwards (section 4.1.4), and never in a circle or ahead', () => {
    const message = bytes(3, 'org', 0, 1, 'a', 0xc0, 0, 0xc0, 7, 0xc0, 9, 0xc0, 13, 0)
    expect(decodeName(message, 5)).toEqual({ name: 'a.org', end: 9 })
    expect(decodeName(message, 11)).toEqual({ name: 'org', end: 13 })
    expect(decodeName(message, 13)).toBeUndefined()
    expect(decodeName(bytes(0xc0, 2, 1, 'a', 0), 0)).toBeUndefined()
    expect(decodeName(bytes(1, 'a', 0xc0, 0), 0)).toBeUndefined()
    expect(decodeName(bytes(0x40, 0), 0)).toBeUndefined()
    expect(decodeName(bytes(5, 'ab'), 0)).toBeUndefined()
  })
})

describe('messages', () => {
  it('ask recursively, with the payload size that we take (RFC 6891)', () => {
    expect([...encodeQuery(0x1234, 'a.b', 'AAAA', true)]).toEqual([
      ...[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1],
      ...[1, 97, 1, 98, 0, 0, 28, 0, 1],
      ...[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0],
    ])
  })

  it('are no responses when they are queries, of another class, or cut', () => {
    const query = encodeQuery(1, 'a.b', 'A', false)
    expect(decodeResponse(query)).toBeUndefined()
    const response = query.with(2, 0x81)
    expect(decodeResponse(response)).toMatchObject({ question: { name: 'a.b', type: 1 }, answers: [] })
    expect(decodeResponse(response.slice(0, -1))).toBeUndefined()
    expect(decodeResponse(response.with(response.length - 1, 3))).toBeUndefined()
    expect(decodeResponse(response.with(7, 1))).toBeUndefined()
  })

  it('never make the reader throw, whatever they hold', () => {
    const header = encodeQuery(1, 'a.b', 'A', false).with(2, 0x81).with(7, 2).with(9, 1)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (rest, plausible) => {
        decodeResponse(plausible ? Uint8Array.from([...header, ...rest]) : rest)
      }),
      { numRuns: 2000 },
    )
  })
})
