/** No time is rounder than a multiple of this many nanoseconds, 13 days. */
const ROUNDEST = 2 ** 50

/**
 * The time from `time` to `time + slack` that is a multiple of the largest power of two. Times that lie near one another meet
 * there, also when their slacks differ: what is round for the larger slack is round for the smaller one.
 */
export function roundestTime(time: number, slack: number): number {
  if (slack < 1 || !Number.isFinite(time)) return time
  const latest = time + slack
  // Every interval of this length has a multiple of it.
  let unit = 2 ** Math.floor(Math.log2(slack))
  let round = Math.ceil(time / unit) * unit
  while (unit < ROUNDEST) {
    unit *= 2
    const rounder = Math.ceil(time / unit) * unit
    if (rounder > latest) break
    round = rounder
  }
  return round
}
