/** The last frame of its packet. A packet is one or more consecutive entries of one burst. */
export const END_OF_PACKET = 1 << 0
/** Receive: the device checked the transport checksum and found it right. */
export const CHECKSUM_VERIFIED = 1 << 1
/** Receive: the checksum field holds only the pseudo-header's sum; the packet never crossed a wire. */
export const CHECKSUM_PARTIAL = 1 << 2
/** Receive: the device checked the transport checksum and found it wrong. */
export const CHECKSUM_BAD = 1 << 3
/** Transmit: sum from `checksumStart` to the end of the packet, store at `checksumStart + checksumOffset`. */
export const CHECKSUM_WANTED = 1 << 4
/** The packet is a super-frame of `segmentSize` payload bytes a segment, `headerLength` bytes of headers. */
export const SEGMENT_TCP4 = 1 << 5
export const SEGMENT_TCP6 = 1 << 6
export const SEGMENT_UDP = 1 << 7
export const SEGMENT_ANY = SEGMENT_TCP4 | SEGMENT_TCP6 | SEGMENT_UDP
/** `vlan` holds the 802.1Q tag control information that the device took out (receive) or is to put in (transmit). */
export const VLAN_TAGGED = 1 << 8
/** Set by `transmit` on entries that it refused: invalid, too long, or in need of an offload that is absent. */
export const REFUSED = 1 << 30

/** Columns beyond frame, offset, length and flags; a burst has those that its device's capabilities name. */
export const COLUMN_CHECKSUM = 1 << 0
export const COLUMN_SEGMENT = 1 << 1
export const COLUMN_HASH = 1 << 2
export const COLUMN_VLAN = 1 << 3
export const COLUMN_TIMESTAMP = 1 << 4
export const ALL_COLUMNS = COLUMN_CHECKSUM | COLUMN_SEGMENT | COLUMN_HASH | COLUMN_VLAN | COLUMN_TIMESTAMP

const ABSENT = new Int32Array(0)
const ABSENT_TIMES = new Float64Array(0)

/**
 * Up to `capacity` packet fragments as a struct of arrays of numbers, allocated once and used for every burst. Absent
 * columns have length 0. Per-packet columns are valid in the first entry of a packet.
 *
 * Filled by `NetQueue.receive`, or by a libOS for `NetQueue.transmit`. Reading a row is a few plain loads; nothing is
 * allocated.
 */
export class NetBurst {
  readonly capacity: number
  readonly columns: number
  /** Entries in use, from 0. */
  count = 0
  /** Entries that the last `transmit` refused; each carries `REFUSED`, and its frame is still the caller's. */
  refused = 0

  /** Frame index in the queue's pool. */
  readonly frame: Int32Array
  /** Where the data starts, in bytes from the start of the frame. */
  readonly offset: Int32Array
  /** Bytes of data in this entry. */
  readonly length: Int32Array
  readonly flags: Int32Array
  /** Byte offset from the start of the packet at which summing starts. */
  readonly checksumStart: Int32Array
  /** Byte offset from `checksumStart` at which the 16-bit sum is stored. */
  readonly checksumOffset: Int32Array
  /** Payload bytes of each segment of a super-frame; 0 elsewhere. */
  readonly segmentSize: Int32Array
  /** Bytes of headers that every segment repeats. */
  readonly headerLength: Int32Array
  /** RSS hash of the packet (receive), as a signed int32. */
  readonly hash: Int32Array
  readonly vlan: Int32Array
  /** Nanoseconds on the device's clock at which the packet was received. */
  readonly timestamp: Float64Array

  constructor(capacity: number, columns = 0) {
    this.capacity = capacity
    this.columns = columns
    this.frame = new Int32Array(capacity)
    this.offset = new Int32Array(capacity)
    this.length = new Int32Array(capacity)
    this.flags = new Int32Array(capacity)
    const ints = (column: number) => (columns & column ? new Int32Array(capacity) : ABSENT)
    this.checksumStart = ints(COLUMN_CHECKSUM)
    this.checksumOffset = ints(COLUMN_CHECKSUM)
    this.segmentSize = ints(COLUMN_SEGMENT)
    this.headerLength = ints(COLUMN_SEGMENT)
    this.hash = ints(COLUMN_HASH)
    this.vlan = ints(COLUMN_VLAN)
    this.timestamp = columns & COLUMN_TIMESTAMP ? new Float64Array(capacity) : ABSENT_TIMES
  }

  /** Appends a packet of one entry that needs no offload. The caller has made sure that there is room. */
  push(frame: number, offset: number, length: number): void {
    const i = this.count++
    this.frame[i] = frame
    this.offset[i] = offset
    this.length[i] = length
    this.flags[i] = END_OF_PACKET
  }

  /** Copies entry `from` of `source` to entry `to` of this burst: the columns that both have. */
  copyEntry(to: number, source: NetBurst, from: number): void {
    this.frame[to] = source.frame[from]
    this.offset[to] = source.offset[from]
    this.length[to] = source.length[from]
    this.flags[to] = source.flags[from]
    const both = this.columns & source.columns
    if (both === 0) return
    if (both & COLUMN_CHECKSUM) {
      this.checksumStart[to] = source.checksumStart[from]
      this.checksumOffset[to] = source.checksumOffset[from]
    }
    if (both & COLUMN_SEGMENT) {
      this.segmentSize[to] = source.segmentSize[from]
      this.headerLength[to] = source.headerLength[from]
    }
    if (both & COLUMN_HASH) this.hash[to] = source.hash[from]
    if (both & COLUMN_VLAN) this.vlan[to] = source.vlan[from]
    if (both & COLUMN_TIMESTAMP) this.timestamp[to] = source.timestamp[from]
  }
}

/** Bursts of 32 are where the cost of a call stops to matter and the cache still holds every header. */
export const DEFAULT_BURST = 32
