import type { Instant } from '../segment.ts'

/** No window is larger: what a 16-bit field with the largest shift can announce (RFC 7323 section 2.3). */
export const LARGEST_WINDOW = 2 ** 30

/**
 * How much may be in flight. Loss recovery calls it; nobody else does. Sizes in bytes and int32, times in nanoseconds,
 * round-trip samples in whole microseconds (-1: none), so that nothing is boxed on the way.
 *
 * During a reduction (fast recovery, or the round after an ECN echo) loss recovery spreads the reduction over the round
 * and writes `window` itself; `acknowledged` is not called then.
 */
export interface CongestionControl {
  readonly name: 'cubic' | 'newreno' | 'none'
  /** Congestion window. */
  window: number
  /** Below it is slow start; `LARGEST_WINDOW` until the first congestion. */
  slowStartThreshold: number

  /** A connection begins, with this initial window. */
  start(mss: number, window: number, now: Instant): void

  /**
   * New data was acknowledged outside of a reduction.
   * @param bytes newly acknowledged cumulatively
   * @param sample round trip of the segment that was sent last among the acknowledged, in us; -1: none
   * @param inFlight the most that was in flight during the last round trip, to tell whether the window was the limit
   */
  acknowledged(bytes: number, sample: number, inFlight: number, now: Instant): void

  /** The data that was in flight when the last round began is acknowledged: a new round trip begins. */
  roundStart(): void

  /**
   * Loss was found by duplicates or by time: threshold and window by the rule of the algorithm; what was before is kept
   * for `undo`.
   * @param flight RFC 5681's FlightSize, what limited transmit added not counted
   */
  congestion(flight: number, now: Instant): void
  /**
   * The retransmission timer expired: the window is one segment.
   * @param again the segment was sent again by this timer before: the threshold stays (RFC 5681 section 3.1)
   */
  timeout(flight: number, again: boolean, now: Instant): void
  /** The peer echoes a congestion mark (RFC 3168 section 6.1.2). */
  ecnReduction(flight: number, now: Instant): void
  /** The last `congestion` or `timeout` was a mistake: threshold and window are at least what they were before it. */
  undo(): void

  /**
   * Nothing was in flight for this many retransmission timeouts: the window is halved for each, down to `restartWindow`, and
   * the threshold remembers three quarters of it (RFC 2861 section 3.1).
   */
  idle(timeouts: number, restartWindow: number, now: Instant): void
  mssChanged(mss: number): void
}
