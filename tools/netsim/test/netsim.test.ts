import { describe, expect, it } from 'vitest'
import { goodputKey, keyOf, quickGrid, wholeGrid } from '../src/cases.ts'
import { jain } from '../src/fairness.ts'
import { html, markdown, renoBound, tables } from '../src/report.ts'
import { runCase } from '../src/run.ts'
import { difference, readSnapshot } from '../src/snapshot.ts'

/** What a cell may be away from the snapshot without a reason: chance plays another game after any change of the stack. */
const TOLERANCE = 0.25

const snapshot = readSnapshot()

describe('the grid in virtual time', () => {
  it.each(quickGrid().map((run) => [keyOf(run), run] as const))('%s', async (key, run) => {
    expect(snapshot, 'run `pnpm netsim --write`').toHaveProperty([key])
    expect(difference(snapshot[key], await runCase(run))).toBeLessThan(TOLERANCE)
  })

  it('gives the same figures every time', async () => {
    const [run] = quickGrid().filter((one) => keyOf(one).includes('cubic') && keyOf(one).includes('loss 0.1'))
    expect(await runCase(run)).toEqual(await runCase(run))
  })
})

describe('the snapshot', () => {
  const rate = (changes: Parameters<typeof goodputKey>[0]) => {
    const result = snapshot[goodputKey(changes)]
    if (result === undefined || !('goodput' in result)) throw new Error(`no ${goodputKey(changes)}`)
    return result.goodput / 1000
  }

  it('holds every case of the grid', () => {
    for (const run of wholeGrid()) expect(snapshot).toHaveProperty([keyOf(run)])
  })

  it('32 KiB and 100 ms: within 2 % of a window a round trip without loss', () => {
    for (const congestionControl of ['cubic', 'newreno', 'none'] as const) {
      expect(rate({ congestionControl })).toBeGreaterThan(0.98 * 327.68)
    }
  })

  it.each([
    [0.01, 220],
    [0.05, 77],
    [0.1, 38],
    [0.2, 6],
  ])('32 KiB and 100 ms, loss %f: ahead of %i kB/s without congestion control, as those are', (loss, theirs) => {
    expect(rate({ congestionControl: 'none', loss })).toBeGreaterThan(theirs)
  })

  it.each([
    [0.01, 0.9],
    [0.05, 0.85],
    [0.1, 0.7],
  ])('32 KiB and 100 ms, loss %f: CUBIC gets %f of what RFC 5681 allows at most', (loss, share) => {
    expect(rate({ loss })).toBeGreaterThan(share * renoBound(loss, 100, 32_768))
  })

  it('flows share a bottleneck', () => {
    for (const [key, result] of Object.entries(snapshot)) {
      if (!('index' in result) || !key.includes('20 s')) continue
      expect(result.index, key).toBeGreaterThan(0.9)
      expect(result.utilisation, key).toBeGreaterThan(0.8)
    }
  })

  it('reads as tables', () => {
    const all = tables(snapshot)
    for (const { rows, head } of all) {
      for (const row of rows) {
        expect(row.length).toBe(head.length)
        expect(row).not.toContain('-')
      }
    }
    expect(markdown(all)).toContain('| loss | smoltcp | cubic | newreno | none |')
    expect(html(all)).toContain('<th>smoltcp</th>')
  })
})

describe("Jain's index", () => {
  it('is 1 for equal shares and 1/n for one taker', () => {
    expect(jain([3, 3, 3])).toBe(1)
    expect(jain([5, 0, 0, 0, 0])).toBeCloseTo(0.2, 10)
  })
})
