import { assertNoLeaks, type DebugFramePool } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../src/random.ts'
import { FrameChain } from '../../../src/tcp/buffer/frame-chain.ts'
import {
  INSERT_DUPLICATE,
  INSERT_IN_ORDER,
  INSERT_OUT_OF_ORDER,
  INSERT_REFUSED,
  ReceiveQueue,
} from '../../../src/tcp/buffer/receive-queue.ts'
import { Segment } from '../../../src/tcp/segment.ts'
import { byteAt, memoryOf, segmentOf } from '../support.ts'

/** Inserts and, as every caller does, releases the frame when it was not taken over. */
function insert(queue: ReceiveQueue, pool: DebugFramePool, sequence: number, length: number): number {
  const segment = segmentOf(pool, sequence, length)
  const result = queue.insert(segment)
  if (segment.frame >= 0) pool.release(segment.frame)
  return result
}

function read(queue: ReceiveQueue, pool: DebugFramePool, limit: number): number[] {
  const chain = new FrameChain(1024)
  queue.take(limit, chain)
  const out: number[] = []
  for (let i = 0; i < chain.count; i++) {
    for (let b = 0; b < chain.length[i]; b++) out.push(pool.bytes[chain.address[i] + b])
    pool.release(chain.frame[i])
  }
  return out
}

function expected(sequence: number, length: number): number[] {
  return Array.from({ length }, (_, i) => byteAt(sequence + i))
}

function blocks(queue: ReceiveQueue, timestamps = false): [number, number][] {
  const segment = new Segment()
  segment.hasTimestamp = timestamps
  queue.fillSack(segment)
  return Array.from({ length: segment.sackCount }, (_, i) => [segment.sackLeft[i], segment.sackRight[i]])
}

function setup(frames = 64, start = 1000) {
  const { pool, memory, budget } = memoryOf(frames)
  const queue = new ReceiveQueue(pool, budget)
  queue.start(start)
  return { pool, memory, budget, queue }
}

describe('data in order', () => {
  it('is handed out in the frames in which it came', () => {
    const { pool, queue, budget } = setup()
    const segment = segmentOf(pool, 1000, 1400)
    const { frame, address } = segment
    expect(queue.insert(segment)).toBe(INSERT_IN_ORDER)
    expect(segment.frame).toBe(-1)
    expect(queue.next).toBe(2400)
    expect(queue.readable).toBe(1400)
    expect(budget.frames).toBe(1)
    const chain = new FrameChain(4)
    expect(queue.take(10_000, chain)).toBe(1400)
    expect([chain.frame[0], chain.address[0], chain.length[0]]).toEqual([frame, address, 1400])
    expect(budget.frames).toBe(0)
    pool.release(frame)
    assertNoLeaks(pool)
  })

  it('is split when the reader wants less, each part with a reference', () => {
    const { pool, queue } = setup()
    insert(queue, pool, 1000, 1000)
    expect(read(queue, pool, 300)).toEqual(expected(1000, 300))
    expect(queue.readable).toBe(700)
    expect(read(queue, pool, 5000)).toEqual(expected(1300, 700))
    assertNoLeaks(pool)
  })

  it('is copied together when short segments wait, so that a frame holds many of them', () => {
    const { pool, queue } = setup()
    for (let i = 0; i < 1000; i++) insert(queue, pool, 1000 + i, 1)
    expect(queue.readable).toBe(1000)
    expect(queue.frames).toBe(1)
    expect(pool.frameCount - pool.available).toBe(1)
    expect(read(queue, pool, 5000)).toEqual(expected(1000, 1000))
    assertNoLeaks(pool)
  })

  it('is not written into a frame that somebody else reads', () => {
    const { pool, queue } = setup()
    const segment = segmentOf(pool, 1000, 100)
    const { frame, address } = segment
    pool.retain(frame)
    queue.insert(segment)
    const behind = pool.bytes[address + 100]
    insert(queue, pool, 1100, 100)
    expect(pool.bytes[address + 100]).toBe(behind)
    expect(queue.frames).toBe(2)
    pool.release(frame)
    queue.clear()
    assertNoLeaks(pool)
  })

  it('is packed on demand, without a frame to do it with', () => {
    const { pool, queue } = setup(20)
    for (let i = 0; i < 20; i++) expect(insert(queue, pool, 1000 + i * 600, 600)).toBe(INSERT_IN_ORDER)
    const before = queue.frames
    const freed = queue.compact()
    expect(queue.frames).toBe(before - freed)
    expect(pool.available).toBe(pool.frameCount - queue.frames)
    expect(queue.frames).toBeLessThanOrEqual(Math.ceil((20 * 600) / 1000))
    expect(read(queue, pool, 20_000)).toEqual(expected(1000, 12_000))
    assertNoLeaks(pool)
  })

  it('lists slices without taking them, for a reader that may put them off', () => {
    const { pool, queue, budget } = setup()
    insert(queue, pool, 1000, 1400)
    insert(queue, pool, 2400, 1400)
    const chain = new FrameChain(8)
    queue.peek(chain)
    expect([chain.count, queue.readable]).toEqual([2, 2800])
    expect(queue.shift()).toBe(1400)
    expect([queue.readable, queue.slices, budget.frames]).toEqual([1400, 1, 1])
    pool.release(chain.frame[0])
    queue.clear()
    assertNoLeaks(pool)
  })
})

