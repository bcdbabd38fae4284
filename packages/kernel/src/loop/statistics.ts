import { Counters } from '@parakernel/hal'
import { HISTOGRAM_DOUBLES, LogHistogram } from './log-histogram.ts'

/** What a loop counts about itself, readable from any thread. */
export const LOOP_COUNTERS = [
  'rounds',
  /** Rounds that found work. */
  'busyRounds',
  /** Frames, messages and completions, as the pollables report them, with timers and deferred tasks. */
  'work',
  'timers',
  'sleeps',
  /** Sleeps that were not entered because `arm` found work. */
  'sleepsAvoided',
  /** Times that Node's own loop was let run. */
  'yields',
  /** Short sleeps without a wake-up, so that work gathers. */
  'gathers',
  /** Polls that did something, by how much: 1, 2 and 3, 4 to 7 and so on, the last one 128 and more. */
  'batches1',
  'batches2',
  'batches4',
  'batches8',
  'batches16',
  'batches32',
  'batches64',
  'batches128',
  /** Rounds in which a step took the thread longer than the loop's bound for stalls. */
  'stalls',
  /** Nanoseconds. */
  'longestStall',
  /** Rounds that took longer because the thread was not let run. */
  'preemptions',
] as const

export type LoopCounter = (typeof LOOP_COUNTERS)[number]
export type LoopStatistics = Record<LoopCounter, number>

export const ROUNDS = 0
export const BUSY_ROUNDS = 1
export const WORK = 2
export const TIMERS = 3
export const SLEEPS = 4
export const SLEEPS_AVOIDED = 5
export const YIELDS = 6
export const GATHERS = 7
/** The first of the batch counters, and how many there are. */
export const BATCHES = 8
export const BATCH_CLASSES = 8
export const STALLS = 16
export const LONGEST_STALL = 17
export const PREEMPTIONS = 18

const COUNTERS_BYTES = LOOP_COUNTERS.length * 8

/** The counters of one loop, and its histogram behind them in the same shared memory. */
export class LoopCounters extends Counters<LoopCounter> {
  /**
   * Nanoseconds from the start of a round with work to the start of the next round: how long what came in meanwhile had to
   * wait for a poll.
   */
  readonly roundTimes: LogHistogram

  constructor(buffer = new SharedArrayBuffer(COUNTERS_BYTES + HISTOGRAM_DOUBLES * 8)) {
    super(LOOP_COUNTERS, buffer)
    this.roundTimes = new LogHistogram(buffer, COUNTERS_BYTES)
  }
}

/** Sizes 1, 2 and 3, 4 to 7, ...: the class of a batch is the logarithm of its size. */
export function batchClass(size: number): number {
  return Math.min(31 - Math.clz32(size), BATCH_CLASSES - 1)
}
