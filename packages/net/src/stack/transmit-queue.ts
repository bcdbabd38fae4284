import {
  COLUMN_CHECKSUM,
  COLUMN_VLAN,
  END_OF_PACKET,
  NetBurst,
  type NetQueue,
  REFUSED,
  VLAN_TAGGED,
} from '@parakernel/hal'
import { DROP_OUT_BACKLOG_FULL, DROP_OUT_REFUSED, type StackCounters } from '../statistics/counters.ts'

/**
 * Packets on their way to one device queue, in order. What a full ring does not take stays here, up to a bound, and goes
 * first next time; beyond the bound a packet is refused and counted. Every packet is a single frame.
 */
export class TransmitQueue {
  readonly burst: NetBurst
  readonly #queue: NetQueue
  readonly #counters: StackCounters
  readonly #vlan: number
  readonly #hasChecksum: boolean
  #start = 0

  /**
   * @param backlog packets that may wait
   * @param vlan tag control information for the device to insert, -1 for none
   */
  constructor(queue: NetQueue, backlog: number, vlan: number, counters: StackCounters) {
    this.#queue = queue
    this.#counters = counters
    this.#vlan = vlan
    this.#hasChecksum = (queue.capabilities.columns & COLUMN_CHECKSUM) !== 0
    this.burst = new NetBurst(backlog, queue.capabilities.columns & (COLUMN_CHECKSUM | COLUMN_VLAN))
  }

  /** Packets that wait. */
  get waiting(): number {
    return this.burst.count - this.#start
  }

  /**
   * Takes a packet of one frame, whose reference is the queue's from now on; false, and the frame released and counted, when
   * the backlog is full.
   * @param flags END_OF_PACKET, and CHECKSUM_WANTED with `checksumStart` and `checksumOffset`
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
    if (burst.count === burst.capacity && !this.#makeRoom()) {
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

  /** Offers everything to the device; returns how many packets it took. */
  flush(): number {
    const burst = this.burst
    const start = this.#start
    if (start === burst.count) return 0
    const taken = this.#queue.transmit(burst, start)
    if (taken > 0 && burst.refused > 0) this.#releaseRefused(start, start + taken)
    if (start + taken === burst.count) {
      burst.count = 0
      this.#start = 0
    } else {
      this.#start = start + taken
    }
    return taken
  }

  /** Releases what waits. */
  clear(): void {
    for (let i = this.#start; i < this.burst.count; i++) this.#queue.pool.release(this.burst.frame[i])
    this.burst.count = 0
    this.#start = 0
  }

  #releaseRefused(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if ((this.burst.flags[i] & REFUSED) === 0) continue
      this.#counters.drop(DROP_OUT_REFUSED)
      this.#queue.pool.release(this.burst.frame[i])
    }
  }

  /** Tries the device once more, then moves what is left to the front. */
  #makeRoom(): boolean {
    this.flush()
    const burst = this.burst
    const start = this.#start
    if (start === 0) return burst.count < burst.capacity
    for (let i = start; i < burst.count; i++) burst.copyEntry(i - start, burst, i)
    burst.count -= start
    this.#start = 0
    return true
  }
}
