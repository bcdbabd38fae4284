import type { WaitPolicy } from '../contracts.ts'

/** About what a sleep and a wake-up cost together; spinning for longer than that gains nothing on average. */
export const DEFAULT_SPIN = 50_000
/** About as much again as the host's timers are late by. */
export const DEFAULT_GATHER = 50_000

/** Nanoseconds without work after which a loop sleeps. */
export function spinBudget(policy: WaitPolicy): number {
  if (policy.kind === 'spin') return Infinity
  return policy.kind === 'sleep' ? 0 : (policy.spin ?? DEFAULT_SPIN)
}

/** Nanoseconds of a gathering sleep, 0 for none. */
export function gatherTime(policy: WaitPolicy): number {
  return policy.kind === 'hybrid' ? (policy.gather ?? DEFAULT_GATHER) : 0
}
