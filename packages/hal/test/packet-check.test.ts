import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ALL_COLUMNS,
  CHECKSUM_WANTED,
  checkPacket,
  createPlainWindow,
  END_OF_PACKET,
  FramePool,
  NetBurst,
  type NetCapabilities,
  REFUSED,
  refusePacket,
  SEGMENT_TCP4,
  SEGMENT_UDP,
  TX_INVALID_DESCRIPTORS,
  TX_TOO_LONG,
  TX_UNSUPPORTED,
  VLAN_TAGGED,
} from '../src/index.ts'
import { capabilities } from './support/capabilities.ts'

const pool = new FramePool(createPlainWindow(8))
const frames = [pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate(), pool.allocate()]

interface Row {
  frame?: number
  offset?: number
  length?: number
  flags?: number
}

/** Checks one packet of these entries. */
function check(rows: readonly Row[], more: Partial<NetCapabilities> = {}, set?: (burst: NetBurst) => void): number {
  const burst = new NetBurst(8, ALL_COLUMNS)
  for (const [i, { frame = frames[i], offset = 262, length = 60, flags }] of rows.entries()) {
    burst.push(frame, offset, length)
    burst.flags[i] = flags ?? (i === rows.length - 1 ? END_OF_PACKET : 0)
  }
  set?.(burst)
  return checkPacket(burst, 0, rows.length, pool, { ...capabilities, ...more })
}

const GOOD = -1

describe('descriptors', () => {
  test.each<[string, Row, number]>([
    ['a plain one', {}, GOOD],
    ['one that fills the frame', { offset: 0, length: 1514 }, GOOD],
    ['one that ends with the frame', { offset: 2048 - 60 }, GOOD],
    ['one byte beyond the frame', { offset: 2048 - 59 }, TX_INVALID_DESCRIPTORS],
    ['a negative offset', { offset: -1 }, TX_INVALID_DESCRIPTORS],
    ['no bytes', { length: 0 }, TX_INVALID_DESCRIPTORS],
    ['a negative length', { length: -1 }, TX_INVALID_DESCRIPTORS],
    ['a sum beyond int32', { offset: 0x7fff_ffff, length: 0x7fff_ffff }, TX_INVALID_DESCRIPTORS],
    ['a free frame', { frame: 7 }, TX_INVALID_DESCRIPTORS],
    ['a frame below', { frame: -1 }, TX_INVALID_DESCRIPTORS],
    ['a frame beyond', { frame: 8 }, TX_INVALID_DESCRIPTORS],
    ['the longest packet', { offset: 0, length: 1514 }, GOOD],
    ['one byte more', { offset: 0, length: 1515 }, TX_TOO_LONG],
    ['no end', { flags: 0 }, TX_INVALID_DESCRIPTORS],
  ])('%s', (_, row, expected) => {
    expect(check([row])).toBe(expected)
  })

  test('alignment is that of the address', () => {
    expect(check([{ offset: 256 }], { transmitAlignment: 64 })).toBe(GOOD)
    expect(check([{ offset: 260 }], { transmitAlignment: 64 })).toBe(TX_INVALID_DESCRIPTORS)
  })
})

describe('chains', () => {
  test('as long as the device takes them', () => {
    expect(check([{}, {}, {}, {}])).toBe(GOOD)
    expect(check([{}, {}, {}, {}, {}])).toBe(TX_UNSUPPORTED)
    expect(check([{}, {}], { maxChain: 1 })).toBe(TX_UNSUPPORTED)
  })

  test('are as long as all their entries', () => {
    expect(check([{ length: 1000 }, { length: 514 }])).toBe(GOOD)
    expect(check([{ length: 1000 }, { length: 515 }])).toBe(TX_TOO_LONG)
  })

  test('are bad if one entry is', () => {
    expect(check([{}, { length: 0 }, {}])).toBe(TX_INVALID_DESCRIPTORS)
  })
})

