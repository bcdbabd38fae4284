import { EXT_BLACK_HOLES, EXT_MTU_PROBE_FAILURES, EXT_MTU_PROBE_SUCCESSES, EXT_MTU_PROBES } from '../../counters.ts'
import type { Instant, Segment } from '../../segment.ts'
import { atOrAfter, distance } from '../../sequence.ts'
import { TIMER_PATH } from '../../timers.ts'
import { type ControlBlock, count } from '../control-block.ts'
import { TCP_HEADER } from '../path-limits.ts'
import { type PathSearch, searchOf } from './path-search.ts'
import { leastPacket, packetLimit, packetOf, pathChanged } from './segment-size.ts'

/**
 * Timeouts in a row without progress after which the path is taken to swallow long packets, and the shortest size is
 * tried.
 */
const BLACK_HOLE = 3
const BLACK_HOLE_AGAIN = 5
const BLACK_HOLE_ON_PROVEN_PATH = 6
/** RFC 4821 section 7.3: a search ends when it could gain no more than this. */
const SEARCH_ENDS = 32
/** Section 7.6.1: a probe that fails once may have met congestion. */
const FAILURES = 2
/** A probe is sent only in front of as many full segments, so that its loss shows without a timeout (section 7.4). */
const SEGMENTS_BEHIND = 3

/** `always`: begins with what every path takes, and looks for more (RFC 4821 section 7.2). */
export function startProbing(c: ControlBlock): void {
  if (c.settings.mtuProbing === 'always') searchOf(c).limit = Math.min(c.path.mtu, basePacket(c))
}

function basePacket(c: ControlBlock): number {
  return Math.max(leastPacket(c.path.family), c.settings.mtuBaseSegment + c.path.ipHeader + TCP_HEADER)
}

/**
 * Packetization layer path MTU discovery (RFC 4821): a timeout again. Long packets vanish and no ICMP message comes:
 * shorter ones.
 */
export function suspectBlackHole(c: ControlBlock, now: Instant): void {
  const { settings, recovery, path } = c
  if (settings.mtuProbing === 'off') return
  // Where long packets have passed before, as many losses in a row are more likely just that.
  const patience = c.packetAcked >= packetLimit(c) ? BLACK_HOLE_ON_PROVEN_PATH - BLACK_HOLE : 0
  if (recovery.backoffs < BLACK_HOLE + patience) return
  if (distance(c.sendNext, c.sendUna) < c.segmentSize) return
  const limit = recovery.backoffs < BLACK_HOLE_AGAIN + patience ? basePacket(c) : leastPacket(path.family)
  if (packetLimit(c) <= limit) return
  count(c, EXT_BLACK_HOLES)
  const search = searchOf(c)
  search.tooLong = packetLimit(c)
  search.limit = limit
  search.probe = 0
  c.packetAcked = 0
  c.packetSent = 0
  pathChanged(c, now)
  c.timers.set(TIMER_PATH, now, settings.mtuProbeInterval)
}

/**
 * The interval is over: what was too long then may pass now (section 7.7). Without probing it is taken for granted
 * until ICMP says no.
 */
export function forgetTooLong(c: ControlBlock, now: Instant): void {
  const search = searchOf(c)
  search.tooLong = 0
  search.failures = 0
  if (c.settings.mtuProbing !== 'off') return
  search.limit = 0
  pathChanged(c, now)
}

/**
 * Payload of a probe that is to be sent now instead of a full segment, 0 for none: the whole path MTU first, then
 * halves of what is not known. `unsent` and `allowed` are what could be sent.
 */
export function probePayload(c: ControlBlock, search: PathSearch, unsent: number, allowed: number): number {
  const { path, settings } = c
  if (settings.mtuProbing === 'off' || search.limit === 0 || search.limit >= path.mtu || search.probe !== 0) return 0
  if (c.recovery.backoffs > 0) return 0
  // A SACK option would make the packet longer than what is probed.
  if (c.sack && c.receiveQueue.hasSack) return 0
  const high = search.tooLong === 0 ? path.mtu : Math.min(path.mtu, search.tooLong)
  if (high - search.limit <= SEARCH_ENDS) return 0
  const packet = search.tooLong === 0 ? high : (search.limit + high) >> 1
  const headers = packetOf(c, 0)
  const payload = Math.min(c.remoteMss + path.ipHeader + TCP_HEADER, packet) - headers
  if (payload <= c.segmentSize || payload + SEGMENTS_BEHIND * c.segmentSize > Math.min(unsent, allowed)) return 0
  return payload
}

export function probeSent(c: ControlBlock, search: PathSearch, out: Segment): void {
  count(c, EXT_MTU_PROBES)
  search.probe = packetOf(c, out.length)
  search.probeSequence = out.sequence
}

export function probeAcknowledged(c: ControlBlock, search: PathSearch, sequence: number, now: Instant): void {
  if (!atOrAfter(sequence, (search.probeSequence + search.probe - packetOf(c, 0)) | 0)) return
  count(c, EXT_MTU_PROBE_SUCCESSES)
  search.limit = search.probe
  search.probe = 0
  search.failures = 0
  if (search.tooLong <= search.limit) search.tooLong = 0
  pathChanged(c, now)
}

/**
 * The bytes from `sequence` on are about to be sent again. If that is the probe, and nothing before it is missing, then
 * the probe was too long, which is no sign of congestion (section 7.6.1): the window is given back.
 */
export function probeLost(c: ControlBlock, search: PathSearch, sequence: number, now: Instant): void {
  if (search.probe === 0 || sequence !== search.probeSequence) return
  count(c, EXT_MTU_PROBE_FAILURES)
  if (++search.failures >= FAILURES) {
    search.tooLong = search.probe
    search.failures = 0
    c.timers.setEarlier(TIMER_PATH, now, c.settings.mtuProbeInterval)
  }
  search.probe = 0
  if (sequence === c.sendUna && c.recovery.backoffs === 0) c.recovery.congestion.undo()
}
