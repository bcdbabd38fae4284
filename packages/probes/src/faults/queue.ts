import {
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  CHECKSUM_WANTED,
  type Clock,
  checkPacket,
  DEFAULT_BURST,
  ForwardingQueue,
  GRANT_ATTACHED,
  NetBurst,
  type NetQueue,
  type NetQueueGrant,
  packetEntries,
  REFUSED,
  RX_BYTES,
  RX_DROPPED_FAULT,
  RX_DROPPED_TOO_LONG,
  RX_PACKETS,
  refusePacket,
  SEGMENT_ANY,
  TX_DROPPED,
  TX_RING_FULL,
} from '@parakernel/hal'
import { DelayLine } from './delay-line.ts'
import { copyPacket, flipBit, ownsAll, packetBytes } from './packet.ts'
import { FaultPath, RECEIVE, TRANSMIT } from './path.ts'
import type { FaultSettings } from './settings.ts'

/**
 * A queue whose packets suffer. Received ones pass through the delay line on their way to the holder, transmitted ones on
 * their way to the device; without a delay they leave it in the same call. Allocates nothing after construction.
 *
 * The wrapped queue has counted a received packet before it is lost here, so that a loss moves it from `rxPackets` and
 * `rxBytes` to `rxDroppedFault`, and a duplicate adds to them: the counters say what the holder got.
 */
export class FaultQueue extends ForwardingQueue {
  readonly #clock: Clock
  readonly #counted: Float64Array
  readonly #receive: FaultPath
  readonly #transmit: FaultPath
  /** What came from the wrapped queue and has not been decided on; empty between calls. */
  readonly #arrived: NetBurst
  /** What is due and the wrapped queue has not taken, from `#leavingFrom` on. */
  readonly #leaving: NetBurst
  #leavingFrom = 0
  /** One packet whose fate is being decided. */
  readonly #packet: NetBurst

  constructor(inner: NetQueue, grant: NetQueueGrant, settings: FaultSettings, clock: Clock) {
    super(inner, grant)
    const { columns, maxChain } = this.capabilities
    const { seed, capacity } = settings
    const path = (direction: number, of: FaultSettings['receive']) =>
      new FaultPath(of, seed, grant.queue, direction, new DelayLine(capacity, columns))
    this.#clock = clock
    this.#counted = this.counters.values
    this.#receive = path(RECEIVE, settings.receive)
    this.#transmit = path(TRANSMIT, settings.transmit)
    this.#arrived = new NetBurst(Math.min(capacity / 2, Math.max(DEFAULT_BURST, maxChain)), columns)
    this.#leaving = new NetBurst(Math.max(DEFAULT_BURST, maxChain), columns)
    this.#packet = new NetBurst(Math.max(1, maxChain), columns)
  }

