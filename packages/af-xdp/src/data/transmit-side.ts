import {
  CHECKSUM_WANTED,
  checkPacket,
  END_OF_PACKET,
  type FramePool,
  type NetBurst,
  type NetCapabilities,
  type NetCounters,
  type NetQueueGrant,
  packetEntries,
  refusePacket,
  TX_BYTES,
  TX_INVALID_DESCRIPTORS,
  TX_PACKETS,
  TX_RING_FULL,
  TX_TOO_LONG,
  WAKE_UPS,
} from '@parakernel/hal'
import { calls, MSG_DONTWAIT, XDP_RING_NEED_WAKEUP, XDP_TX_METADATA, XDP_TXMD_FLAGS_CHECKSUM } from '@parakernel/linux'
import { ETHERNET_HEADER } from '../ethernet.ts'
import type { XdpTransport } from '../transport.ts'
import { type RingView, viewRing } from './ring-view.ts'

/** Flags of a packet whose checksum is asked for, and nothing else. */
const PLAIN_WANTED = END_OF_PACKET | CHECKSUM_WANTED

/** System calls that one kick may make: each takes what the kernel's budget allows, or it makes no progress. */
const MAX_KICKS = 8

/**
 * The transmit and the completion ring. Budget: 50 ns a packet, and one system call a burst, in which the kernel sends.
 *
 * `#sending` records every frame that the kernel may read; a shared frame may be under way several times.
 */
export class TransmitSide {
  /** Packets that were accepted and are not completed. */
  inFlight = 0
  /** Descriptors are in the ring that the kernel has not taken yet: nobody but us will make it. */
  unsent = false
  readonly #pool: FramePool
  readonly #capabilities: NetCapabilities
  readonly #counters: NetCounters
  readonly #posted: Uint8Array
  readonly #sending: Uint16Array
  readonly #ring: RingView
  readonly #completion: RingView
  readonly #ringSize: number
  readonly #mask: number
  readonly #shift: number
  readonly #descriptor: number
  /** Bytes before each packet that the kernel reads as metadata, or 0. */
  readonly #metadata: number
  readonly #sendto = calls().sendto
  #at = 0
  #completionAt = 0

  /** `posted` is the receive side's record: a frame that waits to be filled is not the caller's to send. */
  constructor(grant: NetQueueGrant<XdpTransport>, pool: FramePool, counters: NetCounters, posted: Uint8Array) {
    const { transport, window } = grant
    this.#pool = pool
    this.#capabilities = grant.capabilities
    this.#counters = counters
    this.#posted = posted
    this.#sending = new Uint16Array(window.frameCount)
    this.#ring = viewRing(transport.tx)
    this.#completion = viewRing(transport.completion)
    this.#ringSize = transport.ringSize
    this.#mask = transport.ringSize - 1
    this.#shift = Math.log2(window.frameSize)
    this.#descriptor = transport.descriptor
    this.#metadata = transport.metadataBytes
  }

