const NANOSECONDS_PER_TICK = 1e6

/** Value of a connection's timestamp clock (RFC 7323 section 5.4): milliseconds, shifted by an offset of its own, int32. */
export function timestampAt(nanoseconds: number, offset: number): number {
  return (Math.floor(nanoseconds / NANOSECONDS_PER_TICK) + offset) | 0
}