describe('data beyond a gap', () => {
  it('comes into order when the gap is closed', () => {
    const { pool, queue } = setup()
    expect(insert(queue, pool, 2000, 1000)).toBe(INSERT_OUT_OF_ORDER)
    expect(insert(queue, pool, 3000, 1000)).toBe(INSERT_OUT_OF_ORDER)
    expect([queue.readable, queue.outOfOrder, queue.ranges]).toEqual([0, 2000, 1])
    expect(insert(queue, pool, 1000, 1000)).toBe(INSERT_IN_ORDER)
    expect([queue.readable, queue.outOfOrder, queue.next]).toEqual([3000, 0, 4000])
    expect(read(queue, pool, 9000)).toEqual(expected(1000, 3000))
    assertNoLeaks(pool)
  })

  it('is reported as SACK blocks, the last that changed first', () => {
    const { pool, queue } = setup()
    for (const left of [2000, 4000, 6000, 8000, 10_000]) insert(queue, pool, left, 600)
    expect(blocks(queue)).toEqual([
      [10_000, 10_600],
      [8000, 8600],
      [6000, 6600],
      [4000, 4600],
    ])
    insert(queue, pool, 4600, 600)
    expect(blocks(queue, true)).toEqual([
      [4000, 5200],
      [10_000, 10_600],
      [8000, 8600],
    ])
    queue.clear()
    assertNoLeaks(pool)
  })

  it('that comes twice is reported once, before its range (RFC 2883)', () => {
    const { pool, queue } = setup()
    insert(queue, pool, 2000, 1000)
    expect(insert(queue, pool, 2200, 300)).toBe(INSERT_DUPLICATE)
    expect(blocks(queue)).toEqual([
      [2200, 2500],
      [2000, 3000],
    ])
    expect(blocks(queue)).toEqual([[2000, 3000]])
    expect(insert(queue, pool, 900, 100)).toBe(INSERT_DUPLICATE)
    expect(blocks(queue)).toEqual([
      [900, 1000],
      [2000, 3000],
    ])
    queue.clear()
    assertNoLeaks(pool)
  })

  it('is given back under pressure, all of it', () => {
    const { pool, queue, memory } = setup()
    insert(queue, pool, 1000, 100)
    for (const left of [2000, 4000, 6000]) insert(queue, pool, left, 600)
    expect(queue.renege()).toBe(1800)
    expect([queue.readable, queue.outOfOrder, memory.reneged, queue.frames]).toEqual([100, 0, 1, 1])
    expect(blocks(queue)).toEqual([])
    queue.clear()
    assertNoLeaks(pool)
  })

  it('gives way to what is nearer when the budget is spent, and is refused when nothing is further away', () => {
    const { pool, memory, budget } = memoryOf(200, 1024 * 8)
    const queue = new ReceiveQueue(pool, budget)
    queue.start(0)
    const { limit } = budget
    for (let i = 0; i < limit; i++) expect(insert(queue, pool, 10_000 + i * 2000, 700)).toBe(INSERT_OUT_OF_ORDER)
    expect(insert(queue, pool, 10_000 + limit * 2000, 700)).toBe(INSERT_REFUSED)
    expect(insert(queue, pool, 5000, 700)).toBe(INSERT_OUT_OF_ORDER)
    expect([queue.frames, queue.refused]).toEqual([limit, 1])
    expect(queue.insert(segmentOf(pool, 0, 100))).toBe(INSERT_IN_ORDER)
    queue.clear()
    assertNoLeaks(pool)
    expect(memory.frames).toBe(0)
  })
})

