import {
  COLUMN_SEGMENT,
  END_OF_PACKET,
  type FramePool,
  type NetBurst,
  type NetCounters,
  type NetQueueGrant,
  RX_BYTES,
  RX_DROPPED_FILTER,
  RX_DROPPED_NO_FRAME,
  RX_DROPPED_TOO_LONG,
  RX_PACKETS,
} from '@parakernel/hal'
import { calls, foreign, regionAddress, VIRTIO_NET_HDR_BYTES } from '@parakernel/linux'
import { ETHERNET_HEADER, LONGEST_FRAME, VLAN_TAG } from '../ethernet.ts'
import { FilterTable } from '../filter-table.ts'
import type { TapTransport } from '../transport.ts'
import { VirtioHeader } from '../virtio-header.ts'
import { Vector } from './vector.ts'

/** Longer than every packet, so that none is ever cut off unnoticed. */
const SPILL_BYTES = LONGEST_FRAME + 2 * VLAN_TAG + 1
/** Packets after which frames that none of them needed are no longer kept ready. */
const CALM = 64

/**
 * One system call a packet: the header into memory of its own, the packet straight into frames that lie ready, and what
 * these cannot hold into a spill, from which it is copied into further frames. How many frames lie ready follows the packets:
 * one for ordinary ones, as many as they take where super-frames come.
 */
export class ReceiveSide {
  readonly #pool: FramePool
  readonly #values: Float64Array
  readonly #filter: FilterTable
  readonly #descriptor: number
  readonly #readv = calls().readv
  readonly #header = new VirtioHeader()
  readonly #spill = new Uint8Array(new ArrayBuffer(SPILL_BYTES))
  readonly #spillAddress: number
  readonly #vector: Vector
  /** Frames that lie ready, in the order of the vector. */
  readonly #ready: Int32Array
  #count = 0
  /** Frames that shall lie ready, and the most that may: the pool is not this queue's alone. */
  #target = 1
  readonly #most: number
  /** Packets in a row that took at most half of the target. */
  #calm = 0
  /** Address of the region in this process, for the kernel. */
  readonly #region: number
  readonly #headroom: number
  readonly #room: number
  /** Bytes of a packet that was read and did not fit into the burst; it lies in the first frames that are ready. */
  #kept = 0

