import {
  type AttachContext,
  ControlBlock,
  checkPacket,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
  type NetBurst,
  NetCounters,
  type NetQueue,
  type NetQueueGrant,
  ParakernelError,
  packetEntries,
  RX_BYTES,
  RX_DROPPED_NO_FRAME,
  RX_DROPPED_TOO_LONG,
  RX_PACKETS,
  refusePacket,
  TX_BYTES,
  TX_DROPPED,
  TX_PACKETS,
  TX_RING_FULL,
  type WakeSource,
  WakeWord,
} from '@parakernel/hal'
import { PacketRing } from './packet-ring.ts'

export interface LoopbackTransport {
  /** Tells this grant from a later one of the same queue. */
  readonly serial: number
  readonly toDevice: SharedArrayBuffer
  readonly fromDevice: SharedArrayBuffer
}

/** The data half. It runs in the holder's thread and touches nothing but shared memory. */
export class LoopbackQueue implements NetQueue {
  readonly grant: NetQueueGrant<LoopbackTransport>
  readonly pool: FramePool
  readonly control: ControlBlock
  readonly counters: NetCounters
  readonly wake: WakeSource
  readonly #toDevice: PacketRing
  readonly #fromDevice: PacketRing
  /** Where received data starts in a frame, and how much of it fits. */
  readonly #room: number

  constructor(grant: NetQueueGrant<LoopbackTransport>, { pool }: AttachContext) {
    this.grant = grant
    this.pool = pool
    this.control = new ControlBlock(grant.control)
    this.counters = new NetCounters(grant.counters)
    this.wake = { kind: 'word', word: new WakeWord(grant.window.wake) }
    this.#toDevice = new PacketRing(grant.transport.toDevice)
    this.#fromDevice = new PacketRing(grant.transport.fromDevice)
    this.#room = pool.frameSize - pool.headroom - grant.window.tailroom
    // Exactly one attach wins, whichever thread it comes from.
    if (!this.control.transition(GRANT_FREE, GRANT_ATTACHED)) {
      throw new ParakernelError('ESTALE', 'the grant was used or reclaimed', {
        subject: `${grant.device} queue ${grant.queue}`,
        remedy: 'Ask the control thread for a new grant',
      })
    }
  }

  get capabilities() {
    return this.grant.capabilities
  }

  receive(burst: NetBurst): number {
    const { pool } = this
    const counted = this.counters.values
    burst.count = 0
    if (this.control.state !== GRANT_ATTACHED) return 0
    while (burst.count < burst.capacity && this.#toDevice.size > 0) {
      const length = this.#toDevice.nextLength
      const frame = length > this.#room ? -1 : pool.allocateForDevice()
      if (frame < 0) {
        counted[length > this.#room ? RX_DROPPED_TOO_LONG : RX_DROPPED_NO_FRAME]++
        this.#toDevice.drop()
        continue
      }
      this.#toDevice.take(pool.bytes, pool.address(frame) + pool.headroom)
      burst.push(frame, pool.headroom, length)
      counted[RX_PACKETS]++
      counted[RX_BYTES] += length
    }
    return burst.count
  }

  transmit(burst: NetBurst, start = 0): number {
    const { pool } = this
    const counted = this.counters.values
    burst.refused = 0
    if (this.control.state !== GRANT_ATTACHED) return 0
    let at = start
    while (at < burst.count) {
      const entries = packetEntries(burst, at)
      const fault = checkPacket(burst, at, entries, pool, this.capabilities)
      if (fault >= 0) {
        refusePacket(burst, at, entries, fault, counted)
      } else if (this.#fromDevice.full) {
        counted[TX_RING_FULL]++
        break
      } else {
        // `maxChain` is 1, so the packet is this one entry.
        const frame = burst.frame[at]
        const length = burst.length[at]
        pool.lend(frame, burst.offset[at], length)
        if (this.control.linkUp) {
          this.#fromDevice.push(pool.bytes, pool.address(frame) + burst.offset[at], length)
          counted[TX_PACKETS]++
          counted[TX_BYTES] += length
        } else counted[TX_DROPPED]++
        pool.giveBack(frame)
      }
      at += entries
    }
    return at - start
  }

  /** A transmission is complete when `transmit` returns. */
  reap(): number {
    return 0
  }

  arm(): boolean {
    return this.#toDevice.size > 0
  }

  setReceiveFilter(): void {
    throw new ParakernelError('ENOTSUP', 'receives everything', { subject: this.grant.device })
  }

  /** Holds no frames between calls, so that there are none to give back. */
  detach(): void {
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
  }
}
