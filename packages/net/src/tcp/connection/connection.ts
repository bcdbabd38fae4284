import type { ErrorCode } from '@parakernel/hal'
import { SendTuning } from '../buffer/auto-tuning.ts'
import type { FrameChain } from '../buffer/frame-chain.ts'
import { EXT_RENEGINGS, EXT_WINDOW_UPDATES } from '../counters.ts'
import type { TimeWaitState } from '../passive/time-wait.ts'
import type { Instant, Segment } from '../segment.ts'
import type { TcpSettings } from '../settings.ts'
import { CLOSED, ESTABLISHED, nextState, RECEIVE_FIN, SYN_RECEIVED } from '../state.ts'
import { TIMER_KEEP_ALIVE, TIMER_USER } from '../timers.ts'
import { abort } from './close/abort.ts'
import { close, shutdownWrite } from './close/close.ts'
import { releaseTimeWait } from './close/time-wait.ts'
import { ControlBlock, count, RESET_NONE } from './control-block.ts'
import type { Handshake } from './handshake.ts'
import { receive } from './input/receive.ts'
import { openActive, openFromHandshake, openPassive } from './open.ts'
import { dispatch } from './output/dispatch.ts'
import { windowUpdateOwed } from './output/receive-window.ts'
import { maySend, room } from './output/room.ts'
import { packetTooBig } from './path/mtu-discovery.ts'
import { pathChanged, updateSegmentSize } from './path/segment-size.ts'
import { unreachable } from './path/unreachable.ts'

/**
 * One TCP connection (RFC 9293) as a pure core: no clock, no randomness, no I/O. Time and segments come in, `dispatch`
 * gives the segments that are to go out, `pollAt` says when to ask again. Sequence numbers are int32, times
 * nanoseconds.
 *
 * After any call, and at `pollAt`, call `dispatch` until it says false. It refuses nothing and throws nothing: what it
 * does not take it drops and counts.
 */
export class Connection extends ControlBlock {
  /**
   * Sends a SYN. `timestampOffset` shifts the clock of the timestamps (RFC 7323 section 5.4); both numbers come from
   * the caller.
   */
  openActive(initialSequence: number, timestampOffset: number, now: Instant): void {
    openActive(this, initialSequence, timestampOffset, now)
  }

  /** Answers a SYN. Takes its payload as `process` does. */
  openPassive(syn: Segment, initialSequence: number, timestampOffset: number, now: Instant): void {
    openPassive(this, syn, initialSequence, timestampOffset, now)
  }

  /**
   * A backlog or a cookie made the handshake; `ack` is the segment that completed it, and is processed like any other.
   */
  openFromHandshake(handshake: Handshake, ack: Segment, now: Instant): void {
    openFromHandshake(this, handshake, now)
    receive(this, ack, now)
  }

  /**
   * A segment for this connection has arrived, its checksum right and its options parsed. Never sends. Takes the
   * payload's frame over by setting `segment.frame` to -1; a frame that is left is the caller's. May change the segment
   * otherwise.
   */
  process(segment: Segment, now: Instant): void {
    receive(this, segment, now)
  }

  /** Fills `out` with the next segment to send now; false: nothing. */
  dispatch(now: Instant, out: Segment): boolean {
    return dispatch(this, now, out)
  }

  /** When `dispatch` has to be called next, in ns: 0 for now, `Infinity` for never. */
  get pollAt(): number {
    if (this.stirred || this.reset !== RESET_NONE) return 0
    const { earliest } = this.timers
    const { deadline } = this.recovery
    return Math.min(earliest, deadline)
  }

  /** As `pollAt`, into element 0 of a cell: a double that is returned is boxed, which nobody wants for each segment. */
  pollInto(cell: Float64Array): void {
    if (this.stirred || this.reset !== RESET_NONE) {
      cell[0] = 0
      return
    }
    this.timers.earliestInto(cell)
    const { deadline } = this.recovery
    if (deadline < cell[0]) cell[0] = deadline
  }

  /**
   * Bytes that `write` should be given now at most. At 0 an `EVENT_WRITABLE` will follow, unless nothing can be sent
   * any more.
   */
  get canWrite(): number {
    const free = room(this)
    if (free === 0) this.wantsRoom = true
    return free
  }

  /**
   * Queues bytes of a frame, whose reference it takes over, whatever `canWrite` said: the socket layer need not cut a
   * slice in two. False: our half has ended, and the reference is still the caller's.
   */
  write(frame: number, address: number, length: number): boolean {
    if (!maySend(this)) return false
    this.stirred = true
    this.sendQueue.push(frame, address, length)
    return true
  }

