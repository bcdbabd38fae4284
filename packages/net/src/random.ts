import { getRandomValues } from 'node:crypto'

/**
 * Where every random choice of the protocol cores comes from. The default is of cryptographic quality, because ports and
 * identifiers defend against blind attackers (RFC 6056, RFC 6528); a seeded one makes a run repeatable.
 */
export interface RandomSource {
  /** Uniform over the unsigned 32-bit integers. */
  next(): number
}

/** Uniform over 0 .. `bound` - 1. */
export function randomBelow(random: RandomSource, bound: number): number {
  return Math.floor((random.next() / 0x1_0000_0000) * bound)
}

/** Reads the host's generator a kilobyte at a time. */
export function secureRandom(): RandomSource {
  const words = new Uint32Array(256)
  let used = words.length
  return {
    next() {
      if (used === words.length) {
        getRandomValues(words)
        used = 0
      }
      return words[used++]
    },
  }
}

/** Sequence of `seed` (SplitMix32): repeatable, and worthless against an attacker. For tests and simulations. */
export function seededRandom(seed: number): RandomSource {
  let state = seed | 0
  return {
    next() {
      state = (state + 0x9e3779b9) | 0
      let z = state ^ (state >>> 16)
      z = Math.imul(z, 0x21f0aaad)
      z ^= z >>> 15
      z = Math.imul(z, 0x735a2d97)
      return (z ^ (z >>> 15)) >>> 0
    },
  }
}
