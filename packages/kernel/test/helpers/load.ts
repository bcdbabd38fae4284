import type { Pollable } from '../../src/index.ts'

/** A queue that always has work: each poll burns about 2 us, as a burst of packets would. */
export function fullLoad(): Pollable & { polls: number } {
  return {
    polls: 0,
    poll() {
      this.polls++
      let x = this.polls
      for (let i = 0; i < 1500; i++) x = Math.imul(x ^ i, 0x9e3779b1)
      return x === 0 ? 31 : 32
    },
    wake: { kind: 'none' },
    arm: () => true,
  }
}

export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))]
}
