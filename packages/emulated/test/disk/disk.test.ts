import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_MISCOMPARE,
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  createPlainWindow,
} from '@parakernel/hal'
import { describe, expect, test } from 'vitest'
import { EmulatedDisk } from '../../src/index.ts'
import { DiskLab } from './support.ts'

describe('commands', () => {
  test('write, read, compare, zeroes and deallocate do what they say', () => {
    const lab = new DiskLab()
    expect(lab.run(BLOCK_WRITE, 3, 2, 7)).toBe(0)
    expect(lab.bytes(2, 4)).toEqual([0, 7, 7, 0])
    const { frame } = lab.push(BLOCK_READ, 2, 4)
    lab.submit()
    expect(lab.completions()).toMatchObject([{ status: 0, result: 2048 }])
    const start = lab.pool.address(frame)
    expect([0, 512, 1024, 1536].map((at) => lab.pool.bytes[start + at])).toEqual([0, 7, 7, 0])
    expect(lab.run(BLOCK_COMPARE, 3, 2, 7)).toBe(0)
    expect(lab.run(BLOCK_COMPARE, 3, 3, 7)).toBe(BLOCK_MISCOMPARE)
    expect(lab.run(BLOCK_WRITE_ZEROES, 4, 1)).toBe(0)
    expect(lab.bytes(3, 2)).toEqual([7, 0])
    expect(lab.run(BLOCK_DEALLOCATE, 0, 64)).toBe(0)
    expect(lab.bytes(0, 64)).toEqual(new Array(64).fill(0))
  })

  test('what is outside the lease is refused, counted and never reaches the media', () => {
    const lab = new DiskLab({ queues: 2 })
    const grant = lab.disk.grant(1, { namespace: 1, firstLba: 8, blocks: 8 }, lab.pool.window)
    const queue = lab.disk.attach(grant, { pool: lab.pool, clock: lab.clock })
    const { burst } = lab
    for (const lba of [0, 7, 15, 16, 1e15, -1, 8.5, Number.NaN]) lab.push(BLOCK_WRITE, lba, 2, 9)
    lab.push(BLOCK_WRITE, 8, 2, 9)
    expect(queue.submit(burst)).toBe(9)
    expect(burst.refused).toBe(8)
    expect([...burst.flags.subarray(0, 9)].map((flags) => flags & BLOCK_REFUSED)).toEqual([
      ...new Array(8).fill(BLOCK_REFUSED),
      0,
    ])
    expect(queue.counters.snapshot()).toMatchObject({ refusedLease: 6, refusedInvalid: 2, submitted: 1 })
    expect(lab.bytes(0, 64).filter((byte) => byte !== 0)).toHaveLength(2)
  })

  test('namespaces lie behind each other and do not touch', () => {
    const disk = new EmulatedDisk({ namespaces: [4, 8], blockSize: 512 })
    expect([...disk.namespaces]).toEqual([
      [1, 4],
      [2, 8],
    ])
    expect(() => disk.grant(0, { namespace: 1, firstLba: 0, blocks: 5 }, createPlainWindow(1))).toThrow('EINVAL')
    expect(() => disk.grant(0, { namespace: 3, firstLba: 0, blocks: 1 }, createPlainWindow(1))).toThrow('EINVAL')
    expect(disk.grant(0, { namespace: 2, firstLba: 0, blocks: 8 }, createPlainWindow(1)).transport.base).toBe(4)
  })
})

describe('time', () => {
  test('commands run when they are due, out of the buffers as they are then', () => {
    const lab = new DiskLab({ latency: 1000 })
    const { frame } = lab.push(BLOCK_WRITE, 0, 1, 1)
    lab.submit()
    expect(lab.completions()).toEqual([])
    expect(lab.queue.nextEvent?.()).toBe(1000)
    lab.pool.bytes[lab.pool.address(frame)] = 2
    lab.clock.advanceTo(1000)
    expect(lab.completions()).toHaveLength(1)
    expect(lab.bytes(0, 1)).toEqual([2])
  })

  test.each([
    ['jitter', { latency: 100, jitter: 1000 }],
    ['reorder', { reorder: true }],
  ])('%s brings completions out of order, the same for the same seed', (_, options) => {
    const order = (seed: number) => {
      const lab = new DiskLab({ ...options, seed })
      for (let i = 0; i < 32; i++) lab.push(BLOCK_WRITE, i, 1, i)
      lab.submit()
      lab.clock.advance(10_000)
      return lab.completions().map(({ cookie }) => cookie)
    }
    const sorted = Array.from({ length: 32 }, (_, i) => i)
    expect(order(1)).not.toEqual(sorted)
    expect(order(1).sort((a, b) => a - b)).toEqual(sorted)
    expect(order(1)).toEqual(order(1))
    expect(order(1)).not.toEqual(order(2))
  })

  test('a full queue takes what it can hold', () => {
    const lab = new DiskLab({ queueDepth: 4, latency: 10 })
    for (let i = 0; i < 6; i++) lab.push(BLOCK_FLUSH, 0, 0)
    expect(lab.submit()).toBe(4)
    expect(lab.queue.counters.get('queueFull')).toBe(1)
  })
})