  constructor({ transport, window }: NetQueueGrant<TapTransport>, pool: FramePool, counters: NetCounters) {
    this.#pool = pool
    this.#values = counters.values
    this.#filter = new FilterTable(transport.filter)
    this.#descriptor = transport.descriptor
    this.#region = regionAddress(window.region)
    this.#headroom = window.headroom
    this.#room = window.frameSize - window.headroom - window.tailroom
    this.#most = Math.max(1, Math.min(Math.ceil(LONGEST_FRAME / this.#room), pool.frameCount >> 3))
    const longest = Math.ceil(SPILL_BYTES / this.#room)
    this.#ready = new Int32Array(longest + this.#most)
    this.#vector = new Vector(this.#ready.length + 2)
    this.#vector.set(0, foreign().addressOf(this.#header.bytes), VIRTIO_NET_HDR_BYTES)
    this.#spillAddress = foreign().addressOf(this.#spill)
    this.#vector.set(1, this.#spillAddress, SPILL_BYTES)
  }

  /** As `NetQueue.receive`. */
  take(burst: NetBurst): void {
    if (this.#kept > 0 && !this.#hand(burst, this.#kept)) return
    while (burst.count < burst.capacity) {
      if (this.#count < this.#target) this.#prepare()
      if (this.#count === 0) return
      const read = this.#readv(this.#descriptor, this.#vector.address, this.#count + 2)
      // Nothing there, or the interface is gone, which the control block will say.
      if (read < VIRTIO_NET_HDR_BYTES + ETHERNET_HEADER) return
      const length = read - VIRTIO_NET_HDR_BYTES
      const at = this.#pool.address(this.#ready[0]) + this.#headroom
      if (!this.#filter.passes(this.#pool.view, at)) {
        this.#values[RX_DROPPED_FILTER]++
        continue
      }
      if (length > this.#count * this.#room && !this.#unspill(length)) continue
      if (!this.#hand(burst, length)) return
    }
  }

  /** Whether a packet was read and waits for a burst with room. */
  get waiting(): boolean {
    return this.#kept > 0
  }

  /** Every frame that lies ready goes back to the pool. */
  giveBack(): void {
    for (let i = 0; i < this.#count; i++) this.#pool.giveBack(this.#ready[i])
    this.#count = 0
    this.#kept = 0
  }

  /** Hands the packet in the first frames that are ready to the burst; false when it waits for one with more room. */
  #hand(burst: NetBurst, length: number): boolean {
    const room = this.#room
    const entries = length <= room ? 1 : Math.ceil(length / room)
    const first = burst.count
    if (first + entries > burst.capacity) {
      if (entries <= burst.capacity) {
        this.#kept = length
        return false
      }
      this.#kept = 0
      this.#values[RX_DROPPED_TOO_LONG]++
      return true
    }
    this.#kept = 0
    const pool = this.#pool
    const ready = this.#ready
    const { frame, offset, length: lengths, flags } = burst
    let rest = length
    for (let i = 0; i < entries; i++) {
      const entry = first + i
      frame[entry] = ready[i]
      pool.handOver(ready[i])
      offset[entry] = this.#headroom
      lengths[entry] = Math.min(rest, room)
      flags[entry] = 0
      rest -= room
    }
    flags[first + entries - 1] = END_OF_PACKET
    burst.count = first + entries
    if (!this.#header.plain) {
      this.#header.describe(burst, first, pool.view, pool.address(ready[0]) + this.#headroom, lengths[first])
    } else if (burst.columns & COLUMN_SEGMENT) burst.segmentSize[first] = 0
    this.#values[RX_PACKETS]++
    this.#values[RX_BYTES] += length
    this.#settle(entries)
    this.#replace(entries)
    return true
  }

  /** Keeps as many frames ready as the packets of late needed. */
  #settle(entries: number): void {
    if (entries > this.#target) {
      this.#target = Math.min(entries, this.#most)
      this.#calm = 0
    } else if (entries > this.#target >> 1) this.#calm = 0
    else if (++this.#calm === CALM) {
      this.#target = Math.max(1, this.#target >> 1)
      this.#calm = 0
    }
  }

  /** The first `taken` frames are the caller's: others take their places, new ones or the last. */
  #replace(taken: number): void {
    const pool = this.#pool
    const before = this.#count
    for (let i = Math.min(taken, before) - 1; i >= 0; i--) {
      if (this.#count <= this.#target && pool.available > 0) {
        const frame = pool.allocateForDevice()
        pool.lend(frame, 0, 0)
        this.#place(i, frame)
      } else {
        const last = --this.#count
        if (i < last) this.#place(i, this.#ready[last])
      }
    }
    if (this.#count !== before) this.#vector.set(this.#count + 1, this.#spillAddress, SPILL_BYTES)
  }

  #prepare(): void {
    const pool = this.#pool
    const before = this.#count
    while (this.#count < this.#target && pool.available > 0) this.#append()
    if (this.#count !== before) this.#vector.set(this.#count + 1, this.#spillAddress, SPILL_BYTES)
  }

  #append(): void {
    const frame = this.#pool.allocateForDevice()
    this.#pool.lend(frame, 0, 0)
    this.#place(this.#count++, frame)
  }

  #place(i: number, frame: number): void {
    this.#ready[i] = frame
    this.#vector.set(i + 1, this.#region + this.#pool.address(frame) + this.#headroom, this.#room)
  }

  /** Copies what the ready frames had no room for into further ones; false, and counted, when the pool has not enough. */
  #unspill(length: number): boolean {
    const pool = this.#pool
    const room = this.#room
    const entries = Math.ceil(length / room)
    const more = entries - this.#count
    if (entries > this.#ready.length || pool.available < more) {
      this.#values[RX_DROPPED_NO_FRAME]++
      return false
    }
    let from = 0
    let rest = length - this.#count * room
    while (rest > 0) {
      this.#append()
      const to = pool.address(this.#ready[this.#count - 1]) + this.#headroom
      const part = Math.min(rest, room)
      pool.bytes.set(this.#spill.subarray(from, from + part), to)
      from += part
      rest -= part
    }
    this.#vector.set(this.#count + 1, this.#spillAddress, SPILL_BYTES)
    return true
  }
}