describe('any order of segments', () => {
  it('gives the bytes of a naive model, with wrapping numbers, overlaps and reads in between', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('segment' as const),
          at: fc.integer({ min: -50, max: 3000 }),
          length: fc.integer({ min: 0, max: 900 }),
        }),
        fc.record({
          kind: fc.constant('read' as const),
          at: fc.integer({ min: 1, max: 2000 }),
          length: fc.constant(0),
        }),
        fc.record({ kind: fc.constant('compact' as const), at: fc.constant(0), length: fc.constant(0) }),
      ),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(steps, fc.constantFrom(0, 0x7fff_ff00, -100, 0x1234_5678), (list, start) => {
        const { pool, queue, budget } = setup(256, start)
        const held = new Set<number>()
        let next = 0
        let taken = 0
        for (const { kind, at, length } of list) {
          if (kind === 'compact') {
            queue.compact()
          } else if (kind === 'read') {
            const bytes = read(queue, pool, at)
            expect(bytes).toEqual(expected(start + taken, Math.min(at, next - taken)))
            taken += bytes.length
          } else {
            const left = Math.max(0, next + at)
            const before = held.size
            const result = insert(queue, pool, start + left, length)
            for (let i = left; i < left + length; i++) if (i >= next) held.add(i)
            const isNew = held.size > before
            while (held.delete(next)) next++
            // A segment without bytes is no duplicate only where it is expected.
            expect(result === INSERT_DUPLICATE).toBe(!isNew && (length > 0 || left !== next))
            if (isNew) expect([INSERT_IN_ORDER, INSERT_OUT_OF_ORDER]).toContain(result)
          }
          expect(queue.next).toBe((start + next) | 0)
          expect(queue.readable).toBe(next - taken)
          expect(queue.outOfOrder).toBe(held.size)
          expect(queue.ranges).toBe([...held].filter((i) => !held.has(i - 1)).length)
          expect(budget.frames).toBe(queue.frames)
          for (const [left, right] of blocks(queue)) expect((right - left) | 0).toBeGreaterThan(0)
        }
        queue.clear()
        expect(budget.frames).toBe(0)
        assertNoLeaks(pool)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('an adversary with gaps', () => {
  it('cannot make 100,000 one-byte segments slow or large', () => {
    const count = 100_000
    const { pool, budget } = memoryOf(4096, 6_291_456)
    const queue = new ReceiveQueue(pool, budget)
    queue.start(0)
    const order = Int32Array.from({ length: count }, (_, i) => i)
    const random = seededRandom(7)
    for (let i = count - 1; i > 0; i--) {
      const j = random.next() % (i + 1)
      const swap = order[i]
      order[i] = order[j]
      order[j] = swap
    }
    const segment = new Segment()
    segment.length = 1
    const start = process.cpuUsage()
    for (let i = 0; i < count; i++) {
      segment.sequence = 1 + order[i] * 2
      // The stack drops what arrives when no frame is free: here the budget refuses long before.
      segment.frame = pool.allocate()
      if (segment.frame < 0) throw new Error('the budget let the pool run dry')
      segment.address = pool.address(segment.frame) + 316
      queue.insert(segment)
      if (segment.frame >= 0) pool.release(segment.frame)
    }
    const { user, system } = process.cpuUsage(start)
    expect(queue.frames).toBeLessThanOrEqual(budget.limit)
    expect(queue.ranges).toBeLessThanOrEqual(4096)
    // Of processor time, in ms: a second or two; a list would take minutes.
    expect((user + system) / 1000).toBeLessThan(20_000)
    // What is left is what lies nearest: the first gap closes at once.
    segment.sequence = 0
    segment.length = 1
    segment.frame = pool.allocate()
    segment.address = pool.address(segment.frame) + 316
    expect(queue.insert(segment)).toBe(INSERT_IN_ORDER)
    expect(queue.next).toBe(2)
    queue.clear()
    assertNoLeaks(pool)
  })
})
