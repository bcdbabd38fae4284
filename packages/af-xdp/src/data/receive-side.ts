import {
  END_OF_PACKET,
  type FramePool,
  type NetBurst,
  type NetCounters,
  type NetQueueGrant,
  RX_BYTES,
  RX_PACKETS,
  WAKE_UPS,
} from '@parakernel/hal'
import { calls, MSG_DONTWAIT, XDP_RING_NEED_WAKEUP } from '@parakernel/linux'
import { Ledger } from '../ledger.ts'
import type { XdpTransport } from '../transport.ts'
import { type PoolSharers, sharersOf } from './pool-sharers.ts'
import { type RingView, viewRing } from './ring-view.ts'

/** Posted at once, in small pools. */
const FIRST_FRAMES = 16

/**
 * The receive and the fill ring. Budget: 25 ns a packet, two atomic operations a burst and ring.
 *
 * `posted` records every frame that the kernel may fill. Nothing that the ring says is believed unless the record agrees.
 */
export class ReceiveSide {
  /** 1 for a frame that waits to be filled. */
  readonly posted: Uint8Array
  readonly #pool: FramePool
  readonly #counters: NetCounters
  readonly #ledger: Ledger
  readonly #ring: RingView
  readonly #fill: RingView
  readonly #mask: number
  readonly #descriptor: number
  readonly #recv = calls().recv
  /** A frame's index is the upper bits of its address, its offset the lower ones. */
  readonly #shift: number
  readonly #offsetMask: number
  readonly #headroom: number
  readonly #dataEnd: number
  readonly #sharers: PoolSharers
  /** Frames that shall be posted, and how many queues shared the pool when that was reckoned. */
  #target = 0
  #sharedBy = 0
  /** Our side of each ring; the other side is in the shared words. */
  #at = 0
  #fillAt = 0
  #count = 0

  constructor({ transport, window }: NetQueueGrant<XdpTransport>, pool: FramePool, counters: NetCounters) {
    this.posted = new Uint8Array(window.frameCount)
    this.#pool = pool
    this.#counters = counters
    this.#ledger = new Ledger(transport.ledger, counters)
    this.#ring = viewRing(transport.rx)
    this.#fill = viewRing(transport.fill)
    this.#mask = transport.ringSize - 1
    this.#descriptor = transport.descriptor
    this.#shift = Math.log2(window.frameSize)
    this.#offsetMask = window.frameSize - 1
    this.#headroom = window.headroom
    this.#dataEnd = window.frameSize - window.tailroom
    this.#sharers = sharersOf(pool)
    this.#sharers.count++
    // What is posted cannot be taken back, and others may attach to this pool: the rest follows at the first `receive`.
    this.#fillUp(Math.min(this.#share(), Math.max(FIRST_FRAMES, pool.frameCount >> 4)))
  }

  /** Whether packets wait. */
  get waiting(): boolean {
    return Atomics.load(this.#ring.producer, 0) !== this.#at
  }

  /** Moves received packets into the burst, from entry 0, and sets its count. */
  take(burst: NetBurst): void {
    const { producer, consumer, entries } = this.#ring
    const n = Math.min((Atomics.load(producer, 0) - this.#at) | 0, burst.capacity)
    if (n <= 0) return
    const pool = this.#pool
    const { posted } = this
    const { frame, offset, length, flags } = burst
    let at = this.#at
    let count = 0
    let bytes = 0
    for (let i = 0; i < n; i++) {
      const descriptor = (at & this.#mask) << 2
      at = (at + 1) | 0
      const address = entries[descriptor]
      const f = address >>> this.#shift
      const start = address & this.#offsetMask
      // Zeros: the ring was taken away after the control block was looked at. There is nothing to receive.
      if (f >= posted.length || posted[f] === 0 || start < this.#headroom) continue
      posted[f] = 0
      this.#count--
      const size = entries[descriptor + 2]
      if (start + size > this.#dataEnd) {
        pool.giveBack(f)
        this.#ledger.countTooLong()
        continue
      }
      pool.handOver(f)
      frame[count] = f
      offset[count] = start
      length[count] = size
      flags[count] = END_OF_PACKET
      bytes += size
      count++
    }
    this.#at = at
    Atomics.store(consumer, 0, at)
    burst.count = count
    const { values } = this.#counters
    values[RX_PACKETS] += count
    values[RX_BYTES] += bytes
  }

  /** Gives the kernel free frames to fill, up to this queue's share or as many as the pool has. */
  post(): void {
    if (this.#sharedBy !== this.#sharers.count) {
      this.#sharedBy = this.#sharers.count
      this.#target = this.#share()
    }
    if (this.#count < this.#target && this.#pool.available > 0) this.#fillUp(this.#target)
  }

  /** Half of the frames are for all queues of the pool, the other half for transmission and what the application keeps. */
  #share(): number {
    return Math.min(this.#mask + 1, Math.max(1, Math.floor(this.#pool.frameCount / 2 / this.#sharers.count)))
  }

  #fillUp(target: number): void {
    const pool = this.#pool
    const { producer, entries, flags } = this.#fill
    let at = this.#fillAt
    // At most `ringSize` frames are posted in all, so the fill ring has room for each.
    for (let want = target - this.#count; want > 0 && pool.available > 0; want--) {
      const f = pool.allocateForDevice()
      pool.lend(f, 0, 0)
      this.posted[f] = 1
      this.#count++
      // The upper word of an address is zero for ever: a window ends below 2 GiB.
      entries[(at & this.#mask) << 1] = f << this.#shift
      at = (at + 1) | 0
    }
    this.#fillAt = at
    Atomics.store(producer, 0, at)
    // Drivers with zero copy stop when they run out of frames; in copy mode the flag stays clear.
    if ((Atomics.load(flags, 0) & XDP_RING_NEED_WAKEUP) !== 0) {
      this.#recv(this.#descriptor, null, 0, MSG_DONTWAIT)
      this.#counters.values[WAKE_UPS]++
    }
  }

  /** After the socket is gone: every frame that it held goes back to the pool. */
  giveBack(): void {
    for (let frame = 0; frame < this.posted.length; frame++) {
      if (this.posted[frame] === 1) this.#pool.giveBack(frame)
    }
    this.posted.fill(0)
    this.#sharers.count--
    this.#count = 0
  }
}
