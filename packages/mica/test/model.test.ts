import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MicaMode } from '../src/index.ts'
import { Harness, KERNELS, keyOf, type Operation, pattern } from './support/harness.ts'
import { checkIntegrity } from './support/integrity.ts'
import { Model } from './support/model.ts'

/** A request in small numbers, which shrink well. */
interface Draft {
  opcode: number
  key: number
  length: number
  seed: number
  ttl: number
  flags: number
  rightVersion: boolean
}

const draft: fc.Arbitrary<Draft> = fc.record({
  opcode: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(1, 2) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 13 }) },
  ),
  key: fc.nat(40),
  length: fc.oneof(fc.constant(8), fc.constant(0), fc.nat(40), fc.nat(900)),
  seed: fc.nat(255),
  ttl: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 6 }) }),
  flags: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(0x7fffffff) }),
  rightVersion: fc.boolean(),
})

const plan = fc.record({
  bursts: fc.array(fc.array(draft, { minLength: 1, maxLength: 48, size: 'max' }), {
    minLength: 1,
    maxLength: 14,
    size: 'max',
  }),
  packet: fc.integer({ min: 1, max: 48 }),
  skew: fc.nat(7),
  moveToHead: fc.constantFrom(0, 0.5, 1),
  buckets: fc.constantFrom(1, 4),
  crew: fc.boolean(),
})

const KEY_LENGTHS = [4, 5, 7, 8, 9, 16, 31, 255]

function toOperation(d: Draft, model: Model, now: number): Operation {
  const key = keyOf(d.key, KEY_LENGTHS[d.key % KEY_LENGTHS.length])
  const version = model.entries.get(Buffer.from(key).toString('hex'))?.version ?? 0n
  const isCas = d.opcode === 6
  return {
    opcode: d.opcode,
    key,
    value: pattern(d.length, d.seed),
    flags: d.flags,
    expiresAt: d.ttl === 0 ? 0 : now + d.ttl,
    operand: isCas ? version + (d.rightVersion ? 0n : 1n) : BigInt(d.seed) << BigInt(d.seed & 31),
  }
}

describe.each(KERNELS)('%s kernel against a model', (kernel) => {
  it.each<MicaMode>(['cache', 'store'])('%s mode: never wrong', (mode) => {
    let evictions = 0
    let refusals = 0
    fc.assert(
      fc.property(plan, ({ bursts, packet, skew, moveToHead, buckets, crew }) => {
        const harness = new Harness(kernel, 40_960, {
          mode,
          moveToHead,
          buckets,
          spareBuckets: 1,
          maxValueBytes: 700,
          dataBytes: mode === 'cache' ? 8192 : 4096,
          concurrency: crew ? 'CREW' : 'EREW',
        })
        harness.skew = skew
        const model = new Model(mode === 'cache', 700)
        let now = 1000
        for (const burst of bursts) {
          now += 1
          // A CAS operand comes from the model's state before the burst, so some are outdated: that is wanted.
          const operations = burst.map((d) => toOperation(d, model, now))
          const responses = harness.run(operations, now, packet)
          for (const [i, operation] of operations.entries()) model.check(operation, responses[i], now)
          checkIntegrity(harness.memory, harness.partition)
        }
        const statistics = harness.partition.statistics()
        evictions += statistics.logEvictions + statistics.indexEvictions
        refusals += statistics.noSpace + statistics.indexFull
      }),
      { numRuns: 1000 },
    )
    // The sizes above are chosen so that the interesting paths are taken; if not, the test tests nothing.
    if (mode === 'cache') expect(evictions).toBeGreaterThan(10_000)
    else expect(refusals).toBeGreaterThan(1000)
  })
})