  receive(burst: NetBurst): number {
    if (this.#transmit.line.size > 0 || this.#leaving.count > 0) this.#flush()
    const path = this.#receive
    if (!path.active) return this.inner.receive(burst)
    burst.count = 0
    if (this.control.state !== GRANT_ATTACHED) {
      this.#dropAll()
      return 0
    }
    path.time[0] = this.#clock.now()
    // Room for a duplicate of each; without it the device's own ring holds back, or drops and counts.
    const arrived = this.#arrived
    if (path.line.room >= 2 * arrived.capacity) {
      this.inner.receive(arrived)
      for (let at = 0; at < arrived.count; ) {
        const entries = packetEntries(arrived, at)
        this.#takeIn(at, entries)
        at += entries
      }
      arrived.count = 0
    }
    path.deliver(burst)
    if (burst.count === 0 && path.isDue && path.line.nextEntries > burst.capacity) this.#dropTooLong()
    return burst.count
  }

  transmit(burst: NetBurst, start = 0): number {
    const path = this.#transmit
    if (!path.active) return this.inner.transmit(burst, start)
    burst.refused = 0
    if (this.control.state !== GRANT_ATTACHED) {
      this.#dropAll()
      return 0
    }
    path.time[0] = this.#clock.now()
    let at = start
    while (at < burst.count) {
      const entries = packetEntries(burst, at)
      const refusal = checkPacket(burst, at, entries, this.pool, this.capabilities)
      if (refusal >= 0) refusePacket(burst, at, entries, refusal, this.#counted)
      else if (path.line.room < 2 * entries) {
        this.#push()
        if (path.line.room < 2 * entries) {
          this.#counted[TX_RING_FULL]++
          break
        }
        this.#sendOut(burst, at, entries)
      } else this.#sendOut(burst, at, entries)
      at += entries
    }
    this.#push()
    return at - start
  }

  override reap(): number {
    if (this.#transmit.line.size > 0 || this.#leaving.count > 0) this.#flush()
    return this.inner.reap()
  }

  override arm(): boolean {
    const armed = this.inner.arm()
    if (this.#receive.line.size === 0 && this.#transmit.line.size === 0) return armed
    const now = this.#clock.now()
    return armed || this.#receive.line.next <= now || this.#transmit.line.next <= now
  }

  override nextEvent(): number {
    // What waits for room in the wrapped queue's ring is announced by nothing.
    if (this.#leaving.count > 0) return this.#clock.now()
    return Math.min(super.nextEvent(), this.#receive.line.next, this.#transmit.line.next)
  }

  override detach(): void {
    this.#dropAll()
    this.inner.detach()
  }

  /** Decides on a received packet. Its frames are this queue's. */
  #takeIn(at: number, entries: number): void {
    const path = this.#receive
    const arrived = this.#arrived
    const bytes = packetBytes(arrived, at, entries)
    // All three are drawn in any case, so that the fate of one packet does not shift that of the next.
    const lost = path.loses()
    const twice = path.duplicates()
    const spoilt = path.corrupts()
    if (lost || !path.schedule(bytes)) {
      this.#loseReceived(arrived, at, entries, bytes)
      return
    }
    if (spoilt) {
      flipBit(this.pool, arrived, at, path.bit(bytes))
      // A bit that flips on the way is not one that the device has vouched for.
      arrived.flags[at] &= ~(CHECKSUM_VERIFIED | CHECKSUM_PARTIAL)
    }
    path.line.add(arrived, at, entries)
    if (!twice || !copyPacket(this.pool, arrived, at, entries, this.#packet)) return
    path.line.add(this.#packet, 0, entries)
    this.#counted[RX_PACKETS]++
    this.#counted[RX_BYTES] += bytes
  }

  /** Decides on a packet to transmit, which has passed the check: its frames become this queue's. */
  #sendOut(burst: NetBurst, at: number, entries: number): void {
    const path = this.#transmit
    const bytes = packetBytes(burst, at, entries)
    const lost = path.loses()
    const twice = path.duplicates()
    const spoilt = path.corrupts()
    // A corrupt super-frame would leave as well-formed segments, because the device sums them; its loss is what the peer sees.
    if (lost || (spoilt && (burst.flags[at] & SEGMENT_ANY) !== 0) || !path.schedule(bytes)) {
      for (let i = at; i < at + entries; i++) this.pool.release(burst.frame[i])
      this.#counted[TX_DROPPED]++
      return
    }
    let source = burst
    let from = at
    // Readers may share the frames, and then the bit has to flip in a copy. Without a free frame it does not flip.
    if (spoilt && (ownsAll(this.pool, burst, at, entries) || copyPacket(this.pool, burst, at, entries, this.#packet))) {
      if (!ownsAll(this.pool, burst, at, entries)) {
        for (let i = at; i < at + entries; i++) this.pool.release(burst.frame[i])
        source = this.#packet
        from = 0
      }
      flipBit(this.pool, source, from, path.bit(bytes))
    }
    this.#lendToLine(source, from, entries, spoilt)
    if (!twice) return
    for (let i = from; i < from + entries; i++) this.pool.retain(source.frame[i])
    this.#lendToLine(source, from, entries, spoilt)
  }

  #lendToLine(source: NetBurst, at: number, entries: number, spoilt: boolean): void {
    const flags = source.flags[at]
    // Summed by the device, the flipped bit would count as right.
    if (spoilt) source.flags[at] = flags & ~CHECKSUM_WANTED
    for (let i = at; i < at + entries; i++) this.pool.lend(source.frame[i], source.offset[i], source.length[i])
    this.#transmit.line.add(source, at, entries)
    source.flags[at] = flags
  }

  #flush(): void {
    if (this.control.state !== GRANT_ATTACHED) {
      this.#dropAll()
      return
    }
    this.#transmit.time[0] = this.#clock.now()
    this.#push()
  }

  /** Hands what is due to the wrapped queue, until it takes no more. */
  #push(): void {
    const leaving = this.#leaving
    for (;;) {
      if (this.#leavingFrom === leaving.count) {
        this.#leavingFrom = 0
        leaving.count = 0
        this.#transmit.deliver(leaving)
        if (leaving.count === 0) return
        for (let i = 0; i < leaving.count; i++) this.pool.handOver(leaving.frame[i])
      }
      const from = this.#leavingFrom
      const done = this.inner.transmit(leaving, from)
      // Refused although it passed the check: counted by the wrapped queue, and nobody else's to release.
      if (leaving.refused > 0) {
        for (let i = from; i < from + done; i++) {
          if ((leaving.flags[i] & REFUSED) !== 0) this.pool.release(leaving.frame[i])
        }
      }
      this.#leavingFrom = from + done
      if (this.#leavingFrom < leaving.count) return
    }
  }

  #loseReceived(burst: NetBurst, at: number, entries: number, bytes: number): void {
    for (let i = at; i < at + entries; i++) this.pool.release(burst.frame[i])
    this.#counted[RX_PACKETS]--
    this.#counted[RX_BYTES] -= bytes
    this.#counted[RX_DROPPED_FAULT]++
  }

  /** A chain that no burst of this size holds would block the line for ever. */
  #dropTooLong(): void {
    const packet = this.#packet
    packet.count = 0
    const entries = this.#receive.line.takeTo(packet)
    this.#loseReceived(packet, 0, entries, packetBytes(packet, 0, entries))
    this.#counted[RX_DROPPED_FAULT]--
    this.#counted[RX_DROPPED_TOO_LONG]++
  }

  /** Gives back every frame that waits here, and counts its packet as dropped. */
  #dropAll(): void {
    const packet = this.#packet
    while (this.#receive.line.size > 0) {
      packet.count = 0
      const entries = this.#receive.line.takeTo(packet)
      this.#loseReceived(packet, 0, entries, packetBytes(packet, 0, entries))
    }
    while (this.#transmit.line.size > 0) {
      packet.count = 0
      const entries = this.#transmit.line.takeTo(packet)
      for (let i = 0; i < entries; i++) this.pool.giveBack(packet.frame[i])
      this.#counted[TX_DROPPED]++
    }
    const leaving = this.#leaving
    for (let at = this.#leavingFrom; at < leaving.count; ) {
      const entries = packetEntries(leaving, at)
      for (let i = at; i < at + entries; i++) this.pool.release(leaving.frame[i])
      this.#counted[TX_DROPPED]++
      at += entries
    }
    leaving.count = 0
    this.#leavingFrom = 0
  }
}
