import { CWR, ECT_0, FIN, type Instant, PSH, type Segment } from '../../segment.ts'
import { atOrBefore, distance } from '../../sequence.ts'
import { MOMENT_DATA } from '../../timers.ts'
import type { ControlBlock } from '../control-block.ts'
import { noteSent } from '../path/mtu-discovery.ts'
import { probePayload, probeSent } from '../path/mtu-probing.ts'
import { fillHeader } from './header.ts'
import { noteRoom } from './room.ts'

/**
 * What the largest SACK option of a data segment takes: three blocks beside timestamps, four else (RFC 2018 section 3).
 */
const SACK_BYTES_WITH_TIMESTAMPS = 28
const SACK_BYTES = 36

/** Bytes pushed and not yet sent. */
export function unsentBytes(c: ControlBlock): number {
  return c.finSent ? 0 : distance(c.sendQueue.tail, c.sendNext)
}

/** Usable window: SND.UNA + SND.WND - SND.NXT; below 0 when the peer shrank its window. */
export function usableWindow(c: ControlBlock): number {
  return distance((c.sendUna + c.sendWindow) | 0, c.sendNext)
}

/** Payload of a full segment now: less than `segmentSize` while there are gaps to report. */
export function fullSegment(c: ControlBlock): number {
  if (!c.sack || !c.receiveQueue.hasSack) return c.segmentSize
  return c.segmentSize - (c.hasTimestamps ? SACK_BYTES_WITH_TIMESTAMPS : SACK_BYTES)
}

/**
 * Nagle's algorithm (RFC 9293 section 3.7.4): whether a segment that is not full may go. The Minshall variant holds it
 * back only while another such segment is unacknowledged, so that the end of a message never waits for the full
 * segments before it.
 */
function mayBeShort(c: ControlBlock): boolean {
  const { nagle } = c.settings
  if (nagle === 'off' || c.finQueued) return true
  return nagle === 'minshall' ? atOrBefore(c.shortEnd, c.sendUna) : c.sendUna === c.sendNext
}

/**
 * What the silly window avoidance of a sender lets go (RFC 9293 section 3.8.6.2.1): a full segment; all there is; or
 * half of the largest window ever seen. `room` is the lesser of what is unsent and the usable window. 0: wait.
 */
function worthSending(c: ControlBlock, unsent: number, room: number, full: number): number {
  if (room <= 0) return 0
  if (room >= full || c.overridden) return room
  if (!mayBeShort(c)) return 0
  return room === unsent || room * 2 >= c.sendWindowLargest ? room : 0
}

/** Whether `nextData` would send if congestion control let it: what a tail loss probe prefers to a retransmission. */
export function hasNewData(c: ControlBlock): boolean {
  const unsent = unsentBytes(c)
  if (unsent > 0) return worthSending(c, unsent, Math.min(unsent, usableWindow(c)), fullSegment(c)) > 0
  return c.finQueued && !c.finSent && usableWindow(c) > 0
}

/** The next segment of new data, or the FIN: as much as both windows, Nagle and the silly window avoidance allow. */
export function nextData(c: ControlBlock, out: Segment, now: Instant): boolean {
  const unsent = unsentBytes(c)
  if (unsent <= 0) return c.finQueued && !c.finSent && usableWindow(c) > 0 && send(c, out, 0, 0, true, now)
  const full = fullSegment(c)
  const usable = usableWindow(c)
  const room = worthSending(c, unsent, Math.min(unsent, usable), full)
  if (room === 0) return false
  const { recovery } = c
  const idle = c.sendUna === c.sendNext
  if (idle) recovery.beforeSend(now)
  const allowed = recovery.allowance(c.sendNext)
  // A short segment because of the congestion window would be a silly one too, but something must be in flight.
  if (allowed < Math.min(room, full) && !idle) return false
  if (allowed <= 0) return false
  const { search } = c
  const probe = search === undefined ? 0 : probePayload(c, search, room, allowed)
  if (search !== undefined && probe > 0) {
    send(c, out, probe, 0, false, now)
    probeSent(c, search, out)
    return true
  }
  const length = cut(c, Math.min(room, allowed), full, unsent)
  // A FIN takes a number, and so room in the window.
  return send(c, out, length, full, length === unsent && c.finQueued && usable > length, now)
}

/** How much of `room` goes in one segment, or in one super-segment of whole ones; a short end only if it may go. */
function cut(c: ControlBlock, room: number, full: number, unsent: number): number {
  if (room <= full) return room
  const { superPacket } = c.path
  // CWR belongs on one segment only (RFC 3168 section 6.1.2), and the device would copy it to each.
  if (superPacket < 2 * full || !c.settings.superSegments || c.recovery.owesCwr) return full
  const most = superPacket - (superPacket % full)
  if (room >= most) return most
  const tail = room % full
  // Under RFC 896 the full segments before it hold the end back.
  const mayEnd = c.settings.nagle === 'rfc896' ? c.finQueued : mayBeShort(c)
  return tail === 0 || (room === unsent && mayEnd) ? room : room - tail
}

function send(c: ControlBlock, out: Segment, length: number, full: number, fin: boolean, now: Instant): boolean {
  const { recovery } = c
  const sequence = c.sendNext
  const end = (sequence + length) | 0
  fillHeader(c, out, sequence, c.receiveNext, now)
  out.length = length
  if (length > full && full > 0) out.segmentSize = full
  // The last segment of a super-segment pushes too: a receiver that joins segments hands them on then, and does not
  // wait for more.
  if ((end === c.sendQueue.tail || out.segmentSize > 0) && length > 0) out.flags |= PSH
  if (c.ecn && length > 0) {
    // Only new data (RFC 3168 sections 6.1.4 to 6.1.6): not ACKs, retransmissions, probes.
    out.ecn = ECT_0
    if (recovery.owesCwr) {
      out.flags |= CWR
      recovery.owesCwr = false
    }
  }
  if (fin) {
    out.flags |= FIN
    c.finSent = true
  }
  c.sendNext = (end + (fin ? 1 : 0)) | 0
  c.probeSent = false
  c.overridden = false
  if (length > 0) {
    if (full > 0 && length % full !== 0) c.shortEnd = end
    noteSent(c, end, length < full || full === 0 ? length : full)
    // A conversation: answers carry the ACKs, and acknowledging at once would only double the segments.
    if (c.quickAcks > 0 && !c.timers.isOlder(MOMENT_DATA, now, c.settings.delayedAck)) c.quickAcks = 0
  }
  recovery.sent(sequence, length + (fin ? 1 : 0), now, false)
  if (c.settings.notSentLowWater > 0) noteRoom(c)
  return true
}
