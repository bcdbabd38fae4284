import { describe, expect, it } from 'vitest'
import { OP_DELETE, OP_GET, OP_SET, RESULT_NOT_FOUND, RESULT_OK } from '../src/index.ts'
import { H_HEAD, H_SWEEP_STEP, H_SWEEP_TAIL, H_TAIL } from '../src/layout.ts'
import { Harness, KERNELS, keyOf, type Operation, pattern } from './support/harness.ts'
import { checkIntegrity } from './support/integrity.ts'
import { Model } from './support/model.ts'

const get = (n: number): Operation => ({ opcode: OP_GET, key: keyOf(n) })
const set = (n: number, length = 8): Operation => ({ opcode: OP_SET, key: keyOf(n), value: pattern(length, n) })

describe.each(KERNELS)('cache mode, %s kernel', (kernel) => {
  it('stays right over two million requests and hundreds of wraps of the log', () => {
    const harness = new Harness(kernel, 1 << 17, { dataBytes: 32_768, buckets: 128, maxValueBytes: 512 })
    const model = new Model(true, 512)
    let state = 12345
    const random = (n: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return (state >>> 8) % n
    }
    for (let burst = 0; burst < 2000; burst++) {
      const operations: Operation[] = []
      for (let i = 0; i < 64; i++) operations.push(random(3) === 0 ? set(random(1500), random(120)) : get(random(1500)))
      const responses = harness.run(operations, 0, 16)
      for (let i = 0; i < 64; i++) model.check(operations[i], responses[i], 0)
      if (burst % 100 === 0) checkIntegrity(harness.memory, harness.partition)
    }
    // Without the model's checks, on the same partition, for the bulk of the wraps.
    const { batch, partition } = harness
    harness.fill(Array.from({ length: 64 }, (_, i) => set(i, 60)))
    const view = new DataView(harness.memory.buffer)
    for (let burst = 0; burst < 30_000; burst++) {
      for (let i = 0; i < 64; i++) {
        view.setUint32(batch.keyAddress[i], random(5000), true)
        batch.hashLo[i] = random(1 << 24) * 97
        batch.hashHi[i] = random(1 << 24) * 89
      }
      partition.prepare(batch, 0)
      partition.execute(batch, 0, 64, 4096 + (1 << 17) + 8192, 4096 + (1 << 17) + 65_536, 0)
    }
    checkIntegrity(harness.memory, partition)
    const { requests, logEvictions, indexEvictions } = partition.statistics()
    expect(requests).toBeGreaterThanOrEqual(2_000_000)
    expect(logEvictions).toBeGreaterThan(100_000)
    expect(indexEvictions).toBeGreaterThan(10_000)
  })

  it('survives the wrap of positions, and sweeps stale entries before they could come back to life', () => {
    const harness = new Harness(kernel, 1 << 17, { dataBytes: 4096, buckets: 16, maxValueBytes: 256 })
    const { memory, partition } = harness
    const header = new Int32Array(memory.buffer, partition.byteOffset, 64)
    header[H_HEAD] = header[H_TAIL] = header[H_SWEEP_TAIL] = -700
    header[H_SWEEP_STEP] = 512
    const model = new Model(true, 256)
    for (let burst = 0; burst < 400; burst++) {
      const operations = Array.from({ length: 32 }, (_, i) => (i % 2 ? set((burst * 7 + i) % 300, i * 6) : get(i)))
      const responses = harness.run(operations)
      for (let i = 0; i < 32; i++) model.check(operations[i], responses[i], 0)
    }
    checkIntegrity(memory, partition)
    expect(header[H_TAIL]).toBeGreaterThan(0)
    expect(partition.statistics().staleSwept).toBeGreaterThan(0)
    // After one whole period without any other use, not one stale entry is left.
    for (let n = 0; n < 600; n++) harness.run([set(1000, 200), { opcode: OP_DELETE, key: keyOf(1000) }])
    const index = new Int32Array(memory.buffer, partition.byteOffset + partition.geometry.indexOffset, 16 * 16)
    let entries = 0
    for (let bucket = 0; bucket < 16; bucket++)
      for (let slot = 2; slot < 9; slot++) if (index[bucket * 16 + slot] !== 0) entries++
    expect(entries).toBe(checkIntegrity(memory, partition))
  })

  it('evicts the oldest entry of a full bucket', () => {
    const harness = new Harness(kernel, 1 << 17, { buckets: 1, dataBytes: 8192, moveToHead: 1 })
    for (let n = 0; n < 8; n++) harness.one(set(n))
    expect(harness.one(get(0)).result).toBe(RESULT_NOT_FOUND)
    for (let n = 1; n < 8; n++) expect(harness.one(get(n)).result).toBe(RESULT_OK)
    expect(harness.partition.statistics()).toMatchObject({ indexEvictions: 1, logEvictions: 0, items: 7 })
  })

  it.each([
    // The log holds 16 of these items (256 bytes each); key 0 is read after each insert.
    ['LRU', 0, true],
    ['approximate LRU', 0.5, true],
    ['FIFO', 1, false],
  ])('%s keeps a used item: threshold %s, %s', (_, moveToHead, kept) => {
    const harness = new Harness(kernel, 1 << 17, { buckets: 64, dataBytes: 4096, moveToHead, maxValueBytes: 512 })
    harness.one(set(0, 232))
    for (let n = 1; n < 40; n++) {
      harness.one(set(n, 232))
      harness.one(get(0))
    }
    expect(harness.one(get(0)).result === RESULT_OK).toBe(kept)
    expect(harness.partition.statistics().movedToHead > 0).toBe(kept)
    checkIntegrity(harness.memory, harness.partition)
  })

  it('moves the very last item of a full log to its head without losing it', () => {
    for (const length of [232, 200, 170, 100, 40]) {
      const harness = new Harness(kernel, 1 << 17, {
        buckets: 64,
        dataBytes: 4096,
        moveToHead: 0.9,
        maxValueBytes: 512,
      })
      const items = Math.floor(4096 / (24 + Math.ceil(length / 8) * 8))
      for (let n = 0; n < items; n++) harness.one(set(n, length))
      for (let round = 0; round < 3; round++) {
        const response = harness.one(get(round))
        if (response.result === RESULT_OK) expect(response.value).toEqual(pattern(length, round))
        checkIntegrity(harness.memory, harness.partition)
      }
      expect(harness.partition.statistics().movedToHead).toBeGreaterThan(0)
    }
  })

  it('a ghost does not answer, and its slot is used again', () => {
    const harness = new Harness(kernel, 1 << 17, { buckets: 1, dataBytes: 4096, moveToHead: 1, maxValueBytes: 512 })
    harness.one(set(1, 400))
    for (let n = 0; n < 12; n++) harness.one(set(2, 300 + n * 8))
    expect(harness.one(get(1)).result).toBe(RESULT_NOT_FOUND)
    expect(harness.partition.statistics()).toMatchObject({ staleCleared: 1, logEvictions: 1 })
    expect(harness.one(set(1)).result).toBe(RESULT_OK)
    expect(checkIntegrity(harness.memory, harness.partition)).toBe(2)
  })
})
