import { Counters } from '@parakernel/hal'

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

export class LoopCounters extends Counters<LoopCounter> {
  constructor(buffer?: SharedArrayBuffer) {
    super(LOOP_COUNTERS, buffer)
  }
}
