import {
  type AttachContext,
  ControlBlock,
  checkPacket,
  END_OF_PACKET,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
  type NetBurst,
  type NetCapabilities,
  NetCounters,
  type NetQueue,
  type NetQueueGrant,
  ParakernelError,
  packetEntries,
  type ReceiveFilter,
  RX_BYTES,
  RX_PACKETS,
  refusePacket,
  TX_BYTES,
  TX_INVALID_DESCRIPTORS,
  TX_PACKETS,
  TX_RING_FULL,
  TX_TOO_LONG,
  WAKE_UPS,
  type WakeSource,
} from '@parakernel/hal'
import { calls, XDP_RING_NEED_WAKEUP } from '@parakernel/linux'
import { Ledger } from '../ledger.ts'
import { acknowledge, retire } from '../retire.ts'
import type { XdpTransport } from '../transport.ts'
import { checkGrant } from './check-grant.ts'
import { type RingView, viewRing } from './ring-view.ts'

const MSG_DONTWAIT = 0x40
const ETHERNET_HEADER = 14
/** System calls that one kick may make: each takes what the kernel's budget allows, or it makes no progress. */
const MAX_KICKS = 8

/**
 * The data half of a queue: four rings in memory that the kernel shares. Per packet it costs a few plain loads and stores,
 * per burst one or two atomic operations a ring; the only system call is the kick that makes the kernel send.
 *
 * Every frame that the kernel may touch is recorded: `#posted` are those in the fill or receive ring, `#sending` those in
 * the transmit or completion ring. Nothing that the rings say is believed unless the record agrees.
 */
export class AfXdpQueue implements NetQueue {
  readonly grant: NetQueueGrant<XdpTransport>
  readonly pool: FramePool
  readonly capabilities: NetCapabilities
  readonly control: ControlBlock
  readonly counters: NetCounters
  readonly wake: WakeSource

  readonly #rx: RingView
  readonly #tx: RingView
  readonly #fill: RingView
  readonly #completion: RingView
  readonly #mask: number
  readonly #ringSize: number
  readonly #descriptor: number
  readonly #sendto = calls().sendto
  readonly #recv = calls().recv

  /** 1 for a frame that waits to be filled. */
  readonly #posted: Uint8Array
  /** Transmissions under way of each frame: a shared frame may have several. */
  readonly #sending: Uint16Array
  /** A frame's index is the upper bits of its address, its offset the lower ones. */
  readonly #shift: number
  readonly #offsetMask: number
  readonly #headroom: number
  readonly #ledger: Ledger
  readonly #dataEnd: number
  readonly #postTarget: number

  /** Our side of each ring; the other side is in the shared words. */
  #rxAt = 0
  #txAt = 0
  #fillAt = 0
  #completionAt = 0
  #postedCount = 0
  #inFlight = 0
  /** Descriptors that the kernel has not taken yet: nobody but us will make it. */
  #unsent = false
  #epoch = 0
  #live = false
  #detached = false
  #maxPacket = 0

  constructor(grant: NetQueueGrant<XdpTransport>, { pool }: AttachContext) {
    checkGrant(grant, pool)
    const { transport, window } = grant
    this.control = new ControlBlock(grant.control)
    if (!this.control.transition(GRANT_FREE, GRANT_ATTACHED)) {
      throw new ParakernelError('ESTALE', 'the grant is in use, or was given back or taken away', {
        subject: `${grant.device} queue ${grant.queue}`,
        remedy: 'Ask the device for a new grant',
      })
    }
    this.grant = grant
    this.pool = pool
    this.capabilities = grant.capabilities
    this.counters = new NetCounters(grant.counters)
    this.wake = { kind: 'descriptor', fd: transport.descriptor }
    this.#rx = viewRing(transport.rx)
    this.#tx = viewRing(transport.tx)
    this.#fill = viewRing(transport.fill)
    this.#completion = viewRing(transport.completion)
    this.#ringSize = transport.ringSize
    this.#mask = transport.ringSize - 1
    this.#descriptor = transport.descriptor
    this.#posted = new Uint8Array(window.frameCount)
    this.#sending = new Uint16Array(window.frameCount)
    this.#shift = Math.log2(window.frameSize)
    this.#offsetMask = window.frameSize - 1
    this.#headroom = window.headroom
    this.#ledger = new Ledger(transport.ledger, this.counters)
    this.#dataEnd = window.frameSize - window.tailroom
    // Half of the frames at most: the other half is for transmission and for what the application keeps.
    this.#postTarget = Math.min(transport.ringSize, Math.max(1, window.frameCount >> 1))
    this.#readControl()
    this.#post()
  }

