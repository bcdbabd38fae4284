import { Counters } from '@parakernel/hal'

/** What one partition counts about steering. Every packet that its device brings ends in `kept`, `handedOver` or a `dropped*`. */
export const STEERING_COUNTERS = [
  /** Its own, and those that no rule names. */
  'kept',
  'handedOver',
  /** Another's, whose ring was full: it does not keep up, and must not hold up this one. */
  'droppedRingFull',
  /** Another's, in more frames than its ring has slots. */
  'droppedTooLong',
  /** That others handed over to it. */
  'takenOver',
] as const

export type SteeringCounter = (typeof STEERING_COUNTERS)[number]
export type SteeringStatistics = Record<SteeringCounter, number>

export const KEPT = 0
export const HANDED_OVER = 1
export const DROPPED_RING_FULL = 2
export const DROPPED_TOO_LONG = 3
export const TAKEN_OVER = 4

export class SteeringCounters extends Counters<SteeringCounter> {
  constructor(buffer?: SharedArrayBuffer) {
    super(STEERING_COUNTERS, buffer)
  }
}

/** The share of the packets that devices brought to the wrong partition, from 0 to 1. */
export function misroutedShare(partitions: readonly SteeringStatistics[]): number {
  let kept = 0
  let misrouted = 0
  for (const one of partitions) {
    kept += one.kept
    misrouted += one.handedOver + one.droppedRingFull + one.droppedTooLong
  }
  return kept + misrouted === 0 ? 0 : misrouted / (kept + misrouted)
}