  /** As `NetQueue.transmit`, with the longest packet that the interface takes at present. */
  accept(burst: NetBurst, start: number, maxPacket: number): number {
    const { frame, offset, length, flags, count } = burst
    const pool = this.#pool
    const posted = this.#posted
    const sending = this.#sending
    const { entries, producer } = this.#ring
    const mask = this.#mask
    const shift = this.#shift
    const { frameSize } = pool
    const metadata = this.#metadata
    // The completion ring is as long as this one, so it cannot overflow either.
    let room = this.#ringSize - this.inFlight
    let at = this.#at
    let bytes = 0
    let i = start
    while (i < count) {
      const f = frame[i]
      const from = offset[i]
      const size = length[i]
      // What nearly every packet is; the rest takes the long way.
      const asks = flags[i] === PLAIN_WANTED
      const plain =
        (flags[i] === END_OF_PACKET || (asks && this.#sums(burst, i))) &&
        from >= metadata &&
        size >= ETHERNET_HEADER &&
        size <= maxPacket &&
        from + size <= frameSize &&
        posted[f] === 0 &&
        pool.holds(f)
      if (!plain) {
        const refused = this.#examine(burst, i, maxPacket)
        if (refused > 0) {
          i += refused
          continue
        }
      }
      if (room === 0) break
      const descriptor = (at & mask) << 2
      entries[descriptor] = (f << shift) | from
      entries[descriptor + 2] = size
      entries[descriptor + 3] = asks ? this.#ask(burst, i) : 0
      pool.lend(f, from, size)
      sending[f]++
      bytes += size
      at = (at + 1) | 0
      room--
      i++
    }
    const accepted = (at - this.#at) | 0
    const { values } = this.#counters
    if (accepted > 0) {
      this.#at = at
      this.inFlight += accepted
      Atomics.store(producer, 0, at)
      values[TX_PACKETS] += accepted
      values[TX_BYTES] += bytes
      this.unsent = true
    }
    if (i < count) values[TX_RING_FULL]++
    return i - start
  }

  /** Whether the checksum that a packet asks for can be: the device computes, and the field lies in the packet. */
  #sums({ checksumStart, checksumOffset, length }: NetBurst, i: number): boolean {
    const start = checksumStart[i]
    const offset = checksumOffset[i]
    return this.#metadata > 0 && start >= 0 && offset >= 0 && start + offset + 2 <= length[i]
  }

  /** Writes before the packet where its checksum starts and belongs; returns the descriptor's options. */
  #ask(burst: NetBurst, i: number): number {
    const { view } = this.#pool
    const at = this.#pool.address(burst.frame[i]) + burst.offset[i] - this.#metadata
    view.setInt32(at, XDP_TXMD_FLAGS_CHECKSUM, true)
    view.setInt32(at + 4, 0, true)
    view.setInt16(at + 8, burst.checksumStart[i], true)
    view.setInt16(at + 10, burst.checksumOffset[i], true)
    return XDP_TX_METADATA
  }

  /** A packet that is not plainly good: refuses it and returns its entries, or returns 0 if it may be sent after all. */
  #examine(burst: NetBurst, i: number, maxPacket: number): number {
    const n = packetEntries(burst, i)
    let reason = checkPacket(burst, i, n, this.#pool, this.#capabilities)
    if (reason < 0 && burst.length[i] > maxPacket) reason = TX_TOO_LONG
    // Less than a header is no Ethernet frame.
    if (
      reason !== TX_INVALID_DESCRIPTORS &&
      (this.#posted[burst.frame[i]] === 1 || burst.length[i] < ETHERNET_HEADER || burst.offset[i] < this.#metadata)
    ) {
      reason = TX_INVALID_DESCRIPTORS
    }
    if (reason < 0) return 0
    refusePacket(burst, i, n, reason, this.#counters.values)
    return n
  }

  /** Takes back the frames of completed transmissions; returns how many. */
  complete(): number {
    const { producer, consumer, entries } = this.#completion
    const n = (Atomics.load(producer, 0) - this.#completionAt) | 0
    if (n <= 0) return 0
    const pool = this.#pool
    let at = this.#completionAt
    let done = 0
    for (let i = 0; i < n; i++) {
      const f = entries[(at & this.#mask) << 1] >>> this.#shift
      at = (at + 1) | 0
      if (f >= this.#sending.length || this.#sending[f] === 0) continue
      this.#sending[f]--
      pool.giveBack(f)
      done++
    }
    this.#completionAt = at
    this.inFlight -= done
    Atomics.store(consumer, 0, at)
    return done
  }

  /** Makes the kernel take what is in the ring; remembers in `unsent` whether it left something. */
  kick(): void {
    const { consumer, flags } = this.#ring
    if ((Atomics.load(flags, 0) & XDP_RING_NEED_WAKEUP) === 0) {
      this.unsent = false
      return
    }
    let taken = Atomics.load(consumer, 0)
    for (let i = 0; i < MAX_KICKS && taken !== this.#at; i++) {
      this.#sendto(this.#descriptor, null, 0, MSG_DONTWAIT, null, 0)
      this.#counters.values[WAKE_UPS]++
      const now = Atomics.load(consumer, 0)
      // Link down, or the socket's send buffer is full: try again at the next poll.
      if (now === taken) break
      taken = now
    }
    this.unsent = taken !== this.#at
  }

  /** After the socket is gone: every frame that it held goes back to the pool. */
  giveBack(): void {
    for (let frame = 0; frame < this.#sending.length; frame++) {
      for (let n = this.#sending[frame]; n > 0; n--) this.#pool.giveBack(frame)
    }
    this.#sending.fill(0)
    this.inFlight = 0
  }
}
