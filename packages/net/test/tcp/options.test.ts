import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emitOptions, OPTIONS_MALFORMED, optionsLength, parseOptions } from '../../src/tcp/options.ts'
import { ACK, Segment, SYN } from '../../src/tcp/segment.ts'

function parse(bytes: readonly number[], flags = ACK): { readonly segment: Segment; readonly result: number } {
  const segment = new Segment()
  segment.flags = flags
  const view = new DataView(Uint8Array.from([0xee, ...bytes, 0xee]).buffer)
  return { segment, result: parseOptions(view, 1, 1 + bytes.length, segment) }
}

function emit(segment: Segment): number[] {
  const bytes = new Uint8Array(64)
  const length = emitOptions(new DataView(bytes.buffer), 2, segment)
  expect(length).toBe(optionsLength(segment))
  expect(bytes.subarray(2 + length).every((byte) => byte === 0)).toBe(true)
  return [...bytes.subarray(2, 2 + length)]
}

describe('options of a SYN', () => {
  const bytes = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7]

  it('are written as Linux does', () => {
    const segment = new Segment()
    segment.mss = 1460
    segment.sackPermitted = true
    segment.hasTimestamp = true
    segment.timestampValue = 1
    segment.timestampEcho = 2
    segment.windowScale = 7
    expect(emit(segment)).toEqual(bytes)
  })

  it('are read', () => {
    const { segment, result } = parse(bytes, SYN)
    expect(result).toBe(0)
    expect(segment).toMatchObject({ mss: 1460, sackPermitted: true, hasTimestamp: true, windowScale: 7 })
    expect([segment.timestampValue, segment.timestampEcho]).toEqual([1, 2])
  })

  it('count for nothing in later segments', () => {
    expect(parse(bytes, ACK).segment).toMatchObject({
      mss: 0,
      sackPermitted: false,
      hasTimestamp: true,
      windowScale: -1,
    })
  })

  it('have a shift of at most 14 (RFC 7323 section 2.3)', () => {
    expect(parse([3, 3, 200, 0], SYN).segment.windowScale).toBe(14)
  })
})

describe('SACK blocks', () => {
  it('fit four times, three times beside timestamps, twice beside a user timeout too', () => {
    const segment = new Segment()
    segment.sackCount = 4
    for (let i = 0; i < 4; i++) {
      segment.sackLeft[i] = 0x1000_0000 * (i + 8)
      segment.sackRight[i] = 0x1000_0000 * (i + 8) + 9
    }
    expect(parse(emit(segment)).segment).toMatchObject({ sackCount: 4 })
    segment.hasTimestamp = true
    expect(emit(segment)).toHaveLength(40)
    expect(parse(emit(segment)).segment.sackCount).toBe(3)
    segment.userTimeout = 0x8001
    const { segment: read } = parse(emit(segment))
    expect([read.sackCount, read.userTimeout]).toEqual([2, 0x8001])
    expect([...read.sackLeft.subarray(0, 2)]).toEqual([...segment.sackLeft.subarray(0, 2)])
  })

  it('are no part of a SYN', () => {
    expect(parse([5, 10, 0, 0, 0, 1, 0, 0, 0, 2], SYN).segment.sackCount).toBe(0)
  })
})

describe('an option list', () => {
  it('ends at an end marker or at the header, and skips what nobody knows', () => {
    expect(parse([1, 1, 254, 6, 1, 2, 3, 4, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 0, 99]).segment.timestampValue).toBe(5)
    expect(parse([254, 4, 0, 0, 253, 4, 0, 0]).result).toBe(2)
    expect(parse([]).result).toBe(0)
  })

  it.each([
    ['a kind without a length', [8]],
    ['a length of 0', [254, 0, 0, 0]],
    ['a length of 1', [254, 1, 0, 0]],
    ['a length beyond the header', [254, 5, 0, 0]],
    ['an MSS of three bytes', [2, 3, 5, 0]],
    ['a window scale of four bytes', [3, 4, 7, 0]],
    ['SACK-permitted with a value', [4, 3, 0, 0]],
    ['SACK without a block', [5, 2, 0, 0]],
    ['SACK with half a block', [5, 6, 0, 0, 0, 0]],
    ['timestamps of nine bytes', [8, 9, 0, 0, 0, 1, 0, 0, 0]],
    ['a user timeout of three bytes', [28, 3, 0, 0]],
  ])('with %s is malformed', (_, bytes) => {
    expect(parse(bytes, SYN).result).toBe(OPTIONS_MALFORMED)
  })

  it('of any bytes is read without leaving the header', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(SYN, ACK), (bytes, flags) => {
        const { segment, result } = parse([...bytes], flags)
        expect(result).toBeGreaterThanOrEqual(OPTIONS_MALFORMED)
        expect(segment.sackCount).toBeLessThanOrEqual(4)
        expect(segment.windowScale).toBeLessThanOrEqual(14)
      }),
    )
  })

  it('that was written is read as it was', () => {
    const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    const any = fc.record({
      flags: fc.constantFrom(SYN, ACK),
      mss: fc.integer({ min: 0, max: 65_535 }),
      windowScale: fc.integer({ min: -1, max: 14 }),
      sackPermitted: fc.boolean(),
      hasTimestamp: fc.boolean(),
      timestampValue: int,
      timestampEcho: int,
      sack: fc.array(fc.tuple(int, int), { maxLength: 4 }),
      userTimeout: fc.integer({ min: -1, max: 65_535 }),
    })
    fc.assert(
      fc.property(any, ({ sack, ...fields }) => {
        const segment = Object.assign(new Segment(), fields)
        if (fields.flags === ACK) Object.assign(segment, { mss: 0, windowScale: -1, sackPermitted: false })
        else sack.length = 0
        if (!segment.hasTimestamp) Object.assign(segment, { timestampValue: 0, timestampEcho: 0 })
        for (const [left, right] of sack) {
          segment.sackLeft[segment.sackCount] = left
          segment.sackRight[segment.sackCount++] = right
        }
        const bytes = emit(segment)
        expect(bytes.length % 4).toBe(0)
        expect(bytes.length).toBeLessThanOrEqual(40)
        const read = parse(bytes, segment.flags).segment
        const fits = read.sackCount
        expect(fits).toBeGreaterThanOrEqual(Math.min(sack.length, 2))
        expect([...read.sackLeft.subarray(0, fits)]).toEqual(sack.slice(0, fits).map(([left]) => left))
        segment.sackCount = fits
        segment.sackLeft.fill(0, fits)
        segment.sackRight.fill(0, fits)
        expect(read).toEqual(segment)
      }),
    )
  })
})