  /** Bytes in order that wait for the application; none before the handshake is complete. */
  get readable(): number {
    return this.state === SYN_RECEIVED ? 0 : this.receiveQueue.readable
  }

  /** Hands out up to `limit` bytes as slices with their references; returns the bytes. The window opens again. */
  read(limit: number, chain: FrameChain, now: Instant): number {
    if (this.state === SYN_RECEIVED) return 0
    const bytes = this.receiveQueue.take(limit, chain)
    if (bytes > 0) this.taken(bytes, now)
    return bytes
  }

  /** The application took bytes out of `receiveQueue` by itself: what `read` does besides. */
  taken(bytes: number, now: Instant): void {
    // Microseconds, because an int32 costs nothing to pass; 0 before the first sample.
    this.receiveTuning.taken(bytes, (this.recovery.smoothedRtt / 1000) | 0, now)
    if (this.ackNow || !windowUpdateOwed(this)) return
    count(this, EXT_WINDOW_UPDATES)
    this.ackNow = true
    this.stirred = true
  }

  /** The peer has ended its half and every byte of it has been read, or none will come any more. */
  get ended(): boolean {
    return this.receiveQueue.readable === 0 && (this.state === CLOSED || remoteHasEnded(this))
  }

  /** Ends our half after all that was written. */
  shutdownWrite(): void {
    shutdownWrite(this)
  }

  /** The socket is gone: the connection ends by itself, and nobody reads any more. See `linger` of the settings. */
  close(now: Instant): void {
    close(this, now)
  }

  /** Drops everything and resets the peer. */
  abort(failure?: ErrorCode): void {
    if (this.state === CLOSED) this.receiveQueue.clear()
    else abort(this, failure)
  }

  /** In TIME-WAIT: hands what the wire still needs over to a compact record. The connection is CLOSED afterwards. */
  releaseTimeWait(into: TimeWaitState): void {
    releaseTimeWait(this, into)
  }

  /** The path takes packets of another length from now on: its route, its interface or its cache entry changed. */
  mtuChanged(mtu: number, now: Instant): void {
    this.path.mtu = mtu
    if (this.state !== CLOSED) pathChanged(this, now)
  }

  /**
   * ICMP: the packet with the segment at `quotedSequence` was longer than `mtu`, which the path takes. False: not
   * believed (RFC 5927).
   */
  packetTooBig(mtu: number, quotedSequence: number, now: Instant): boolean {
    return this.state >= ESTABLISHED && packetTooBig(this, mtu, quotedSequence, now)
  }

  /**
   * ICMP: the segment at `quotedSequence` could not be delivered. False: not of this connection's data in flight,
   * ignored.
   */
  unreachable(hard: boolean, code: ErrorCode, quotedSequence: number): boolean {
    return unreachable(this, hard, code, quotedSequence)
  }

  /**
   * Memory is short: gives back what lies beyond a gap, which its sender will send again (RFC 2018 section 8), and
   * copies together what waits to be read. Returns the frames that became free.
   */
  relieve(): number {
    const before = this.receiveQueue.frames
    if (this.receiveQueue.renege() > 0) count(this, EXT_RENEGINGS)
    this.receiveQueue.compact()
    return before - this.receiveQueue.frames
  }

  /** Other settings from now on: a socket option was set. What the handshake has agreed stays. */
  configure(settings: TcpSettings): void {
    if (settings.userTimeout !== this.settings.userTimeout) {
      this.userTimeout = settings.userTimeout
      this.timers.clear(TIMER_USER)
    }
    this.timers.clear(TIMER_KEEP_ALIVE)
    this.settings = settings
    this.stirred = true
    const before = this.segmentSize
    if (this.state !== CLOSED) updateSegmentSize(this)
    if (this.segmentSize !== before) this.recovery.mssChanged(this.segmentSize)
  }

  /** The application chose the sizes of the buffers, in bytes; 0 leaves one as it is. */
  setBuffers(receive: number, send: number): void {
    if (receive > 0) this.receiveTuning = this.receiveTuning.fix(receive)
    if (send > 0) this.sendTuning = new SendTuning(send, send, this.budget.memory)
    this.stirred = true
  }
}

/** Whether a FIN of the peer has taken effect: it means nothing more in this state. */
function remoteHasEnded(c: ControlBlock): boolean {
  return c.state > SYN_RECEIVED && nextState(c.state, RECEIVE_FIN) === c.state
}
