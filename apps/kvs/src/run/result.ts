import type { NetStatistics } from '@parakernel/hal'
import type { Histogram } from '../load/histogram.ts'
import { LATENCY_UNIT, type LoadCounter } from '../load/load-statistics.ts'
import type { PartitionReport, Sample } from './sampler.ts'

/** Everything that a run came to: what the table, the report and `--json` are made of. */
export interface RunResult {
  readonly title: string
  /** What ran on what, as label and value. */
  readonly setting: readonly (readonly [label: string, value: string])[]
  readonly seconds: number
  readonly load: Readonly<Record<LoadCounter, number>>
  readonly latency: Latency
  readonly partitions: readonly PartitionReport[]
  readonly device: NetStatistics | undefined
  readonly samples: readonly Sample[]
}

/** Nanoseconds from the intended time of sending to the answer. */
export interface Latency {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly p9999: number
  readonly max: number
  /** Points of the whole distribution: share of operations above, latency. */
  readonly curve: readonly (readonly [above: number, nanoseconds: number])[]
}

export function latencyOf(histogram: Histogram): Latency {
  const at = (quantile: number) => histogram.quantile(quantile) * LATENCY_UNIT
  const curve: [number, number][] = []
  const total = histogram.total
  for (let above = 1; above >= 1 / Math.max(1, total) && above >= 1e-7; above /= 10 ** 0.125) {
    curve.push([above, at(1 - above)])
  }
  return {
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    p999: at(0.999),
    p9999: at(0.9999),
    max: histogram.max * LATENCY_UNIT,
    curve,
  }
}

/** Why the run failed; empty when everything was right. */
export function failuresOf(result: Pick<RunResult, 'load'>): string[] {
  const { operations, wrong, stale, timeouts, refused } = result.load
  const failures: string[] = []
  if (operations === 0) failures.push('no operation was answered')
  if (wrong > 0) failures.push(`${wrong} reads returned what was never written`)
  if (stale > 0) failures.push(`${stale} reads returned an old version`)
  if (timeouts > 0) failures.push(`${timeouts} operations were never answered`)
  if (refused > 0) failures.push(`${refused} operations were refused`)
  return failures
}