  receive(burst: NetBurst): number {
    burst.count = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    if (this.#unsent) this.#kick()
    if (this.#inFlight > 0) this.#complete()
    const ring = this.#rx
    let entries = (Atomics.load(ring.producer, 0) - this.#rxAt) | 0
    if (entries > burst.capacity) entries = burst.capacity
    if (entries > 0) this.#take(burst, entries)
    if (this.#postedCount < this.#postTarget && this.pool.available > 0) this.#post()
    return burst.count
  }

  transmit(burst: NetBurst, start = 0): number {
    burst.refused = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    if (this.#inFlight > 0) this.#complete()
    const { frame, offset, length, flags, count } = burst
    const { pool } = this
    const maxPacket = this.#maxPacket
    const frameSize = pool.frameSize
    const shift = this.#shift
    const posted = this.#posted
    const sending = this.#sending
    const entries = this.#tx.entries
    const mask = this.#mask
    const values = this.counters.values
    // The completion ring is as long as this one, so it cannot overflow either.
    let room = this.#ringSize - this.#inFlight
    let at = this.#txAt
    let bytes = 0
    let i = start
    while (i < count) {
      const f = frame[i]
      const from = offset[i]
      const size = length[i]
      // What nearly every packet is; the rest takes the long way.
      const plain =
        flags[i] === END_OF_PACKET &&
        from >= 0 &&
        size >= ETHERNET_HEADER &&
        size <= maxPacket &&
        from + size <= frameSize &&
        posted[f] === 0 &&
        pool.holds(f)
      if (!plain) {
        const n = this.#examine(burst, i)
        if (n > 0) {
          i += n
          continue
        }
      }
      if (room === 0) break
      const descriptor = (at & mask) << 2
      entries[descriptor] = (f << shift) | from
      entries[descriptor + 2] = size
      pool.lend(f, from, size)
      sending[f]++
      bytes += size
      at = (at + 1) | 0
      room--
      i++
    }
    const accepted = (at - this.#txAt) | 0
    if (accepted > 0) {
      this.#txAt = at
      this.#inFlight += accepted
      Atomics.store(this.#tx.producer, 0, at)
      values[TX_PACKETS] += accepted
      values[TX_BYTES] += bytes
      this.#unsent = true
    }
    if (this.#unsent) this.#kick()
    if (i < count) values[TX_RING_FULL]++
    return i - start
  }

  /** A packet that is not plainly good: refuses it and returns its entries, or returns 0 if it may be sent after all. */
  #examine(burst: NetBurst, i: number): number {
    const n = packetEntries(burst, i)
    let reason = checkPacket(burst, i, n, this.pool, this.capabilities)
    if (reason < 0 && burst.length[i] > this.#maxPacket) reason = TX_TOO_LONG
    // Less than a header is no Ethernet frame, and a frame that waits to be filled is not the caller's to send.
    if (
      reason !== TX_INVALID_DESCRIPTORS &&
      (this.#posted[burst.frame[i]] === 1 || burst.length[i] < ETHERNET_HEADER)
    ) {
      reason = TX_INVALID_DESCRIPTORS
    }
    if (reason < 0) return 0
    refusePacket(burst, i, n, reason, this.counters.values)
    return n
  }

  reap(): number {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    if (this.#unsent) this.#kick()
    return this.#inFlight > 0 ? this.#complete() : 0
  }

  /** The descriptor is readable for as long as the receive ring has entries, so there is nothing to ask for. */
  arm(): boolean {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return false
    if (this.#unsent) this.#kick()
    return this.#unsent || Atomics.load(this.#rx.producer, 0) !== this.#rxAt
  }

  setReceiveFilter(_filter: ReceiveFilter): void {
    throw new ParakernelError('ENOTSUP', 'the receive filter of the interface is not ours to change', {
      subject: `${this.grant.device} queue ${this.grant.queue}`,
      remedy: `Change it on the interface: ip link set ${this.grant.device} promisc on, or allmulticast on`,
    })
  }

  detach(): void {
    if (this.#detached) return
    this.#detached = true
    this.#live = false
    // After a reclaim or a removal the state stays what it is.
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
    retire(this.grant)
    acknowledge(this.grant.transport)
    for (let frame = 0; frame < this.#posted.length; frame++) {
      if (this.#posted[frame] === 1) this.pool.giveBack(frame)
      for (let n = this.#sending[frame]; n > 0; n--) this.pool.giveBack(frame)
    }
    this.#posted.fill(0)
    this.#sending.fill(0)
    this.#postedCount = 0
    this.#inFlight = 0
  }

  /** Moves `n` received descriptors into the burst, and lets the kernel have their slots again. */
  #take(burst: NetBurst, n: number): void {
    const entries = this.#rx.entries
    const posted = this.#posted
    const { pool } = this
    const { frame, offset, length, flags } = burst
    let at = this.#rxAt
    let count = 0
    let bytes = 0
    for (let i = 0; i < n; i++) {
      const descriptor = (at & this.#mask) << 2
      at = (at + 1) | 0
      const address = entries[descriptor]
      const f = address >>> this.#shift
      const start = address & this.#offsetMask
      // Zeros: the ring was taken away after we looked at the control block. There is nothing to receive.
      if (f >= posted.length || posted[f] === 0 || start < this.#headroom) continue
      posted[f] = 0
      this.#postedCount--
      const end = start + entries[descriptor + 2]
      if (end > this.#dataEnd) {
        pool.giveBack(f)
        this.#ledger.countTooLong()
        continue
      }
      pool.handOver(f)
      frame[count] = f
      offset[count] = start
      length[count] = end - start
      flags[count] = END_OF_PACKET
      bytes += end - start
      count++
    }
    this.#rxAt = at
    Atomics.store(this.#rx.consumer, 0, at)
    burst.count = count
    const { values } = this.counters
    values[RX_PACKETS] += count
    values[RX_BYTES] += bytes
  }

  /** Gives the kernel free frames to fill, up to the target or as many as the pool has. */
  #post(): void {
    const { pool } = this
    const entries = this.#fill.entries
    let at = this.#fillAt
    // At most `ringSize` frames are posted in all, so the fill ring has room for each.
    for (let want = this.#postTarget - this.#postedCount; want > 0 && pool.available > 0; want--) {
      const f = pool.allocateForDevice()
      pool.lend(f, 0, 0)
      this.#posted[f] = 1
      this.#postedCount++
      // The upper word of an address is zero for ever: a window ends below 2 GiB.
      entries[(at & this.#mask) << 1] = f << this.#shift
      at = (at + 1) | 0
    }
    this.#fillAt = at
    Atomics.store(this.#fill.producer, 0, at)
    // Drivers with zero copy stop when they run out of frames; in copy mode the flag stays clear.
    if ((Atomics.load(this.#fill.flags, 0) & XDP_RING_NEED_WAKEUP) !== 0) {
      this.#recv(this.#descriptor, null, 0, MSG_DONTWAIT)
      this.counters.values[WAKE_UPS]++
    }
  }

  /** Takes back the frames of completed transmissions. */
  #complete(): number {
    const ring = this.#completion
    const n = (Atomics.load(ring.producer, 0) - this.#completionAt) | 0
    if (n <= 0) return 0
    const { pool } = this
    let at = this.#completionAt
    let done = 0
    for (let i = 0; i < n; i++) {
      const f = ring.entries[(at & this.#mask) << 1] >>> this.#shift
      at = (at + 1) | 0
      if (f >= this.#sending.length || this.#sending[f] === 0) continue
      this.#sending[f]--
      pool.giveBack(f)
      done++
    }
    this.#completionAt = at
    this.#inFlight -= done
    Atomics.store(ring.consumer, 0, at)
    return done
  }

  /** Makes the kernel take what is in the transmit ring; remembers in `#unsent` what it leaves. */
  #kick(): void {
    const ring = this.#tx
    if ((Atomics.load(ring.flags, 0) & XDP_RING_NEED_WAKEUP) === 0) {
      this.#unsent = false
      return
    }
    let taken = Atomics.load(ring.consumer, 0)
    for (let i = 0; i < MAX_KICKS && taken !== this.#txAt; i++) {
      this.#sendto(this.#descriptor, null, 0, MSG_DONTWAIT, null, 0)
      this.counters.values[WAKE_UPS]++
      const now = Atomics.load(ring.consumer, 0)
      // Link down, or the socket's send buffer is full: try again at the next poll.
      if (now === taken) break
      taken = now
    }
    this.#unsent = taken !== this.#txAt
  }

  #readControl(): void {
    this.#epoch = this.control.epoch
    this.#live = this.control.state === GRANT_ATTACHED
    this.#maxPacket = this.control.mtu + ETHERNET_HEADER
  }
}
