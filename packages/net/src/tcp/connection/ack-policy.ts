import { EXT_CHALLENGE_ACKS, EXT_CHALLENGE_ACKS_SKIPPED } from '../counters.ts'
import type { Instant } from '../segment.ts'
import { MOMENT_DATA, TIMER_DELAYED_ACK } from '../timers.ts'
import { type ControlBlock, count } from './control-block.ts'
import { announcedSegment } from './path/segment-size.ts'

/** Duplicate ACKs that are owed at most: a sender without SACK needs three, more only inflate its window. */
const DUPLICATES_MOST = 64

/**
 * Data arrived in order: an ACK is owed now for every second full segment at the latest (RFC 5681 section 4.2, RFC 1122
 * section 4.2.3.2) and for each of the first segments, whose sender has a small window to grow; else soon.
 */
export function ackData(c: ControlBlock, length: number, segmentSize: number, now: Instant): void {
  const { settings, timers } = c
  const size = segmentSize > 0 ? segmentSize : length
  if (size > c.remoteSegment) c.remoteSegment = Math.min(size, announcedSegment(c))
  // A sender that was silent for long starts with a small window again (RFC 2861).
  if (timers.isOlder(MOMENT_DATA, now, settings.initialRto)) c.quickAcks = settings.quickAcks
  timers.mark(MOMENT_DATA, now)
  if (c.ackNow) return
  if (c.quickAcks > 0) {
    c.quickAcks--
    c.ackNow = true
  } else if (((c.receiveNext - c.lastAck) | 0) >= settings.ackEvery * c.remoteSegment) {
    c.ackNow = true
  } else if (((c.receiveRight - c.receiveNext) | 0) < c.remoteSegment) {
    // The sender has filled the window that it was told, and waits for us: waiting for it as well would only lose time.
    c.ackNow = true
  } else {
    timers.setEarlier(TIMER_DELAYED_ACK, now, settings.delayedAck)
  }
}

/**
 * A segment out of order, one that fills a gap, or an old one: its sender wants to know at once (RFC 5681 section 4.2).
 */
export function ackAtOnce(c: ControlBlock): void {
  c.ackNow = true
}

/**
 * A segment beyond a gap. With SACK one ACK tells of a whole burst of them; a sender without it counts duplicates, so
 * that each segment must have its own.
 */
export function ackOutOfOrder(c: ControlBlock): void {
  if (c.ackNow && !c.sack && c.duplicateAcks < DUPLICATES_MOST) c.duplicateAcks++
  c.ackNow = true
  // The sender's window is small after a loss, and grows by what is acknowledged.
  c.quickAcks = c.settings.quickAcks
}

/**
 * An ACK that says where we stand to somebody who may be an attacker or out of step: at most `challengeAcks` within
 * `challengePeriod`, so that two sides out of step do not answer each other for ever (RFC 5961 sections 3 to 5 and 7).
 * The count is the connection's own: one that all connections share tells an observer of others (CVE-2016-5696).
 */
export function challenge(c: ControlBlock, now: Instant): void {
  const { settings } = c
  if (c.ackNow) {
    // One ACK answers all that came before it: a burst does not use the allowance up.
    count(c, EXT_CHALLENGE_ACKS_SKIPPED)
    return
  }
  const millisecond = (now[0] / 1e6) | 0
  const elapsed = (millisecond - c.challengesSince) | 0
  if (elapsed < 0 || elapsed * 1e6 >= settings.challengePeriod) {
    c.challengesSince = millisecond
    c.challenges = 0
  }
  if (c.challenges >= settings.challengeAcks) {
    count(c, EXT_CHALLENGE_ACKS_SKIPPED)
    return
  }
  c.challenges++
  count(c, EXT_CHALLENGE_ACKS)
  c.ackNow = true
}
