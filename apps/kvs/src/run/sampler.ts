import type { Machine } from '@parakernel/config'
import type { MicaStatistics } from '@parakernel/mica'
import type { Histogram } from '../load/histogram.ts'
import { LATENCY_UNIT, type LoadStatistics } from '../load/load-statistics.ts'
import type { ServerCounter } from '../server/counters.ts'

/** What a server partition answers to `statistics`. */
export interface PartitionReport {
  readonly store: MicaStatistics
  readonly server: Readonly<Record<ServerCounter, number>>
  readonly kernel: string
  readonly frames: { readonly exhausted: number; readonly available: number }
}

/** One interval of a run. Rates are operations a second, latencies nanoseconds. */
export interface Sample {
  /** Seconds since the measurement began. */
  readonly time: number
  readonly rate: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly partitions: readonly number[]
}

/** Watches a run from the control thread: throughput, latency and partitions, interval by interval. */
export class Sampler {
  readonly samples: Sample[] = []
  readonly #statistics: LoadStatistics
  readonly #server: Machine | undefined
  readonly #start = performance.now()
  #last = this.#start
  #operations = 0
  #latency: Uint32Array
  #partitions: number[] = []

  constructor(statistics: LoadStatistics, server: Machine | undefined) {
    this.#statistics = statistics
    this.#server = server
    this.#latency = statistics.latency.counts.slice()
    this.#operations = statistics.counters.get('operations')
  }

  /** Ends an interval. Call it at the start of the measurement once, and then as often as there shall be samples. */
  async sample(): Promise<Sample> {
    const reports = await partitionReports(this.#server)
    const now = performance.now()
    const seconds = Math.max(1e-3, (now - this.#last) / 1000)
    const operations = this.#statistics.counters.get('operations')
    const interval: Histogram = this.#statistics.latency.since(this.#latency)
    const totals = reports.map(({ store }) => store.requests)
    const sample: Sample = {
      time: (now - this.#start) / 1000,
      rate: (operations - this.#operations) / seconds,
      p50: interval.quantile(0.5) * LATENCY_UNIT,
      p99: interval.quantile(0.99) * LATENCY_UNIT,
      p999: interval.quantile(0.999) * LATENCY_UNIT,
      partitions: totals.map((total, i) => (total - (this.#partitions[i] ?? total)) / seconds),
    }
    this.#last = now
    this.#operations = operations
    this.#latency = this.#statistics.latency.counts.slice()
    const first = this.#partitions.length === 0 && totals.length > 0
    this.#partitions = totals
    if (!first) this.samples.push(sample)
    return sample
  }
}

export async function partitionReports(server: Machine | undefined): Promise<PartitionReport[]> {
  if (server === undefined) return []
  return Promise.all(Array.from({ length: server.partitions }, (_, p) => server.call<PartitionReport>(p, 'statistics')))
}
