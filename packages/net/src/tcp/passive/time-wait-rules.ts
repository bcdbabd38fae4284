import { ACK, FIN, RST, type Segment, SYN } from '../segment.ts'
import type { TimeWaitState } from './time-wait.ts'

/** Nothing is to be done. */
export const TIME_WAIT_IGNORE = 0
/** The peer's FIN again: acknowledge it, and wait 2 MSL from now. */
export const TIME_WAIT_RESTART = 1
/** Answer with an ACK, at a limited rate. */
export const TIME_WAIT_ACKNOWLEDGE = 2
/** A new connection may take the place of the old one. */
export const TIME_WAIT_REOPEN = 3
/** A reset, which does not end TIME-WAIT: an old one could assassinate it (RFC 1337, fix F1). */
export const TIME_WAIT_RESET = 4

/**
 * What a segment does to a connection in TIME-WAIT (RFC 9293 section 3.10.7.4). A SYN opens a new one if it is later than all of the
 * old one's: by its timestamp, and by its sequence number where there is none or it is equal (RFC 6191 section 2).
 */
export function judgeTimeWait(
  state: Pick<TimeWaitState, 'receiveNext' | 'hasTimestamps' | 'timestampRecent'>,
  segment: Segment,
  reuse: boolean,
): number {
  const { flags } = segment
  if ((flags & RST) !== 0) return TIME_WAIT_RESET
  const ahead = (segment.sequence - state.receiveNext) | 0
  if ((flags & (SYN | ACK)) === SYN && reuse) {
    const stamped = state.hasTimestamps && segment.hasTimestamp
    const later = stamped ? (segment.timestampValue - state.timestampRecent) | 0 : 0
    if (later > 0 || (later === 0 && ahead >= 0)) return TIME_WAIT_REOPEN
  }
  if ((flags & SYN) !== 0) return TIME_WAIT_ACKNOWLEDGE
  // The FIN's own number is the last that was received.
  if ((flags & FIN) !== 0 && ((ahead + segment.length) | 0) === -1) return TIME_WAIT_RESTART
  return ahead === 0 && segment.length === 0 ? TIME_WAIT_IGNORE : TIME_WAIT_ACKNOWLEDGE
}

/** RFC 1122 section 4.2.2.13: the new connection's numbers begin behind the old one's. */
export function sequenceAfter(state: TimeWaitState, proposed: number): number {
  const least = (state.sendNext + 65_536) | 0
  return ((proposed - least) | 0) < 0 ? least : proposed
}
