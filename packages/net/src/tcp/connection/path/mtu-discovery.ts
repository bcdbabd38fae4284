import { EXT_ICMP_OUT_OF_WINDOW, EXT_MTU_POSTPONED, EXT_MTU_REDUCTIONS } from '../../counters.ts'
import type { Instant } from '../../segment.ts'
import { after, atOrAfter, before } from '../../sequence.ts'
import { TIMER_PATH } from '../../timers.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { probeAcknowledged } from './mtu-probing.ts'
import { searchOf } from './path-search.ts'
import { leastPacket, packetLimit, packetOf, pathChanged } from './segment-size.ts'

/**
 * ICMP says that the packet with the segment at `quotedSequence` was too long, and `mtu` is not (RFC 1191, RFC 8201).
 * Believed only of data in flight and packets as long as ours are (RFC 5927 section 4.1, 7.2); and when longer packets
 * have been acknowledged before, only once that segment has also timed out. True: believed, and done.
 */
export function packetTooBig(c: ControlBlock, mtu: number, quotedSequence: number, now: Instant): boolean {
  if (before(quotedSequence, c.sendUna) || atOrAfter(quotedSequence, c.sendNext)) {
    count(c, EXT_ICMP_OUT_OF_WINDOW)
    return false
  }
  const believed = Math.max(mtu, leastPacket(c.path.family))
  if (!c.settings.pathMtuDiscovery || believed >= packetLimit(c)) return false
  if (believed < c.packetAcked) {
    const search = searchOf(c)
    search.pending = believed
    search.pendingSequence = quotedSequence
    count(c, EXT_MTU_POSTPONED)
    return false
  }
  reduce(c, believed, now)
  return true
}

/** Data was acknowledged, all of it up to `sequence`. */
export function noteAcknowledged(c: ControlBlock, sequence: number, now: Instant): void {
  const { search } = c
  if (search !== undefined) {
    if (search.probe !== 0) probeAcknowledged(c, search, sequence, now)
    if (search.pending !== 0) {
      // The segment of which ICMP said that it was too long has arrived: a forgery, or the path changed back.
      if (after(sequence, search.pendingSequence)) search.pending = 0
      return
    }
  }
  // Only the longest segments say something of the path, and after the first of them nothing new.
  if (c.packetSent > c.packetAcked && atOrAfter(sequence, c.packetSentEnd)) c.packetAcked = c.packetSent
}

/** A segment is sent; remembers the longest packet whose fate is not known. */
export function noteSent(c: ControlBlock, end: number, payload: number): void {
  const packet = packetOf(c, payload)
  if (packet <= c.packetAcked || packet === c.packetSent) return
  c.packetSent = packet
  c.packetSentEnd = end
}

/** A retransmission timeout: a report that was waiting for it is believed. */
export function believePending(c: ControlBlock, now: Instant): void {
  const pending = c.search?.pending ?? 0
  if (pending === 0) return
  c.packetAcked = pending
  reduce(c, pending, now)
}

function reduce(c: ControlBlock, mtu: number, now: Instant): void {
  count(c, EXT_MTU_REDUCTIONS)
  const search = searchOf(c)
  search.pending = 0
  search.probe = 0
  search.limit = mtu
  search.tooLong = mtu + 1
  c.packetSent = 0
  // RFC 1191 section 6.3: routes change, and nobody says that a longer packet would pass.
  c.timers.set(TIMER_PATH, now, c.settings.mtuProbeInterval)
  pathChanged(c, now)
}
