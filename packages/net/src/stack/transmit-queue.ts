import {
  COLUMN_CHECKSUM,
  COLUMN_SEGMENT,
  COLUMN_VLAN,
  END_OF_PACKET,
  NetBurst,
  type NetQueue,
  packetEntries,
  REFUSED,
  VLAN_TAGGED,
} from '@parakernel/hal'
import { DROP_OUT_BACKLOG_FULL, DROP_OUT_REFUSED, type StackCounters } from '../statistics/counters.ts'

/** Runs of bytes, each of one frame, in order: what a packet of several entries is made of after its first one. */
export interface Slices {
  readonly frame: Int32Array
  /** Byte addresses in the region. */
  readonly address: Int32Array
  readonly length: Int32Array
  readonly count: number
}

/**
 * Packets on their way to one device queue, in order. What a full ring does not take stays here, up to a bound, and goes
 * first next time; beyond the bound a packet is refused and counted. Packets are taken whole or not at all.
 */
export class TransmitQueue {
  readonly burst: NetBurst
  readonly #queue: NetQueue
  readonly #counters: StackCounters
  readonly #vlan: number
  readonly #hasChecksum: boolean
  readonly #hasSegment: boolean
  #start = 0
  #ended = false

  /**
   * @param backlog entries that may wait
   * @param vlan tag control information for the device to insert, -1 for none
   */
  constructor(queue: NetQueue, backlog: number, vlan: number, counters: StackCounters) {
    const columns = queue.capabilities.columns & (COLUMN_CHECKSUM | COLUMN_SEGMENT | COLUMN_VLAN)
    this.#queue = queue
    this.#counters = counters
    this.#vlan = vlan
    this.#hasChecksum = (columns & COLUMN_CHECKSUM) !== 0
    this.#hasSegment = (columns & COLUMN_SEGMENT) !== 0
    this.burst = new NetBurst(backlog, columns)
  }

  /** Entries that wait. */
  get waiting(): number {
    return this.burst.count - this.#start
  }

  /** Entries that fit. */
  get room(): number {
    return this.burst.capacity - this.waiting
  }

  /**
   * Takes a packet of one frame, whose reference is the queue's from now on; false, and the frame released and counted, when
   * the backlog is full.
   * @param flags CHECKSUM_WANTED with `checksumStart` and `checksumOffset`, or 0
   */
  push(
    frame: number,
    offset: number,
    length: number,
    flags: number,
    checksumStart: number,
    checksumOffset: number,
  ): boolean {
    const burst = this.burst
    if (burst.count === burst.capacity && !this.#makeRoom(1)) {
      this.#counters.drop(DROP_OUT_BACKLOG_FULL)
      this.#queue.pool.release(frame)
      return false
    }
    const i = burst.count++
    burst.frame[i] = frame
    burst.offset[i] = offset
    burst.length[i] = length
    burst.flags[i] = flags | END_OF_PACKET
    if (this.#hasChecksum) {
      burst.checksumStart[i] = checksumStart
      burst.checksumOffset[i] = checksumOffset
    }
    if (this.#vlan >= 0) {
      burst.flags[i] |= VLAN_TAGGED
      burst.vlan[i] = this.#vlan
    }
    return true
  }

  /** As `push`, for a super-frame that the device cuts: `flags` name the kind, `headerLength` all headers from the link's on. */
  pushSegments(
    frame: number,
    offset: number,
    length: number,
    flags: number,
    checksumStart: number,
    checksumOffset: number,
    segmentSize: number,
    headerLength: number,
  ): boolean {
    if (!this.push(frame, offset, length, flags, checksumStart, checksumOffset)) return false
    if (this.#hasSegment) {
      const i = this.burst.count - 1
      this.burst.segmentSize[i] = segmentSize
      this.burst.headerLength[i] = headerLength
    }
    return true
  }

  /**
   * As `pushSegments`, for a packet that goes on in `rest` after its first entry. A reference of every frame of it is the queue's
   * from now on, or is released.
   */
  pushChain(
    frame: number,
    offset: number,
    length: number,
    rest: Slices,
    flags: number,
    checksumStart: number,
    checksumOffset: number,
    segmentSize: number,
    headerLength: number,
  ): boolean {
    const { burst } = this
    const { pool } = this.#queue
    const entries = rest.count + 1
    if (burst.count + entries > burst.capacity && !this.#makeRoom(entries)) {
      this.#counters.drop(DROP_OUT_BACKLOG_FULL)
      pool.release(frame)
      for (let i = 0; i < rest.count; i++) pool.release(rest.frame[i])
      return false
    }
    this.pushSegments(frame, offset, length, flags, checksumStart, checksumOffset, segmentSize, headerLength)
    let last = burst.count - 1
    for (let i = 0; i < rest.count; i++) {
      burst.flags[last] &= ~END_OF_PACKET
      last = burst.count++
      burst.frame[last] = rest.frame[i]
      burst.offset[last] = rest.address[i] - pool.address(rest.frame[i])
      burst.length[last] = rest.length[i]
      burst.flags[last] = END_OF_PACKET
    }
    return true
  }

  /** Offers everything to the device; returns how many entries it took. */
  flush(): number {
    const burst = this.burst
    const start = this.#start
    if (start === burst.count) return 0
    const taken = this.#queue.transmit(burst, start)
    if (taken === 0 && this.#ended) {
      this.clear()
      return 0
    }
    if (taken > 0 && burst.refused > 0) this.#releaseRefused(start, start + taken)
    if (start + taken === burst.count) {
      burst.count = 0
      this.#start = 0
    } else {
      this.#start = start + taken
    }
    return taken
  }

  /** The device's queue is gone: what waits is dropped, and whatever still comes, by the next `flush`. */
  end(): void {
    this.#ended = true
    this.clear()
  }

  /** Drops what waits. */
  clear(): void {
    const { burst } = this
    for (let i = this.#start; i < burst.count; i += packetEntries(burst, i)) this.#counters.drop(DROP_OUT_REFUSED)
    for (let i = this.#start; i < burst.count; i++) this.#queue.pool.release(burst.frame[i])
    this.burst.count = 0
    this.#start = 0
  }

  /** A packet is refused whole, and counts once. */
  #releaseRefused(from: number, to: number): void {
    const { flags, frame } = this.burst
    for (let i = from; i < to; ) {
      const end = i + packetEntries(this.burst, i)
      if ((flags[i] & REFUSED) !== 0) {
        this.#counters.drop(DROP_OUT_REFUSED)
        for (let entry = i; entry < end; entry++) this.#queue.pool.release(frame[entry])
      }
      i = end
    }
  }

  /** Tries the device once more, then moves what is left to the front. */
  #makeRoom(entries: number): boolean {
    this.flush()
    const burst = this.burst
    const start = this.#start
    if (start > 0) {
      for (let i = start; i < burst.count; i++) burst.copyEntry(i - start, burst, i)
      burst.count -= start
      this.#start = 0
    }
    return burst.count + entries <= burst.capacity
  }
}
