/** A connection came into being: its first entry. No bytes of its own. */
export const STREAM_OPENED = 1 << 0
/** `length` bytes at `address` of `frame`. */
export const STREAM_DATA = 1 << 1
/** The peer ended its half, after all bytes. */
export const STREAM_ENDED = 1 << 2
/** There is room in the send buffer again, after a `sendStream` that was refused. */
export const STREAM_WRITABLE = 1 << 3
/** The connection is gone, both halves, in order or by a reset; `qd` is closed when the handler returns. Its last entry. */
export const STREAM_CLOSED = 1 << 4

/** What `verdict` holds when the handler is called: the libOS releases the frame when the handler returns. */
export const STREAM_RELEASE = 0
/** The handler keeps the frame's reference, and answers for its release. The window opens for these bytes all the same. */
export const STREAM_KEEP = 1
/** The bytes go back to their sender from where they stand. Where the send buffer has no room for them: `STREAM_LATER`. */
export const STREAM_ECHO = 2
/**
 * Not now: the bytes, and what follows them in the burst on the same stream, stay in the receive buffer, so that the window
 * closes as it fills. They come again when the send buffer has room that it had not, or after `resumeStream`.
 */
export const STREAM_LATER = 3

/**
 * What happened on the streams of one handler in one round, as a struct of arrays: the fast face of stream sockets.
 * Allocated once, refilled for every round; a handler that wants to remember anything copies it. Entries of one connection
 * stand in order. The bytes of an entry are `pool.bytes[address[i] .. address[i] + length[i]]`; they may end and begin
 * anywhere in the stream.
 */
export class StreamBurst {
  readonly capacity: number
  count = 0
  /** The connection's descriptor. */
  readonly qd: Int32Array
  /** One of `STREAM_*`. */
  readonly event: Int32Array
  readonly frame: Int32Array
  readonly address: Int32Array
  readonly length: Int32Array
  /** Set by the handler, for entries with bytes, to one of `STREAM_RELEASE`, `_KEEP`, `_ECHO`, `_LATER`. */
  readonly verdict: Int32Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.qd = new Int32Array(capacity)
    this.event = new Int32Array(capacity)
    this.frame = new Int32Array(capacity)
    this.address = new Int32Array(capacity)
    this.length = new Int32Array(capacity)
    this.verdict = new Int32Array(capacity)
  }
}

/**
 * Handles a round's events; runs to completion inside the poll, must not throw or await. May call `sendStream`, `halfClose`
 * and `close` of the libOS. `now` is the loop's time, in nanoseconds.
 */
export type StreamHandler = (burst: StreamBurst, now: number) => void
