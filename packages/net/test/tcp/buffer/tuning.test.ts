import { createPlainWindow, FramePool } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { ReceiveTuning, SendTuning } from '../../../src/tcp/buffer/auto-tuning.ts'
import {
  MEMORY_CRITICAL,
  MEMORY_NORMAL,
  MEMORY_PRESSURE,
  MemoryBudget,
  TcpMemory,
} from '../../../src/tcp/buffer/memory-budget.ts'
import { instant } from '../../../src/tcp/segment.ts'
import { memoryOf } from '../support.ts'

describe('memory of all sockets', () => {
  it('has three levels, by its own bound and by the pool', () => {
    const pool = new FramePool(createPlainWindow(100), { deviceReserve: 20 })
    const memory = new TcpMemory(pool, 40)
    const budget = new MemoryBudget(memory, 10_000)
    const levels = [0, 29, 1, 9, 1].map((frames) => {
      budget.charge(frames)
      return memory.level
    })
    expect(levels).toEqual([MEMORY_NORMAL, MEMORY_NORMAL, MEMORY_PRESSURE, MEMORY_PRESSURE, MEMORY_CRITICAL])
    budget.credit(40)
    expect(memory.level).toBe(MEMORY_NORMAL)
    const taken: number[] = []
    while (pool.available > 30) taken.push(pool.allocate())
    expect(memory.level).toBe(MEMORY_PRESSURE)
    while (pool.available > 20) taken.push(pool.allocate())
    expect(memory.level).toBe(MEMORY_CRITICAL)
    for (const frame of taken) pool.release(frame)
    expect(memory.level).toBe(MEMORY_NORMAL)
  })
})

describe('a receive buffer', () => {
  it('grows to twice what is taken in a round trip, within its bound, and never shrinks', () => {
    const { budget } = memoryOf(4096)
    const tuning = new ReceiveTuning(64_000, 1_000_000, budget)
    const now = instant(0)
    const limit = budget.limit
    tuning.taken(10_000, 10_000, now)
    for (let round = 1; round < 8; round++) {
      now[0] = round * 10e6
      tuning.taken(40_000 * round, 10_000, now)
    }
    expect(tuning.size).toBe(560_000)
    expect(budget.limit).toBeGreaterThan(limit)
    for (let round = 8; round < 20; round++) {
      now[0] = round * 10e6
      tuning.taken(600_000, 10_000, now)
    }
    expect(tuning.size).toBe(1_000_000)
    now[0] = 1e12
    tuning.taken(1, 10_000, now)
    expect(tuning.size).toBe(1_000_000)
  })

  it('does not grow for a slow reader, nor under pressure', () => {
    const { budget, memory } = memoryOf(64)
    const tuning = new ReceiveTuning(64_000, 1_000_000, budget)
    const now = instant(0)
    for (let i = 0; i < 100; i++) {
      now[0] += 1e6
      tuning.taken(3000, 10_000, now)
    }
    expect(tuning.size).toBe(64_000)
    budget.charge(60)
    expect(memory.level).toBe(MEMORY_PRESSURE)
    for (let i = 0; i < 100; i++) {
      now[0] += 10e6
      tuning.taken(100_000, 10_000, now)
    }
    expect(tuning.size).toBe(64_000)
    budget.credit(60)
  })
})

describe('a send buffer', () => {
  it('is twice the congestion window, within its bound', () => {
    const { memory } = memoryOf(4096)
    const tuning = new SendTuning(64_000, 300_000, memory)
    expect([tuning.window(20_000), tuning.size]).toEqual([false, 64_000])
    expect([tuning.window(100_000), tuning.size]).toEqual([true, 200_000])
    expect([tuning.window(900_000), tuning.size]).toEqual([true, 300_000])
    expect([tuning.window(10_000), tuning.size]).toEqual([false, 300_000])
  })
})