describe('offloads', () => {
  const wanted = (start: number, offset: number) => (burst: NetBurst) => {
    burst.flags[0] |= CHECKSUM_WANTED
    burst.checksumStart[0] = start
    burst.checksumOffset[0] = offset
  }

  test.each([
    [34, 6, GOOD],
    [34, 24, GOOD],
    [34, 25, TX_INVALID_DESCRIPTORS],
    [-1, 6, TX_INVALID_DESCRIPTORS],
    [34, -1, TX_INVALID_DESCRIPTORS],
    [0x7fff_ffff, 0x7fff_ffff, TX_INVALID_DESCRIPTORS],
  ])('a checksum from %d, stored at +%d', (start, offset, expected) => {
    expect(check([{}], {}, wanted(start, offset))).toBe(expected)
  })

  test('a checksum that the device cannot compute', () => {
    expect(check([{}], { checksum: { verifies: true, computes: false } }, wanted(34, 6))).toBe(TX_UNSUPPORTED)
  })

  const segment =
    (size: number, headers: number, flag = SEGMENT_UDP) =>
    (burst: NetBurst) => {
      burst.flags[0] |= flag
      burst.segmentSize[0] = size
      burst.headerLength[0] = headers
    }
  const long: Row[] = [{ length: 1700 }, { length: 1700 }]

  test.each([
    [1000, 42, GOOD],
    [1472, 42, GOOD],
    [1473, 42, TX_TOO_LONG],
    [0, 42, TX_INVALID_DESCRIPTORS],
    [-1, 42, TX_INVALID_DESCRIPTORS],
    [1000, 0, TX_INVALID_DESCRIPTORS],
    [1000, 3400, TX_INVALID_DESCRIPTORS],
  ])('segments of %d after headers of %d', (size, headers, expected) => {
    expect(check(long, {}, segment(size, headers))).toBe(expected)
  })

  test('segmentation of a kind that the device does not do', () => {
    expect(check(long, {}, segment(1000, 42, SEGMENT_TCP4))).toBe(TX_UNSUPPORTED)
    expect(check(long, { transmitSegmentation: 0 }, segment(1000, 42))).toBe(TX_UNSUPPORTED)
    expect(check(long, {}, segment(1000, 42, SEGMENT_UDP | SEGMENT_TCP4))).toBe(TX_UNSUPPORTED)
  })

  test('a super-frame that is longer than the device takes', () => {
    expect(check(long, { maxSuperPacket: 3400 }, segment(1000, 42))).toBe(GOOD)
    expect(check(long, { maxSuperPacket: 3399 }, segment(1000, 42))).toBe(TX_TOO_LONG)
  })

  test('a tag, with and without the column', () => {
    const tag = (burst: NetBurst) => {
      burst.flags[0] |= VLAN_TAGGED
    }
    expect(check([{}], {}, tag)).toBe(GOOD)
    expect(check([{}], { columns: 0 }, tag)).toBe(TX_UNSUPPORTED)
    const plain = new NetBurst(1)
    plain.push(frames[0], 262, 60)
    tag(plain)
    expect(checkPacket(plain, 0, 1, pool, capabilities)).toBe(TX_INVALID_DESCRIPTORS)
  })

  test('an offload asked for in a burst that has no columns for it', () => {
    const plain = new NetBurst(1)
    plain.push(frames[0], 262, 60)
    plain.flags[0] |= CHECKSUM_WANTED
    expect(checkPacket(plain, 0, 1, pool, capabilities)).toBe(TX_INVALID_DESCRIPTORS)
    plain.flags[0] = END_OF_PACKET | SEGMENT_UDP
    expect(checkPacket(plain, 0, 1, pool, capabilities)).toBe(TX_INVALID_DESCRIPTORS)
  })
})

test('what passes lies within held frames and is not too long, whatever the numbers', () => {
  const int32 = fc.oneof(fc.integer({ min: -5, max: 2100 }), fc.integer())
  const row = fc.record({ frame: fc.integer({ min: -2, max: 9 }), offset: int32, length: int32 })
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), (rows) => {
      if (check(rows) !== GOOD) return
      let total = 0
      for (const { frame, offset, length } of rows) {
        expect(frames).toContain(frame)
        expect(offset >= 0 && length > 0 && offset + length <= 2048).toBe(true)
        total += length
      }
      expect(total).toBeLessThanOrEqual(1514)
      expect(rows.length).toBeLessThanOrEqual(4)
    }),
    { numRuns: 5_000 },
  )
})

test('refusing marks every entry and counts the packet once', () => {
  const burst = new NetBurst(4)
  for (let i = 0; i < 4; i++) burst.push(i, 0, 60)
  const counters = new Float64Array(15)
  refusePacket(burst, 1, 2, TX_TOO_LONG, counters)
  expect([...burst.flags].map((flags) => (flags & REFUSED) !== 0)).toEqual([false, true, true, false])
  expect(burst.refused).toBe(2)
  expect(counters[TX_TOO_LONG]).toBe(1)
  expect(counters.reduce((a, b) => a + b)).toBe(1)
})
