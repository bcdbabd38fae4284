/** Bytes per segment in the second limit of RFC 6928 section 2: ten of them are its 14600 bytes. */
const REFERENCE_SEGMENT = 1460

/** Initial window in bytes for `segments` of `mss` (RFC 6928 section 2: min(10 MSS, max(2 MSS, 14600)) for 10). */
export function initialWindow(mss: number, segments: number): number {
  return Math.min(segments * mss, Math.max(2 * mss, segments * REFERENCE_SEGMENT))
}

/** After a lost SYN or SYN-ACK, when it was more than one (RFC 6928 section 2, RFC 5681 section 3.1). */
export function windowAfterLostSyn(mss: number): number {
  return mss
}
