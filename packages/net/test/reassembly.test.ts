import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { FRAGMENT_COMPLETE, FRAGMENT_KEPT, Reassembly } from '../src/ipv4/reassembly.ts'
import {
  DROP_IP_FRAGMENT_EXHAUSTED,
  DROP_IP_FRAGMENT_MISALIGNED,
  DROP_IP_FRAGMENT_OVERLAP,
  DROP_IP_FRAGMENT_TINY,
  DROP_IP_FRAGMENT_TOO_LONG,
} from '../src/statistics/counters.ts'
import { type Ipv4Fields, ipv4Packet, memoryOf } from './support/frames.ts'

const SECOND = 1e9
const limits = { datagrams: 4, perSource: 2, fragments: 8, timeout: 30 * SECOND }
let reassembly: Reassembly

beforeEach(() => {
  reassembly = new Reassembly(limits)
})

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255)
const whole = pattern(64)

/** Offers bytes `start` to `end` of a datagram as a fragment. */
function offer(start: number, end: number, more: boolean, fields: Ipv4Fields = {}, now = 0, data = whole): number {
  const fragment = (start >> 3) | (more ? 0x2000 : 0)
  const packet = ipv4Packet(data.subarray(start, end), { identifier: 77, fragment, ...fields })
  return reassembly.insert(memoryOf(packet), 0, false, now)
}

const completed = () => reassembly.complete.memory.bytes.slice(0, reassembly.complete.total)

describe('reassembly', () => {
  it('joins fragments in order, and out of order', () => {
    expect(offer(0, 32, true)).toBe(FRAGMENT_KEPT)
    expect(offer(32, 64, false)).toBe(FRAGMENT_COMPLETE)
    expect(completed()).toEqual(whole)
    for (const [start, end] of [
      [48, 64],
      [16, 32],
      [0, 16],
    ]) {
      expect(offer(start, end, end < 64)).toBe(FRAGMENT_KEPT)
    }
    expect(offer(32, 48, true)).toBe(FRAGMENT_COMPLETE)
    expect(completed()).toEqual(whole)
    expect(reassembly.size).toBe(0)
  })

  it('joins any cut in any order, with duplicates', () => {
    const shuffled = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(shuffled, fc.array(fc.nat(7), { maxLength: 8 }), (order, again) => {
        const sequence = [...order.slice(0, 7), ...again.filter((piece) => piece !== order[7]), order[7]]
        const results = sequence.map((piece) => offer(piece * 8, piece * 8 + 8, piece < 7))
        expect(results.pop()).toBe(FRAGMENT_COMPLETE)
        expect(new Set(results)).toEqual(new Set([FRAGMENT_KEPT]))
        expect(completed()).toEqual(whole)
      }),
    )
  })

  it('keeps datagrams of different source, destination, protocol and identifier apart', () => {
    expect(offer(0, 32, true)).toBe(FRAGMENT_KEPT)
    expect(offer(32, 64, false, { identifier: 78 })).toBe(FRAGMENT_KEPT)
    expect(offer(32, 64, false, { source: '10.0.0.3' })).toBe(FRAGMENT_KEPT)
    expect(offer(32, 64, false, { source: '10.0.0.4', protocol: 1 })).toBe(FRAGMENT_KEPT)
    expect(reassembly.size).toBe(4)
    expect(offer(32, 64, false)).toBe(FRAGMENT_COMPLETE)
  })
})

