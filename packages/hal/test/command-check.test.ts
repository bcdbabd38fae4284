import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_REFUSED_INVALID,
  BLOCK_REFUSED_LEASE,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  BlockBurst,
  type BlockCapabilities,
  BlockCommandCheck,
  type BlockQueueGrant,
  createPlainWindow,
  FramePool,
  refuseCommand,
} from '../src/index.ts'

const BLOCK = 512
const FRAME = 4096
const ALL = [BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_WRITE_ZEROES, BLOCK_DEALLOCATE, BLOCK_COMPARE]
const window = createPlainWindow(4, { frameSize: FRAME, headroom: 0 })
const pool = new FramePool(window)
const [frame, other] = [pool.allocate(), pool.allocate()]

function checkOf(more: Partial<BlockCapabilities> = {}) {
  const capabilities = {
    blockSize: BLOCK,
    memoryAlignment: 4,
    maxSegments: 3,
    segmentPage: 0,
    maxTransfer: 8,
    opcodes: ALL.reduce((mask, opcode) => mask | (1 << opcode), 0),
    ...more,
  }
  const range = { namespace: 1, firstLba: 100, blocks: 50 }
  return new BlockCommandCheck({ range, capabilities } as unknown as BlockQueueGrant, pool)
}

interface Row {
  readonly opcode?: number
  readonly namespace?: number
  readonly lba?: number
  readonly blocks?: number
  readonly flags?: number
  readonly segments?: readonly (readonly [frame: number, offset: number, length: number])[]
}

function burstOf({
  opcode = BLOCK_WRITE,
  namespace = 1,
  lba = 100,
  blocks = 1,
  flags = 0,
  segments = [[frame, 0, BLOCK]],
}: Row) {
  const burst = new BlockBurst(1, 8)
  burst.push(opcode, namespace, lba, blocks, 7, flags)
  for (const [one, offset, length] of segments) burst.addSegment(one, offset, length)
  return burst
}

const verdict = (row: Row, capabilities: Partial<BlockCapabilities> = {}) =>
  checkOf(capabilities).check(burstOf(row), 0)

describe('accepted', () => {
  test.each<Row>([
    {},
    { lba: 149 },
    { flags: BLOCK_FUA },
    { blocks: 8, segments: [[frame, 0, FRAME]] },
    {
      blocks: 2,
      segments: [
        [frame, 0, 4],
        [other, 8, 1020],
      ],
    },
    { opcode: BLOCK_FLUSH, lba: Number.NaN, blocks: -1, segments: [] },
    { opcode: BLOCK_DEALLOCATE, blocks: 50, segments: [] },
    { opcode: BLOCK_WRITE_ZEROES, blocks: 8, segments: [[99, -1, 0]] },
  ])('%j', (row) => expect(verdict(row)).toBe(-1))

  test('pages', () => {
    const segments = [
      [frame, 2048, 2048],
      [other, 0, 2048],
    ] as const
    expect(verdict({ blocks: 8, segments }, { segmentPage: 2048 })).toBe(-1)
    expect(verdict({ blocks: 8, segments }, { segmentPage: 4096 })).toBe(-1)
  })
})

describe('outside the lease', () => {
  test.each<Row>([
    { namespace: 2 },
    { lba: 99 },
    { lba: 150 },
    { lba: 149, blocks: 2, segments: [[frame, 0, 2 * BLOCK]] },
    { opcode: BLOCK_DEALLOCATE, blocks: 51, segments: [] },
    { lba: Number.POSITIVE_INFINITY },
    { segments: [[2, 0, BLOCK]] },
    { segments: [[-1, 0, BLOCK]] },
    { segments: [[frame, -4, BLOCK]] },
    { segments: [[frame, FRAME - 4, BLOCK]] },
    { segments: [[frame, 0x7fff_fffc, BLOCK]] },
  ])('%j', (row) => expect(verdict(row)).toBe(BLOCK_REFUSED_LEASE))
})

describe('malformed', () => {
  test.each<Row>([
    { opcode: 0 },
    { opcode: 7 },
    { opcode: 33 },
    { opcode: -1 },
    { flags: 2 },
    { flags: BLOCK_REFUSED },
    { lba: 100.5 },
    { lba: Number.NaN },
    { blocks: 0 },
    {
      blocks: 9,
      segments: [
        [frame, 0, FRAME],
        [other, 0, BLOCK],
      ],
    },
    { opcode: BLOCK_WRITE_ZEROES, blocks: 9, segments: [] },
    { segments: [] },
    {
      segments: [
        [frame, 0, 128],
        [frame, 0, 128],
        [frame, 0, 128],
        [frame, 0, 128],
      ],
    },
    { segments: [[frame, 0, BLOCK - 4]] },
    { segments: [[frame, 2, BLOCK]] },
    {
      segments: [
        [frame, 0, 2],
        [frame, 4, 510],
      ],
    },
  ])('%j', (row) => expect(verdict(row)).toBe(BLOCK_REFUSED_INVALID))

  test('pages', () => {
    const wrong = [
      [frame, 0, 2048],
      [other, 2048, 2048],
    ] as const
    expect(verdict({ blocks: 8, segments: wrong }, { segmentPage: 4096 })).toBe(BLOCK_REFUSED_INVALID)
  })
})

test('no command that passes reaches beyond its blocks or its frames', () => {
  const small = fc.integer({ min: -2, max: 9 })
  const row = fc.record({
    opcode: fc.integer({ min: -1, max: 8 }),
    namespace: fc.integer({ min: 0, max: 2 }),
    lba: fc.oneof(fc.integer({ min: 90, max: 160 }), fc.double()),
    blocks: small,
    flags: fc.constantFrom(0, BLOCK_FUA, 4),
    segments: fc.array(
      fc.tuple(
        fc.integer({ min: -1, max: 4 }),
        fc.integer({ min: -512, max: FRAME }),
        fc.constantFrom(-512, 0, 4, 256, 512, 1024, FRAME),
      ),
      { maxLength: 4 },
    ),
  })
  let passed = 0
  fc.assert(
    fc.property(row, (one) => {
      if (verdict(one) !== -1 || one.opcode === BLOCK_FLUSH) return
      passed++
      expect(one.namespace).toBe(1)
      expect(Number.isInteger(one.lba) && one.lba >= 100 && one.lba + one.blocks <= 150).toBe(true)
      if (one.opcode === BLOCK_DEALLOCATE || one.opcode === BLOCK_WRITE_ZEROES) return
      expect(one.segments.reduce((sum, [, , length]) => sum + length, 0)).toBe(one.blocks * BLOCK)
      for (const [index, offset, length] of one.segments) {
        expect(pool.holds(index) && offset >= 0 && offset + length <= FRAME).toBe(true)
      }
    }),
    { numRuns: 3000 },
  )
  expect(passed).toBeGreaterThan(20)
})

test('a refused command is marked, and counted in the burst and in its counter', () => {
  const burst = burstOf({ blocks: 0, flags: BLOCK_FUA })
  const counters = new Float64Array(10)
  refuseCommand(burst, 0, BLOCK_REFUSED_INVALID, counters)
  expect(burst.flags[0]).toBe(BLOCK_FUA | BLOCK_REFUSED)
  expect(burst.refused).toBe(1)
  expect(counters[BLOCK_REFUSED_INVALID]).toBe(1)
})
