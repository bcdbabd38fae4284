import type { FairnessCase } from './fairness.ts'
import type { CongestionControl, GoodputCase } from './goodput.ts'

export const LOSSES = [0, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3]
export const BUFFERS = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 262_144]
export const ROUND_TRIPS = [1, 10, 50, 200]
export const REORDERINGS = [0, 0.001, 0.01, 0.05, 0.2]
export const FLOWS = [1, 2, 4, 8, 16, 32, 64]
export const CONTROLS: readonly CongestionControl[] = ['cubic', 'newreno', 'none']
/** Of the tables in which the buffer does not vary. */
export const LARGE_BUFFER = 262_144

/** A case of goodput with the transfers that it is the mean of. */
export interface GoodputRun {
  readonly kind: 'goodput'
  readonly one: GoodputCase
  readonly seeds: number
  readonly bytes: number
}

export interface FairnessRun {
  readonly kind: 'fairness'
  readonly one: FairnessCase
}

export type Run = GoodputRun | FairnessRun

const MIB = 1 << 20
const FULL = { seeds: 3, bytes: 10 * MIB }
const QUICK = { seeds: 3, bytes: 2 * MIB }

function goodputRun(changes: Partial<GoodputCase>, size: { seeds: number; bytes: number }): GoodputRun {
  const one = { congestionControl: 'cubic', buffer: 32_768, loss: 0, roundTrip: 100, reorder: 0, ...changes } as const
  // Without randomness all seeds give the same.
  return { kind: 'goodput', one, ...size, seeds: one.loss === 0 && one.reorder === 0 ? 1 : size.seeds }
}

/** The whole grid, as the report shows it. */
export function wholeGrid(): Run[] {
  const runs: Run[] = []
  for (const congestionControl of CONTROLS) {
    for (const buffer of BUFFERS) {
      for (const loss of LOSSES) runs.push(goodputRun({ congestionControl, buffer, loss }, FULL))
    }
    for (const reorder of REORDERINGS) {
      for (const roundTrip of [10, 100]) {
        for (const loss of [0, 0.01]) {
          runs.push(goodputRun({ congestionControl, buffer: LARGE_BUFFER, reorder, roundTrip, loss }, FULL))
        }
      }
    }
  }
  for (const roundTrip of ROUND_TRIPS) {
    for (const loss of LOSSES) runs.push(goodputRun({ buffer: LARGE_BUFFER, roundTrip, loss }, FULL))
  }
  for (const congestionControl of ['cubic', 'newreno'] as const) {
    for (const flows of FLOWS) runs.push({ kind: 'fairness', one: { congestionControl, flows, duration: 20 } })
  }
  return unique(runs)
}

/** What every run of the tests checks: a few cells of each table, with shorter transfers. */
export function quickGrid(): Run[] {
  const runs: Run[] = []
  for (const congestionControl of ['cubic', 'none'] as const) {
    for (const loss of [0, 0.01, 0.05, 0.1, 0.2]) runs.push(goodputRun({ congestionControl, loss }, QUICK))
  }
  runs.push(goodputRun({ congestionControl: 'newreno', loss: 0.01 }, QUICK))
  runs.push(goodputRun({ buffer: 4096, loss: 0.01 }, QUICK))
  runs.push(goodputRun({ buffer: LARGE_BUFFER, roundTrip: 10, loss: 0.001 }, QUICK))
  runs.push(goodputRun({ buffer: LARGE_BUFFER, reorder: 0.05 }, QUICK))
  for (const flows of [2, 8]) {
    runs.push({ kind: 'fairness', one: { congestionControl: 'cubic', flows, duration: 4 } })
  }
  return runs
}

/** Name of a case in the snapshot. */
export function keyOf(run: Run): string {
  if (run.kind === 'fairness') {
    const { congestionControl, flows, duration } = run.one
    return `fairness ${congestionControl} ${flows} flows ${duration} s`
  }
  const { congestionControl, buffer, loss, roundTrip, reorder } = run.one
  const size = `${run.bytes / MIB} MiB x ${run.seeds}`
  return `goodput ${congestionControl} buffer ${buffer} loss ${loss} rtt ${roundTrip} reorder ${reorder}, ${size}`
}

function unique(runs: readonly Run[]): Run[] {
  return [...new Map(runs.map((run) => [keyOf(run), run])).values()]
}

/** The case of the whole grid with these properties, by name. */
export function goodputKey(changes: Partial<GoodputCase>): string {
  return keyOf(goodputRun(changes, FULL))
}

export function fairnessKey(congestionControl: CongestionControl, flows: number): string {
  return keyOf({ kind: 'fairness', one: { congestionControl, flows, duration: 20 } })
}
