import { ClaimedCounters } from '@parakernel/hal'
import { LoopCounters } from '../loop/statistics.ts'
import type { PartitionStatistics } from '../partition/handle.ts'

/** Where the heartbeat lies, in bytes; `LoopCounters` begin at 0. */
const HEARTBEAT = 4096
export const HEARTBEAT_PERIOD = 100_000_000

/** Memory that a process writes and the control plane reads: what its loop counts, and when it last turned. */
export class StatusPage {
  readonly buffer: SharedArrayBuffer
  readonly #beat: Float64Array
  readonly #counters = new LoopCounters()
  readonly #claimed: ClaimedCounters

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#beat = new Float64Array(buffer, HEARTBEAT, 1)
    const all = new Float64Array(this.#counters.values.buffer)
    this.#claimed = new ClaimedCounters(new Float64Array(buffer, 0, all.length), all)
  }

  /** Nanoseconds of the monotonic clock, which is the same for all processes; 0 before the first. */
  get heartbeat(): number {
    const [time] = this.#beat
    return Number.isFinite(time) ? time : 0
  }

  set heartbeat(time: number) {
    this.#beat[0] = time
  }

  statistics(): Pick<PartitionStatistics, 'loop' | 'roundTimes'> {
    this.#claimed.refresh()
    return { loop: this.#counters.snapshot(), roundTimes: this.#counters.roundTimes.snapshot() }
  }
}
