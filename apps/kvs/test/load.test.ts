import { describe, expect, it } from 'vitest'
import { Dataset, READ_RIGHT, READ_STALE, READ_WRONG } from '../src/load/dataset.ts'
import { Histogram } from '../src/load/histogram.ts'
import { LatestChoice, ScrambledZipfChoice, scramble, UniformChoice, ZipfRanks } from '../src/load/key-choice.ts'
import { Random } from '../src/load/random.ts'
import { WORKLOADS, workloadByName } from '../src/load/workload.ts'

describe('histogram', () => {
  it('knows every value to 1.6 %', () => {
    const histogram = new Histogram()
    const random = new Random(1)
    const values: number[] = []
    for (let i = 0; i < 20_000; i++) {
      const value = Math.floor(2 ** (random.unit() * 30))
      values.push(value)
      histogram.record(value)
    }
    values.sort((a, b) => a - b)
    for (const quantile of [0.01, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = values[Math.ceil(quantile * values.length) - 1]
      const got = histogram.quantile(quantile)
      expect(got).toBeGreaterThanOrEqual(exact)
      expect(got).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 1)
    }
    expect(histogram.total).toBe(20_000)
    const before = histogram.counts.slice()
    histogram.record(-5)
    histogram.record(0x7fffffff)
    expect(histogram.since(before).total).toBe(2)
    expect(histogram.max).toBe(0x7fffffff)
  })
})

describe('key choices', () => {
  const draw = (choice: { next(random: Random): number }, count: number, draws = 200_000) => {
    const random = new Random(9)
    const seen = new Float64Array(count)
    for (let i = 0; i < draws; i++) seen[choice.next(random)]++
    return seen.map((n) => n / draws)
  }

  it('draws Zipf ranks with the probabilities of the formula', () => {
    const count = 1000
    let sum = 0
    for (let k = 1; k <= count; k++) sum += 1 / k ** 0.99
    const seen = draw(new ZipfRanks(count, 0.99), count)
    for (const k of [1, 2, 3, 10, 100]) expect(seen[k - 1]).toBeCloseTo(1 / k ** 0.99 / sum, 2)
    expect(seen.every((share) => share >= 0)).toBe(true)
  })

  it('scrambles without losing or doubling a key', () => {
    for (const count of [1, 2, 7, 100, 4097]) {
      expect(new Set(Array.from({ length: count }, (_, rank) => scramble(rank, count))).size).toBe(count)
    }
    const seen = draw(new ScrambledZipfChoice(1000, 0.99, new Random(3)), 1000)
    expect(Math.max(...seen)).toBeGreaterThan(0.1)
  })

  it('is uniform, or prefers the latest', () => {
    const uniform = draw(new UniformChoice(10), 10)
    for (const share of uniform) expect(share).toBeCloseTo(0.1, 2)
    const latest = new LatestChoice(50, 0.99)
    latest.grow(100)
    const seen = draw(latest, 100)
    expect(seen[99]).toBe(Math.max(...seen))
  })
})

describe('dataset', () => {
  it('recognises its values and nothing else', () => {
    for (const [keyBytes, valueBytes] of [
      [8, 8],
      [16, 100],
      [24, 1000],
      [9, 13],
    ]) {
      const dataset = new Dataset(100, keyBytes, valueBytes)
      dataset.issued[5] = 3
      const words = new Int32Array(300)
      dataset.writeValue(words, 0, 5, 2)
      expect(dataset.check(words, 0, valueBytes, 5, 2)).toBe(READ_RIGHT)
      expect(dataset.check(words, 0, valueBytes, 5, 3)).toBe(READ_STALE)
      expect(dataset.check(words, 0, valueBytes, 6, 0)).toBe(READ_WRONG)
      expect(dataset.check(words, 0, valueBytes - 1, 5, 0)).toBe(READ_WRONG)
      dataset.issued[5] = 1
      expect(dataset.check(words, 0, valueBytes, 5, 0)).toBe(READ_WRONG)
      dataset.issued[5] = 3
      for (let w = 0; w < valueBytes >> 2; w++) {
        words[w] ^= 0x100
        expect(dataset.check(words, 0, valueBytes, 5, 0)).toBe(READ_WRONG)
        words[w] ^= 0x100
      }
      const keys = new Set<string>()
      for (let key = 0; key < 100; key++) {
        dataset.writeKey(words, 0, key)
        keys.add(Buffer.from(words.buffer, 0, keyBytes).toString('hex'))
      }
      expect(keys.size).toBe(100)
    }
  })
})

describe('workloads', () => {
  it('have shares that add up, and names', () => {
    for (const { mix, name } of WORKLOADS) {
      expect(mix.read + mix.update + mix.insert + mix.readModifyWrite).toBeCloseTo(1)
      expect(workloadByName(name).name).toBe(name)
    }
    expect(() => workloadByName('ycsb-e')).toThrow(/there is no workload/)
  })
})
