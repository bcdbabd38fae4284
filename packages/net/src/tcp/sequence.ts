/**
 * Arithmetic of sequence numbers (RFC 9293 section 3.4): int32 that wrap. A difference is taken modulo 2^32 and read as
 * signed, so that "before" is right for numbers less than 2^31 apart, which windows of at most 2^30 (RFC 7323)
 * guarantee.
 */
export type Sequence = number

/** Signed distance from `b` to `a`: positive when `a` is after `b`. */
export function distance(a: Sequence, b: Sequence): number {
  return (a - b) | 0
}

export function before(a: Sequence, b: Sequence): boolean {
  return ((a - b) | 0) < 0
}

export function atOrBefore(a: Sequence, b: Sequence): boolean {
  return ((a - b) | 0) <= 0
}

export function after(a: Sequence, b: Sequence): boolean {
  return ((a - b) | 0) > 0
}

export function atOrAfter(a: Sequence, b: Sequence): boolean {
  return ((a - b) | 0) >= 0
}

/** The later of two. */
export function latest(a: Sequence, b: Sequence): Sequence {
  return ((a - b) | 0) >= 0 ? a : b
}
