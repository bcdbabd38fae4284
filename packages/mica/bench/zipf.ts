/** A seeded generator of 32-bit numbers (xorshift32). */
export function randomSource(seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

/** Ranks 0..n-1, uniform (theta 0) or Zipf-distributed (Gray et al., "Quickly generating billion-record databases"). */
export function rankSource(n: number, theta: number, seed: number): () => number {
  const random = randomSource(seed)
  if (theta === 0) return () => Math.floor((random() / 2 ** 32) * n)
  let zeta = 0
  for (let i = 1; i <= n; i++) zeta += 1 / i ** theta
  const zeta2 = 1 + 0.5 ** theta
  const alpha = 1 / (1 - theta)
  const eta = (1 - (2 / n) ** (1 - theta)) / (1 - zeta2 / zeta)
  return () => {
    const u = random() / 2 ** 32
    const uz = u * zeta
    if (uz < 1) return 0
    if (uz < zeta2) return 1
    return Math.min(n - 1, Math.floor(n * (eta * u - eta + 1) ** alpha))
  }
}

/** A seeded permutation of 0..n-1, so that popular ranks do not share cache lines. */
export function permutation(n: number, seed: number): Uint32Array {
  const random = randomSource(seed)
  const order = new Uint32Array(n)
  for (let i = 0; i < n; i++) order[i] = i
  for (let i = n - 1; i > 0; i--) {
    const j = random() % (i + 1)
    const swap = order[i]
    order[i] = order[j]
    order[j] = swap
  }
  return order
}
