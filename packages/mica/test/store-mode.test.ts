import { describe, expect, it } from 'vitest'
import { OP_DELETE, OP_GET, OP_SET, RESULT_INDEX_FULL, RESULT_NO_SPACE, RESULT_OK } from '../src/index.ts'
import { H_FREE_UNITS } from '../src/layout.ts'
import { listOf } from '../src/typescript/segregated-fit.ts'
import { Harness, KERNELS, keyOf, type Operation, pattern } from './support/harness.ts'
import { checkIntegrity } from './support/integrity.ts'

const get = (n: number): Operation => ({ opcode: OP_GET, key: keyOf(n) })
const set = (n: number, length = 8): Operation => ({ opcode: OP_SET, key: keyOf(n), value: pattern(length, n) })
const remove = (n: number): Operation => ({ opcode: OP_DELETE, key: keyOf(n) })

describe('free lists', () => {
  it('order blocks by size', () => {
    let last = -1
    for (let units = 3; units < 2 ** 28; units = units < 300 ? units + 1 : Math.floor(units * 1.07)) {
      const list = listOf(units)
      expect(list).toBeGreaterThanOrEqual(last)
      expect(list - last).toBeLessThanOrEqual(1)
      last = list
    }
    expect(last).toBeLessThan(128)
  })
})

describe.each(KERNELS)('store mode, %s kernel', (kernel) => {
  const create = (dataBytes: number, buckets: number, spareBuckets = 0.5) =>
    new Harness(kernel, 1 << 18, { mode: 'store', dataBytes, buckets, spareBuckets, maxValueBytes: 8192 })

  it('loses nothing, refuses when full, and takes again after deletes', () => {
    const harness = create(65_536, 256)
    let stored = 0
    while (harness.one(set(stored, 40)).result === RESULT_OK) stored++
    expect(harness.one(set(stored, 40)).result).toBe(RESULT_NO_SPACE)
    expect(stored).toBe(Math.floor((65_536 - 8) / 64))
    for (let n = 0; n < stored; n++) expect(harness.one(get(n)).value).toEqual(pattern(40, n))
    // A larger value does not fit, and the old one must survive the attempt.
    expect(harness.one(set(5, 48)).result).toBe(RESULT_NO_SPACE)
    expect(harness.one(get(5)).value).toEqual(pattern(40, 5))
    expect(harness.one(remove(7)).result).toBe(RESULT_OK)
    expect(harness.one(set(5, 40)).result).toBe(RESULT_OK)
    expect(harness.one(set(stored, 40)).result).toBe(RESULT_OK)
    expect(checkIntegrity(harness.memory, harness.partition)).toBe(stored)
  })

  it('coalesces freed neighbours back into one block', () => {
    const harness = create(65_536, 256)
    const header = new Int32Array(harness.memory.buffer, harness.partition.byteOffset, 64)
    const empty = header[H_FREE_UNITS]
    for (let n = 0; n < 300; n++) harness.one(set(n, (n * 37) % 150))
    // Odd ones first: no neighbours to join. Then the even ones join on both sides.
    for (let n = 1; n < 300; n += 2) harness.one(remove(n))
    checkIntegrity(harness.memory, harness.partition)
    for (let n = 0; n < 300; n += 2) {
      harness.one(remove(n))
      if (n % 50 === 0) checkIntegrity(harness.memory, harness.partition)
    }
    expect(header[H_FREE_UNITS]).toBe(empty)
    for (let n = 0; n < 7; n++) expect(harness.one(set(n, 8192)).result).toBe(RESULT_OK)
    checkIntegrity(harness.memory, harness.partition)
  })

  it('chains spare buckets, fills holes, gives spare buckets back, and refuses when there are none', () => {
    const harness = create(65_536, 2, 2)
    let stored = 0
    while (harness.one(set(stored)).result === RESULT_OK) stored++
    expect(harness.one(set(stored)).result).toBe(RESULT_INDEX_FULL)
    // Two main and four spare buckets of seven; one chain may have some slots left when the other is full.
    expect(stored).toBeGreaterThan(28)
    expect(harness.partition.statistics().spareBucketsInUse).toBe(4)
    for (let n = 0; n < stored; n += 3) harness.one(remove(n))
    checkIntegrity(harness.memory, harness.partition)
    for (let n = 0; n < stored; n++) expect(harness.one(get(n)).result === RESULT_OK).toBe(n % 3 !== 0)
    for (let n = 0; n < stored; n++) harness.one(remove(n))
    expect(harness.partition.statistics()).toMatchObject({ spareBucketsInUse: 0, items: 0 })
    for (let n = 100; n < 100 + stored - 14; n++) expect(harness.one(set(n)).result).toBe(RESULT_OK)
    checkIntegrity(harness.memory, harness.partition)
  })

  it('gives the rest of a block back when a value shrinks by half or more', () => {
    const harness = create(65_536, 16)
    for (let n = 0; n < 7; n++) expect(harness.one(set(n, 8192)).result).toBe(RESULT_OK)
    expect(harness.one(set(9, 8192)).result).toBe(RESULT_NO_SPACE)
    harness.one(set(3, 100))
    checkIntegrity(harness.memory, harness.partition)
    expect(harness.one(set(9, 8000)).result).toBe(RESULT_OK)
    expect(harness.one(get(3)).value).toEqual(pattern(100, 3))
    expect(checkIntegrity(harness.memory, harness.partition)).toBe(8)
  })

  it('reuses fragmented space over a long run', () => {
    const harness = create(65_536, 256)
    let state = 99
    const random = (n: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return (state >>> 8) % n
    }
    const lengths = new Map<number, number>()
    for (let n = 0; n < 60_000; n++) {
      const key = random(200)
      if (random(3) === 0) {
        expect(harness.one(remove(key)).result === RESULT_OK).toBe(lengths.delete(key))
      } else {
        const length = random(8) === 0 ? random(4000) : random(120)
        if (harness.one(set(key, length)).result === RESULT_OK) lengths.set(key, length)
      }
    }
    expect(checkIntegrity(harness.memory, harness.partition)).toBe(lengths.size)
    for (const [key, length] of lengths) expect(harness.one(get(key)).value).toEqual(pattern(length, key))
    expect(harness.partition.statistics().noSpace).toBeGreaterThan(0)
  })
})
