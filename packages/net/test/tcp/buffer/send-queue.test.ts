import { assertNoLeaks } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameChain } from '../../../src/tcp/buffer/frame-chain.ts'
import { MemoryBudget } from '../../../src/tcp/buffer/memory-budget.ts'
import { SendQueue } from '../../../src/tcp/buffer/send-queue.ts'
import { byteAt, memoryOf, segmentOf } from '../support.ts'

describe('a send queue', () => {
  it('gives any range back, by copying or as slices, until it is acknowledged', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('push' as const), a: fc.integer({ min: 0, max: 1500 }), b: fc.constant(0) }),
        fc.record({ kind: fc.constant('ack' as const), a: fc.integer({ min: -10, max: 3000 }), b: fc.constant(0) }),
        fc.record({ kind: fc.constant('look' as const), a: fc.nat(10_000), b: fc.nat(4000) }),
      ),
      { maxLength: 80 },
    )
    fc.assert(
      fc.property(
        steps,
        fc.constantFrom(0, 0x7fff_fff0, -1),
        fc.constantFrom(0, 200, 2000),
        (list, start, copyBelow) => {
          const { pool, budget } = memoryOf(256)
          const queue = new SendQueue(pool, copyBelow, budget)
          queue.start(start)
          let head = 0
          let tail = 0
          for (const { kind, a, b } of list) {
            if (kind === 'push') {
              const { frame, address, length } = segmentOf(pool, start + tail, a)
              queue.push(frame, address, length)
              tail += a
            } else if (kind === 'ack') {
              const to = head + a
              const released = queue.acknowledge((start + to) | 0)
              const valid = to > head && to <= tail
              expect(released).toBe(valid ? a : 0)
              if (valid) head = to
            } else if (tail > head) {
              const from = head + (a % (tail - head))
              const length = Math.min(b, tail - from)
              const into = new Uint8Array(length + 2)
              queue.copyOut((start + from) | 0, length, into, 1)
              for (let i = 0; i < length; i++) expect(into[1 + i]).toBe(byteAt(start + from + i))
              const chain = new FrameChain(3)
              const covered = queue.seek((start + from) | 0, length, chain)
              let at = from
              for (let i = 0; i < chain.count; i++) {
                expect(pool.holds(chain.frame[i])).toBe(true)
                for (let j = 0; j < chain.length[i]; j++) {
                  expect(pool.bytes[chain.address[i] + j]).toBe(byteAt(start + at++))
                }
              }
              expect(covered).toBe(at - from)
              expect(covered === length || chain.isFull).toBe(true)
            }
            expect([queue.head, queue.tail, queue.bytes]).toEqual([(start + head) | 0, (start + tail) | 0, tail - head])
            expect(budget.sendFrames).toBe(queue.frames)
          }
          queue.clear()
          expect(queue.bytes).toBe(0)
          budget.memory.shared.clear()
          assertNoLeaks(pool)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('copies short pushes into one frame, and long ones not at all', () => {
    const { pool, budget } = memoryOf(64)
    const queue = new SendQueue(pool, 100, budget)
    queue.start(0)
    for (let i = 0; i < 30; i++) {
      const { frame, address } = segmentOf(pool, i * 50, 50)
      queue.push(frame, address, 50)
    }
    expect([queue.bytes, queue.frames]).toEqual([1500, 1])
    const { frame, address } = segmentOf(pool, 1500, 1000)
    queue.push(frame, address, 1000)
    expect(queue.frames).toBe(2)
    const chain = new FrameChain(8)
    queue.seek(1500, 1000, chain)
    expect([chain.frame[0], chain.address[0]]).toEqual([frame, address])
    queue.clear()
    budget.memory.shared.clear()
    assertNoLeaks(pool)
  })

  it('does not write behind bytes that a device still reads', () => {
    const { pool, budget } = memoryOf(8)
    const queue = new SendQueue(pool, 100, budget)
    queue.start(0)
    const first = segmentOf(pool, 0, 500)
    queue.push(first.frame, first.address, 500)
    pool.retain(first.frame)
    const behind = pool.bytes[first.address + 500]
    const second = segmentOf(pool, 500, 50)
    queue.push(second.frame, second.address, 50)
    expect(pool.bytes[first.address + 500]).toBe(behind)
    expect(queue.frames).toBe(2)
    pool.release(first.frame)
    queue.clear()
    budget.memory.shared.clear()
    assertNoLeaks(pool)
  })

  it('of many connections shares a frame for short pushes, and starts it over when all are gone', () => {
    const { pool, memory } = memoryOf(8)
    const queues = Array.from({ length: 100 }, () => new SendQueue(pool, 100, new MemoryBudget(memory, 1000)))
    for (let round = 0; round < 20; round++) {
      for (const [i, queue] of queues.entries()) {
        queue.start(1000 * i)
        const { frame, address } = segmentOf(pool, 1000 * i, 12)
        queue.push(frame, address, 12)
      }
      expect(pool.frameCount - pool.available).toBe(1)
      for (const [i, queue] of queues.entries()) {
        const into = new Uint8Array(12)
        queue.copyOut(1000 * i, 12, into, 0)
        expect([...into]).toEqual(Array.from({ length: 12 }, (_, j) => byteAt(1000 * i + j)))
        queue.clear()
      }
    }
    memory.shared.clear()
    assertNoLeaks(pool)
  })

  it('joins pieces of one frame that are pushed one after the other', () => {
    const { pool, budget } = memoryOf(8)
    const queue = new SendQueue(pool, 0, budget)
    queue.start(0)
    const { frame, address } = segmentOf(pool, 0, 1200)
    for (let at = 0; at < 1200; at += 400) {
      if (at > 0) pool.retain(frame)
      queue.push(frame, address + at, 400)
    }
    expect([queue.frames, pool.count(frame)]).toEqual([1, 1])
    queue.clear()
    assertNoLeaks(pool)
  })
})
