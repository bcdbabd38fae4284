import type { WaitPolicy } from '../contracts.ts'

/** About what a sleep and a wake-up cost together; spinning for longer than that gains nothing on average. */
export const DEFAULT_SPIN = 50_000

/** Nanoseconds without work after which a loop sleeps. */
export function spinBudget(policy: WaitPolicy): number {
  if (policy.kind === 'spin') return Infinity
  return policy.kind === 'sleep' ? 0 : (policy.spin ?? DEFAULT_SPIN)
}
