import type { Instant } from '../segment.ts'
import { arm } from './arm.ts'
import { NEVER, PHASE_OPEN, type RecoveryState, wake } from './recovery-state.ts'
import { timestampAt } from './timestamp-clock.ts'

export function transmitted(
  r: RecoveryState,
  sequence: number,
  length: number,
  now: Instant,
  retransmission: boolean,
): void {
  wake(r)
  const { flight } = r
  const { probe } = flight
  if (r.phase !== PHASE_OPEN) r.reduction.sent(length)
  if (retransmission) {
    r.isForced = false
    r.retransmissions++
    r.retransmittedBytes += length
    flight.resent(sequence, length, now)
    r.spurious.resent(sequence, length, timestampAt(now[0], r.timestampOffset))
  } else {
    flight.sent(sequence, length, r.mss, now)
    if (r.forwardCredit > 0) r.forwardCredit = Math.max(0, r.forwardCredit - length)
  }
  r.usage.sent(r.bytesInFlight, now)
  // RFC 6298 section 5.1.
  if (r.timeoutAt === NEVER) r.timeoutAt = now[0] + r.roundTrip.timeout
  if (probe.isOwed) {
    probe.sent(r.records.next, retransmission)
    r.measuredSinceProbe = false
    r.probes++
    r.timeoutAt = now[0] + r.roundTrip.timeout
  }
  arm(r, now, !retransmission)
}

export function nextRetransmission(r: RecoveryState, newDataReady: boolean): boolean {
  const { records, flight } = r
  if (r.probe.isOwed) {
    // RFC 8985 section 7.3: new data if there is any, else the segment sent last.
    if (newDataReady) return false
    const last = (records.tail - 1) | 0
    r.retransmitSequence = records.sequenceOf(last)
    r.retransmitLength = records.lengthOf(last)
    return true
  }
  if (flight.lost.count === 0) return false
  if (!r.isForced && r.spurious.prefersNewData) {
    // Once some was sent, its acknowledgment is waited for.
    if (newDataReady || r.forwardCredit < 2 * r.mss) return false
    r.spurious.giveUpForward()
  }
  if (!flight.nextLost(r.mss)) return false
  const { length } = flight
  const pipe = r.bytesInFlight
  if (!r.isForced && pipe > 0 && r.congestion.window - pipe < length) return false
  r.retransmitSequence = flight.sequence
  r.retransmitLength = length
  return true
}

export function allowance(r: RecoveryState): number {
  const { window } = r.congestion
  // RFC 3042: what duplicates say has left the network makes room, unless that is switched off.
  const isLimited = !r.settings.limitedTransmit && r.phase === PHASE_OPEN
  let room = window - (isLimited ? r.records.flightSize : r.bytesInFlight)
  if (room < r.forwardCredit) room = r.forwardCredit
  if (r.probe.isOwed && room < r.mss) room = r.mss
  return Math.max(room, 0)
}
