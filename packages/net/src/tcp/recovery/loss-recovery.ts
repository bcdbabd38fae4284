import { initialWindow } from '../congestion/initial-window.ts'
import type { Instant, Segment } from '../segment.ts'
import { acknowledge } from './acknowledge.ts'
import { arm } from './arm.ts'
import { expire } from './expire.ts'
import { Flight } from './flight.ts'
import { reduceForEcho } from './phases.ts'
import { NEVER, PHASE_OPEN, RecoveryState } from './recovery-state.ts'
import { allowance, nextRetransmission, transmitted } from './transmit.ts'

export { EXPIRED_NOTHING, EXPIRED_PROBE, EXPIRED_REORDERING, EXPIRED_TIMEOUT } from './expire.ts'
export { PHASE_LOSS, PHASE_OPEN, PHASE_RECOVERY } from './recovery-state.ts'

/**
 * All that a sender knows about what is in flight. Pure: no clock, no randomness, nothing sent from here. The connection
 * tells what it sent (`sent`) and what it heard (`acknowledged`), asks what to send (`nextRetransmission`, then
 * `allowance`), and comes back at `deadline` (`expired`).
 *
 * Loss is found by time (RACK-TLP, RFC 8985) where the peer has SACK, by the rules of RFC 6675 where RACK is switched off,
 * and by duplicate acknowledgments (NewReno, RFC 6582) where the peer has none. All three mark records as lost; the rest is
 * common: PRR (RFC 9937) says how much may be sent, lost data first, and the retransmission timer (RFC 6298) is the last resort.
 */
export class LossRecovery extends RecoveryState {
  /** Before the SYN is sent; `initialSequence` is that of the SYN. */
  start(initialSequence: number, mss: number, sackAllowed: boolean, timestamps: boolean, now: Instant): void {
    this.restingAt = initialSequence
    this.isOpening = true
    this.recoveryPoint = initialSequence
    this.congestion.start(mss, initialWindow(mss, this.settings.initialWindow), now)
    this.negotiated(mss, sackAllowed, timestamps)
  }

  /** The options of the handshake are known: segment size, and what the peer agreed to. Call before its ACK is processed. */
  negotiated(mss: number, sackAllowed: boolean, timestamps: boolean): void {
    this.mss = mss
    this.sack = sackAllowed
    this.timestamps = timestamps
  }

  /** `length` in sequence space, SYN and FIN included; a super-segment is told as one. Not for window probes, keepalives. */
  sent(sequence: number, length: number, now: Instant, retransmission: boolean): void {
    transmitted(this, sequence, length, now, retransmission)
  }

  /** An acceptable ACK (SND.UNA <= SEG.ACK <= SND.NXT). `sendUna` is SND.UNA before it. */
  acknowledged(segment: Segment, sendUna: number, _sendNext: number, windowChanged: boolean, now: Instant): void {
    acknowledge(this, segment, sendUna, windowChanged, now)
  }

  /**
   * Whether something is to be sent again now: `retransmitSequence`, `retransmitLength` (at most a segment). Ask again after `sent`.
   * @param newDataReady whether there is unsent data that the peer's window takes: probes and F-RTO prefer it
   */
  nextRetransmission(_sendNext: number, newDataReady: boolean): boolean {
    return nextRetransmission(this, newDataReady)
  }

  /** Bytes of new data that congestion window, PRR, limited transmit and probes allow now; the peer's window is the caller's. */
  allowance(_sendNext: number): number {
    return allowance(this)
  }

  /** At or after `deadline`; one of `EXPIRED_*`. */
  expired(now: Instant): number {
    return expire(this, now)
  }

  /** Whether it is time to give up: more than `retries` timeouts in a row (R2 of RFC 1122 section 4.2.3.5). */
  timedOut(retries: number): boolean {
    return this.backoffs > retries
  }

  /** ns; NaN before the first sample. */
  get smoothedRtt(): number {
    return this.roundTrip.smoothed
  }

  get rttVariance(): number {
    return this.roundTrip.variation
  }

  /** ns; `Infinity` before the first sample. */
  get minimumRtt(): number {
    return this.roundTrip.minimum
  }

  /** Retransmission timeout with its backoff, ns. */
  get rto(): number {
    return this.roundTrip.timeout
  }

  /** An acknowledgment carried ECE on an ECN connection; call after `acknowledged`. */
  ecnEcho(now: Instant): void {
    reduceForEcho(this, now)
  }

  /** RFC 1191: the path takes less. What is in flight and longer is sent again, cut, without a congestion response. */
  mtuReduced(mss: number, now: Instant): void {
    this.mssChanged(mss)
    this.flight.shorten(mss)
    arm(this, now, true)
  }

  /** Segments may be this long from now on (a probe of the path succeeded). */
  mssChanged(mss: number): void {
    this.mss = mss
    this.congestion.mssChanged(mss)
  }

  /** Call before new data: a connection that sent nothing for a retransmission timeout restarts (RFC 2861). */
  beforeSend(now: Instant): void {
    if (this.isOpening || !this.records.isEmpty || !this.settings.slowStartAfterIdle) return
    const restartWindow = initialWindow(this.mss, this.settings.initialWindow)
    this.usage.restart(this.congestion, this.roundTrip.timeout, restartWindow, now)
  }

  /** The connection ended: nothing is in flight, memory is given back. */
  reset(): void {
    this.phase = PHASE_OPEN
    this.spurious.end()
    if (this.flight !== Flight.NONE) {
      this.flight.end()
      this.flight = Flight.NONE
    }
    this.timeoutAt = NEVER
    this.deadline = NEVER
  }
}
