/**
 * The time of one call in nanoseconds, in element 0: the caller sets it, the core only reads it. A cell, because a
 * double argument is boxed on every call that the engine does not inline.
 */
export type Instant = Float64Array

export function instant(nanoseconds = 0): Instant {
  return Float64Array.of(nanoseconds)
}

/** Control bits as in the header (RFC 9293 section 3.1, RFC 3168 section 6.1). */
export const FIN = 1 << 0
export const SYN = 1 << 1
export const RST = 1 << 2
export const PSH = 1 << 3
export const ACK = 1 << 4
export const URG = 1 << 5
export const ECE = 1 << 6
export const CWR = 1 << 7

/** ECN field of the IP header (RFC 3168 section 5). */
export const NOT_ECT = 0
export const ECT_0 = 2
export const CE = 3

/** SACK blocks that the option space takes (RFC 2018 section 3); one less beside timestamps. */
export const SACK_BLOCKS = 4

/**
 * One segment as numbers, received or to be sent. Made once for each direction and reused for ever: nothing may keep a
 * reference to it. Sequence numbers are int32 and wrap; options that are absent are 0, -1 or false.
 */
export class Segment {
  sequence = 0
  acknowledgment = 0
  /** `FIN` to `CWR`. */
  flags = 0
  /** As in the header, not scaled. */
  window = 0

  /** Maximum segment size, only with SYN; 0 when absent. */
  mss = 0
  /** Shift count, only with SYN; -1 when absent. */
  windowScale = -1
  sackPermitted = false
  hasTimestamp = false
  timestampValue = 0
  timestampEcho = 0
  sackCount = 0
  readonly sackLeft = new Int32Array(SACK_BLOCKS)
  readonly sackRight = new Int32Array(SACK_BLOCKS)
  /** RFC 5482: the 16 bits as they are, granularity included; -1 when absent. */
  userTimeout = -1

  /**
   * Payload. Received: `length` bytes at the pool's `address` in `frame`; who takes the frame's reference sets `frame`
   * to -1. To be sent: the `length` bytes of the send queue from `sequence` on, and `frame` is -1. `length` counts
   * neither SYN nor FIN.
   */
  frame = -1
  address = 0
  length = 0
  /** Above 0: a super-segment of several of this size, put together on receipt or to be cut by the device. */
  segmentSize = 0
  /** ECN field of the IP header. */
  ecn = NOT_ECT

  /** Back to an empty segment without options; payload fields included. */
  clear(): void {
    this.sequence = 0
    this.acknowledgment = 0
    this.flags = 0
    this.window = 0
    this.clearOptions()
    this.frame = -1
    this.address = 0
    this.length = 0
    this.segmentSize = 0
    this.ecn = NOT_ECT
  }

  clearOptions(): void {
    this.mss = 0
    this.windowScale = -1
    this.sackPermitted = false
    this.hasTimestamp = false
    this.timestampValue = 0
    this.timestampEcho = 0
    this.sackCount = 0
    this.userTimeout = -1
  }
}

/** What a segment takes of the sequence space: its payload, and one for each of SYN and FIN. */
export function sequenceLength(segment: Segment): number {
  return segment.length + ((segment.flags >> 1) & 1) + (segment.flags & FIN)
}

const FLAG_NAMES = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR']

/** One line for people: `SYN ACK 100+0 ack 7 win 65535 <mss 1460, ws 7>`. */
export function describeSegment(segment: Segment): string {
  const flags = FLAG_NAMES.filter((_, bit) => (segment.flags & (1 << bit)) !== 0).join(' ')
  const options: string[] = []
  if (segment.mss > 0) options.push(`mss ${segment.mss}`)
  if (segment.windowScale >= 0) options.push(`ws ${segment.windowScale}`)
  if (segment.sackPermitted) options.push('sackOK')
  if (segment.hasTimestamp) options.push(`ts ${segment.timestampValue >>> 0}:${segment.timestampEcho >>> 0}`)
  for (let i = 0; i < segment.sackCount; i++) {
    options.push(`sack ${segment.sackLeft[i] >>> 0}:${segment.sackRight[i] >>> 0}`)
  }
  const ack = (segment.flags & ACK) === 0 ? '' : ` ack ${segment.acknowledgment >>> 0}`
  const tail = options.length === 0 ? '' : ` <${options.join(', ')}>`
  return `${flags} ${segment.sequence >>> 0}+${segment.length}${ack} win ${segment.window}${tail}`
}
