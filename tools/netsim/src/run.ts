import type { Run } from './cases.ts'
import { fairness } from './fairness.ts'
import { goodput } from './goodput.ts'

/** Seconds of virtual time after which a transfer is measured as far as it got. */
const LIMIT = 20_000

/** What a case gave: `goodput` in bytes a second, or the three figures of a fairness case. */
export type Result =
  | { readonly goodput: number }
  | { readonly index: number; readonly utilisation: number; readonly drops: number }

export type Results = Record<string, Result>

/** Runs one case; the same figures every time. */
export async function runCase(run: Run): Promise<Result> {
  if (run.kind === 'fairness') {
    const { index, utilisation, drops } = await fairness(run.one, 1)
    return { index: round(index, 4), utilisation: round(utilisation, 4), drops: round(drops, 5) }
  }
  let sum = 0
  for (let seed = 1; seed <= run.seeds; seed++) sum += await goodput(run.one, seed, run.bytes, LIMIT)
  return { goodput: Math.round(sum / run.seeds) }
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}
