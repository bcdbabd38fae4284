import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { H_HEAD, H_SWEEP_STEP, H_SWEEP_TAIL, H_TAIL } from '../src/layout.ts'
import { StoreMemory } from '../src/typescript/store-memory.ts'
import { TypeScriptKernel } from '../src/typescript/typescript-kernel.ts'
import { WasmKernel } from '../src/wasm/wasm-kernel.ts'
import { Harness, keyOf, type Operation, pattern } from './support/harness.ts'
import { checkIntegrity } from './support/integrity.ts'
import { Model } from './support/model.ts'

const operation = fc.record({
  opcode: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(1, 2) },
    { weight: 3, arbitrary: fc.integer({ min: -1, max: 15 }) },
  ),
  key: fc.nat(60),
  keyLength: fc.constantFrom(0, 4, 7, 8, 8, 8, 12, 16, 255, 256),
  length: fc.oneof(fc.constant(8), fc.nat(16), fc.nat(300), fc.nat(1200)),
  seed: fc.nat(9),
  ttl: fc.constantFrom(0, 0, 0, 1, 5),
  flags: fc.constantFrom(0, 0, 0, -1, 99),
  operand: fc.oneof(fc.bigInt({ min: 0n, max: 30n }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
})

const plan = fc.record({
  bursts: fc.array(fc.array(operation, { minLength: 1, maxLength: 40, size: 'max' }), { maxLength: 12, size: 'max' }),
  mode: fc.constantFrom('cache' as const, 'store' as const),
  concurrency: fc.constantFrom('EREW' as const, 'CREW' as const),
  hashing: fc.constantFrom('trust' as const, 'compute' as const),
  moveToHead: fc.constantFrom(0, 0.3, 1),
  buckets: fc.constantFrom(1, 2, 16),
  packet: fc.integer({ min: 1, max: 40 }),
  skew: fc.nat(7),
  gap: fc.constantFrom(0, 3, 8, 24),
  room: fc.constantFrom(200, 4000, 60_000),
  stopWhenFull: fc.boolean(),
  nearWrap: fc.boolean(),
})

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never

/** Runs the plan and returns the whole memory: partition, batch columns and output area. */
function play(kernel: 'typescript' | 'wasm', p: Plan): Uint8Array {
  const harness = new Harness(kernel, 40_960, {
    mode: p.mode,
    concurrency: p.concurrency,
    hashing: p.hashing,
    moveToHead: p.moveToHead,
    buckets: p.buckets,
    spareBuckets: 1,
    maxValueBytes: 1000,
    dataBytes: 8192,
  })
  harness.skew = p.skew
  const { partition, batch } = harness
  if (p.mode === 'cache') {
    const header = new Int32Array(harness.memory.buffer, partition.byteOffset, 64)
    // A short sweep period, and positions that wrap during the run: both are far away otherwise.
    header[H_SWEEP_STEP] = 64
    if (p.nearWrap) header[H_HEAD] = header[H_TAIL] = header[H_SWEEP_TAIL] = -1024
  }
  batch.stopWhenFull = p.stopWhenFull
  const out = harness.memory.buffer.byteLength - 61_000 + p.skew
  let now = 50
  for (const burst of p.bursts) {
    const operations: Operation[] = burst.map((o) => ({
      opcode: o.opcode,
      key: o.keyLength < 4 ? new Uint8Array(o.keyLength) : keyOf(o.key, o.keyLength),
      value: pattern(o.length, o.seed),
      flags: o.flags,
      expiresAt: o.ttl === 0 ? 0 : now + o.ttl,
      operand: o.operand,
    }))
    harness.fill(operations)
    partition.prepare(batch, now++)
    for (let from = 0; from < operations.length; ) {
      const to = Math.min(from + p.packet, operations.length)
      const room = Math.max(p.room, p.gap * p.packet)
      const next = partition.execute(batch, from, to, out, out + room, p.gap)
      if (!p.stopWhenFull && next !== to) throw new Error('stopped without being asked to')
      if (next <= from || next > to) throw new Error('no progress')
      if (batch.outEnd > out + room) throw new Error('wrote beyond the limit')
      from = next
    }
  }
  return harness.bytes
}

describe('the two kernels', () => {
  it('leave the same bytes everywhere', () => {
    fc.assert(
      fc.property(plan, (p) => {
        const a = play('typescript', p)
        const b = play('wasm', p)
        const difference = Buffer.compare(a, b) === 0 ? -1 : a.findIndex((byte, i) => byte !== b[i])
        expect(difference).toBe(-1)
      }),
      { numRuns: 1000 },
    )
  })

  it('take turns on one partition', () => {
    const harness = new Harness('typescript', 40_960, { buckets: 4, dataBytes: 8192, maxValueBytes: 1000 })
    const { memory, partition, batch } = harness
    const store = new StoreMemory(memory, partition.byteOffset)
    const kernels = [new TypeScriptKernel(store), new WasmKernel(memory, partition.byteOffset)]
    const model = new Model(true, 1000)
    for (let burst = 0; burst < 2000; burst++) {
      const operations: Operation[] = []
      for (let i = 0; i < 16; i++) {
        const n = burst * 16 + i
        operations.push({ opcode: (n * 7) % 3 === 0 ? 2 : 1, key: keyOf((n * 13) % 50), value: pattern(n % 90, n) })
      }
      harness.fill(operations)
      // One finds the slots, the other uses them.
      kernels[burst & 1].prepare(batch)
      kernels[(burst >> 1) & 1].execute(batch, 0, 16, memory.buffer.byteLength - 8192, memory.buffer.byteLength, 8)
      for (let i = 0; i < 16; i++) model.check(operations[i], harness.response(i), 0)
    }
    checkIntegrity(memory, partition)
    expect(partition.statistics().hits).toBeGreaterThan(5000)
  })
})