describe('an attack by', () => {
  const overlaps: readonly [name: string, pieces: readonly (readonly [number, number, boolean])[]][] = [
    [
      'teardrop: the second fragment inside the first',
      [
        [0, 40, true],
        [24, 32, false],
      ],
    ],
    [
      'a fragment that begins inside another',
      [
        [0, 32, true],
        [24, 64, false],
      ],
    ],
    [
      'a fragment that ends inside another',
      [
        [32, 64, false],
        [0, 40, true],
      ],
    ],
    [
      'a fragment that covers another',
      [
        [16, 24, true],
        [8, 40, true],
      ],
    ],
    [
      'the same start with another length',
      [
        [0, 32, true],
        [0, 24, true],
      ],
    ],
    [
      'two different ends',
      [
        [48, 64, false],
        [32, 48, false],
      ],
    ],
    [
      'data behind the end',
      [
        [24, 32, false],
        [40, 64, true],
      ],
    ],
    [
      'an end before data',
      [
        [40, 64, true],
        [24, 32, false],
      ],
    ],
  ]
  for (const [name, pieces] of overlaps) {
    it(`${name} loses the whole datagram, also what comes later (RFC 5722)`, () => {
      const last = pieces.length - 1
      pieces.forEach(([start, end, more], i) => {
        const expected = i < last ? FRAGMENT_KEPT : DROP_IP_FRAGMENT_OVERLAP
        expect(offer(start, end, more)).toBe(expected)
      })
    })
  }

  it('overlap poisons until the time is over', () => {
    offer(0, 32, true)
    expect(offer(24, 64, false)).toBe(DROP_IP_FRAGMENT_OVERLAP)
    expect(offer(32, 64, false)).toBe(DROP_IP_FRAGMENT_OVERLAP)
    const expired: number[] = []
    reassembly.expire(31 * SECOND, (datagram) => expired.push(datagram.identifier))
    expect(expired).toEqual([])
    offer(0, 32, true, {}, 32 * SECOND)
    expect(offer(32, 64, false, {}, 32 * SECOND)).toBe(FRAGMENT_COMPLETE)
  })

  it('tiny first fragments: UDP ports behind the first, TCP flags at offset 8 (RFC 1858)', () => {
    expect(offer(0, 7, false)).toBe(DROP_IP_FRAGMENT_TINY)
    expect(offer(8, 24, true, { protocol: 6 })).toBe(DROP_IP_FRAGMENT_TINY)
    expect(offer(8, 24, true)).toBe(FRAGMENT_KEPT)
  })

  it('lengths that are no multiple of 8, or 0', () => {
    expect(offer(0, 31, true)).toBe(DROP_IP_FRAGMENT_MISALIGNED)
    expect(offer(8, 8, true)).toBe(DROP_IP_FRAGMENT_MISALIGNED)
    expect(offer(8, 8, false)).toBe(DROP_IP_FRAGMENT_MISALIGNED)
  })

  it('the ping of death: an end beyond 65,535 bytes', () => {
    const packet = ipv4Packet(pattern(100), { identifier: 1, fragment: 65_480 >> 3 })
    expect(reassembly.insert(memoryOf(packet), 0, false, 0)).toBe(DROP_IP_FRAGMENT_TOO_LONG)
    expect(reassembly.size).toBe(0)
  })

  it('more fragments than a datagram may have', () => {
    const long = pattern(200)
    for (let i = 0; i < 8; i++) expect(offer(i * 16, i * 16 + 8, true, {}, 0, long)).toBe(FRAGMENT_KEPT)
    expect(offer(8 * 16, 8 * 16 + 8, true, {}, 0, long)).toBe(DROP_IP_FRAGMENT_EXHAUSTED)
  })

  it('one source that begins many datagrams: its own oldest give way', () => {
    offer(0, 32, true, { source: '10.0.0.3' })
    for (let identifier = 1; identifier <= 50; identifier++) offer(0, 32, true, { identifier, source: '10.0.0.66' })
    expect(reassembly.size).toBe(3)
    expect(reassembly.displaced).toBe(48)
    expect(offer(32, 64, false, { source: '10.0.0.3' })).toBe(FRAGMENT_COMPLETE)
  })

  it('many sources: the table stays bounded, the oldest give way', () => {
    for (let i = 1; i <= 200; i++) offer(0, 32, true, { source: `10.0.0.${i}` })
    expect(reassembly.size).toBe(4)
    expect(offer(32, 64, false, { source: '10.0.0.200' })).toBe(FRAGMENT_COMPLETE)
  })
})

describe('time', () => {
  it('runs from the first fragment, and is not extended', () => {
    offer(0, 16, true, {}, 0)
    offer(16, 32, true, {}, 20 * SECOND)
    expect(reassembly.nextEvent()).toBe(30 * SECOND)
    const expired: { identifier: number; quote: number }[] = []
    reassembly.expire(30 * SECOND, (d) => expired.push({ identifier: d.identifier, quote: d.quoteLength }))
    expect(expired).toEqual([{ identifier: 77, quote: 28 }])
    expect(reassembly.size).toBe(0)
    expect(reassembly.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('leaves nothing to quote when the first fragment never came', () => {
    offer(16, 32, true, {}, 0)
    reassembly.expire(30 * SECOND, (d) => expect(d.quoteLength).toBe(0))
    expect.assertions(1)
  })
})
