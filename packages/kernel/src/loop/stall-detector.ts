import type { Clock } from '@parakernel/hal'
import { LONGEST_STALL, PREEMPTIONS, STALLS } from './statistics.ts'

/**
 * Twice the 5 ms within which a loop promises Node's timers and signals their turn, and more than the engine's usual pauses for
 * garbage, which count as the step's in which they fall.
 */
export const DEFAULT_STALL_BOUND = 10_000_000
/** Nanoseconds between two looks at the thread's CPU time, 1 us each. */
const SLICE = 2_500_000
/** Nanoseconds for which steps are timed one by one, after a stall that several of them may have caused. */
const PROBE_TIME = 2_000_000_000
const MOST_SUSPECTS = 16

/** A round of the loop in which a step took too long. */
export interface Stall {
  /** Nanoseconds from the start of the round to its end. */
  readonly duration: number
  /** How much of it the thread spent on a processor, at the least; undefined where Node cannot tell (before 23.9). */
  readonly cpu: number | undefined
  /** The pollable, timer or deferred task, when only one can have been it; the next stall within two seconds always names it. */
  readonly step: string | undefined
  /** Whoever did something in that round: up to 16. */
  readonly suspects: readonly string[]
}

export interface StallOptions {
  /** Nanoseconds; default 10 ms. `Infinity`: never. */
  readonly bound?: number
  /** Called at the start of the round that follows. */
  readonly report?: (stall: Stall) => void
}

/**
 * Notices rounds that take too long by the clock reading with which the next round begins. A thread that was not let run is no
 * stall of its own: only when the time is over the bound the CPU time of the thread is asked for, and compared with what it was
 * at most a slice before the round began. What the thread cannot have worked is counted as preemption.
 */
export class StallDetector {
  readonly bound: number
  last: Stall | undefined
  /** While steps are timed one by one. */
  probe: StepTimer | undefined
  readonly #slice: number
  readonly #report: ((stall: Stall) => void) | undefined
  readonly #clock: Clock
  readonly #counts: Float64Array
  #probeUntil = 0
  #cpu: number | undefined
  #cpuAt = 0

  constructor({ bound = DEFAULT_STALL_BOUND, report }: StallOptions, clock: Clock, counts: Float64Array) {
    this.bound = bound
    this.#slice = Math.min(SLICE, bound / 4)
    this.#report = report
    this.#clock = clock
    this.#counts = counts
  }

  /**
   * A round begins at `now`, and the last look is a slice ago: a round that takes longer than the bound always ends with a look.
   * @param since start of the last round, or -1 when the thread did something else in between
   * @param suspects names what may have taken the time
   * @returns when to look again
   */
  look(now: number, since: number, suspects: () => string[]): number {
    if (since >= 0 && now - since > this.bound) this.#judge(now, since, suspects)
    this.#cpu = threadCpu()
    this.#cpuAt = now
    if (this.probe !== undefined && now > this.#probeUntil) this.probe = undefined
    return now + this.#slice
  }

  #judge(now: number, since: number, suspects: () => string[]): void {
    const used = threadCpu()
    const cpu =
      used === undefined || this.#cpu === undefined ? undefined : Math.max(0, used - this.#cpu - (since - this.#cpuAt))
    if (cpu !== undefined && cpu < this.bound) {
      this.#counts[PREEMPTIONS]++
      return
    }
    const duration = now - since
    this.#counts[STALLS]++
    if (duration > this.#counts[LONGEST_STALL]) this.#counts[LONGEST_STALL] = duration
    const probed = this.probe?.longest
    const names = probed === undefined ? suspects() : [probed]
    const step = names.length === 1 ? names[0] : undefined
    if (step === undefined) {
      this.#probeUntil = now + PROBE_TIME
      this.probe ??= new StepTimer(this.#clock)
    }
    this.last = { duration, cpu, step, suspects: names.slice(0, MOST_SUSPECTS) }
    this.#report?.(this.last)
  }
}

/** Times the steps of a round, and keeps the name of the longest. */
export class StepTimer {
  longest: string | undefined
  readonly #clock: Clock
  #mark = 0
  #most = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begin(now: number): void {
    this.longest = undefined
    this.#mark = now
    this.#most = 0
  }

  /** A step is over. `name` is asked for only when it was the longest so far. */
  step(name: () => string): void {
    const now = this.#clock.now()
    const duration = now - this.#mark
    this.#mark = now
    if (duration <= this.#most) return
    this.#most = duration
    this.longest = name()
  }
}

export function functionName(what: 'timer' | 'task', run: { readonly name: string } | undefined): string {
  const name = run?.name ?? ''
  return name === '' ? what : `${what} ${name}`
}

/** Nanoseconds that this thread has spent on a processor. */
function threadCpu(): number | undefined {
  if (process.threadCpuUsage === undefined) return undefined
  // Linux brings the account of a running thread up to date when the process's is asked for.
  process.cpuUsage()
  const { user, system } = process.threadCpuUsage()
  return (user + system) * 1000
}