describe('ends', () => {
  test.each([
    ['removal', (lab: DiskLab) => lab.disk.remove(), -19],
    ['reclaim', (lab: DiskLab) => lab.disk.reclaim(lab.queue.grant), -125],
    ['close', (lab: DiskLab) => void lab.disk.close(), -125],
    ['power cut', (lab: DiskLab) => lab.disk.powerCut(Math.random), -19],
  ])('%s completes what is outstanding, each exactly once', (_, end, status) => {
    const lab = new DiskLab({ latency: 100, jitter: 100 })
    for (let i = 0; i < 10; i++) lab.push(BLOCK_READ, i, 1)
    lab.submit()
    lab.clock.advance(150)
    const before = lab.completions()
    end(lab)
    const after = lab.completions()
    expect(before.length).toBeGreaterThan(0)
    expect(after.length).toBe(10 - before.length)
    expect(after.every((one) => one.status === status)).toBe(true)
    expect(lab.completions()).toEqual([])
    lab.push(BLOCK_FLUSH, 0, 0)
    expect(lab.submit()).toBe(0)
    expect(lab.disk.statistics()).toMatchObject({ submitted: 10, completed: 10, failed: after.length })
  })
})

describe('the volatile cache', () => {
  /** What a power cut leaves of the first blocks, over many tries. */
  const outcomes = (prepare: (lab: DiskLab) => void, options = {}) => {
    const seen = new Set<string>()
    for (let seed = 1; seed <= 200; seed++) {
      const lab = new DiskLab({ ...options, seed })
      prepare(lab)
      let state = seed
      lab.disk.powerCut(() => {
        state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
        return (state >>> 8) / 0x80_0000
      })
      expect(lab.disk.dirtyBlocks).toBe(0)
      seen.add(lab.bytes(0, 4).join(' '))
    }
    return [...seen].sort()
  }

  test('what was flushed survives, what was not may be lost block by block', () => {
    const seen = outcomes((lab) => {
      lab.run(BLOCK_WRITE, 0, 2, 1)
      lab.run(BLOCK_FLUSH, 0, 0)
      lab.run(BLOCK_WRITE, 1, 2, 2)
    })
    expect(seen).toEqual(['1 1 0 0', '1 1 2 0', '1 2 0 0', '1 2 2 0'])
  })

  test('what was forced survives', () => {
    const seen = outcomes((lab) => {
      lab.run(BLOCK_WRITE, 0, 2, 1)
      lab.run(BLOCK_WRITE, 1, 1, 2, BLOCK_FUA)
      lab.run(BLOCK_WRITE_ZEROES, 2, 1, 0, BLOCK_FUA)
    })
    expect(seen).toEqual(['0 2 0 0', '1 2 0 0'])
  })

  test('each version of a block may be the one that is found', () => {
    const seen = outcomes((lab) => {
      for (const fill of [1, 2, 3]) lab.run(BLOCK_WRITE, 0, 1, fill)
    })
    expect(seen).toEqual(['0 0 0 0', '1 0 0 0', '2 0 0 0', '3 0 0 0'])
  })

  test('an atomic write is there whole or not at all, one across the boundary is not', () => {
    const atomic = { atomicUnit: 2, atomicBoundary: 2 }
    expect(outcomes((lab) => lab.run(BLOCK_WRITE, 0, 2, 1), atomic)).toEqual(['0 0 0 0', '1 1 0 0'])
    expect(outcomes((lab) => lab.run(BLOCK_WRITE, 1, 2, 1), atomic)).toHaveLength(4)
    expect(outcomes((lab) => lab.run(BLOCK_WRITE, 0, 4, 1), atomic)).toHaveLength(16)
  })

  test('an atomic write over others leaves no mixture that could not have been', () => {
    const seen = outcomes(
      (lab) => {
        lab.run(BLOCK_WRITE, 0, 2, 1)
        lab.run(BLOCK_WRITE, 1, 2, 2)
        lab.run(BLOCK_WRITE, 2, 1, 3)
      },
      { atomicUnit: 2 },
    )
    for (const state of seen)
      expect(['0 0 0 0', '1 1 0 0', '1 2 2 0', '0 2 2 0', '1 2 3 0', '0 0 3 0', '1 1 3 0', '0 2 3 0']).toContain(state)
    expect(seen.length).toBeGreaterThan(1)
  })

  test('writes under way are torn, also between the blocks of one', () => {
    const seen = outcomes(
      (lab) => {
        lab.push(BLOCK_WRITE, 0, 3, 5)
        lab.submit()
      },
      { latency: 1000 },
    )
    expect(seen).toHaveLength(8)
  })

  test('without one, completed writes stay', () => {
    const seen = outcomes((lab) => lab.run(BLOCK_WRITE, 0, 4, 1), { volatileCache: false })
    expect(seen).toEqual(['1 1 1 1'])
  })

  test('the disk works on after a power cut', () => {
    const lab = new DiskLab()
    lab.run(BLOCK_WRITE, 0, 1, 1, BLOCK_FUA)
    lab.disk.powerCut(Math.random)
    lab.reopen()
    expect(lab.run(BLOCK_COMPARE, 0, 1, 1)).toBe(0)
  })
})
