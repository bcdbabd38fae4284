/** Nanoseconds as `p50 12.3 us, p90 ..., p99 ..., max ...`. */
export function formatDistribution(nanoseconds: readonly number[]): string {
  const sorted = [...nanoseconds].sort((a, b) => a - b)
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
  return Object.entries({ p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) })
    .map(([name, value]) => `${name} ${(value / 1000).toFixed(1)} us`)
    .join(', ')
}
