import {
  type AttachContext,
  type ControlBlock,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  type NetBurst,
  type NetCapabilities,
  NetCounters,
  type NetQueue,
  type NetQueueGrant,
  type Poller,
  type ReceiveFilter,
  takeControl,
  type WakeSource,
} from '@parakernel/hal'
import { DescriptorPoller } from '@parakernel/linux'
import { ETHERNET_HEADER } from '../ethernet.ts'
import { FilterTable } from '../filter-table.ts'
import type { TapTransport } from '../transport.ts'
import { checkGrant } from './check-grant.ts'
import { ReceiveSide } from './receive-side.ts'
import { TransmitSide } from './transmit-side.ts'

/**
 * The data half of a queue: one system call a packet, which is what a TAP device offers. The kernel copies in either direction
 * and keeps no frame: the only ones that the queue holds lie ready for the next packet.
 *
 * Every call first compares the control block's epoch: a queue that was reclaimed, or whose interface is gone, answers 0.
 */
export class TapQueue implements NetQueue {
  readonly grant: NetQueueGrant<TapTransport>
  readonly pool: FramePool
  readonly capabilities: NetCapabilities
  readonly control: ControlBlock
  readonly counters: NetCounters
  readonly wake: WakeSource
  readonly #receive: ReceiveSide
  readonly #transmit: TransmitSide
  readonly #poller: Poller
  #epoch = 0
  #live = false
  #detached = false
  /** Longest packet at the interface's present MTU. */
  #maxPacket = 0

  /** Throws ESTALE for a grant that is in use or over, ENOTSUP in another process, EINVAL for a pool of another window. */
  constructor(grant: NetQueueGrant<TapTransport>, { pool }: AttachContext) {
    checkGrant(grant, pool)
    this.control = takeControl(grant.control, `${grant.device} queue ${grant.queue}`)
    this.grant = grant
    this.pool = pool
    this.capabilities = grant.capabilities
    this.counters = new NetCounters(grant.counters)
    this.wake = { kind: 'descriptor', fd: grant.transport.descriptor }
    this.#receive = new ReceiveSide(grant, pool, this.counters)
    this.#transmit = new TransmitSide(grant, pool, this.counters)
    this.#poller = new DescriptorPoller([grant.transport.descriptor])
    this.#readControl()
  }

  receive(burst: NetBurst): number {
    burst.count = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    this.#receive.take(burst)
    return burst.count
  }

  transmit(burst: NetBurst, start = 0): number {
    burst.refused = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    return this.#transmit.accept(burst, start, this.#maxPacket)
  }

  /** A frame is free again when `transmit` returns: there is nothing to wait for. */
  reap(): number {
    return 0
  }

  /** The descriptor is readable for as long as packets wait, so there is nothing to ask for. */
  arm(): boolean {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return false
    return this.#receive.waiting || this.#poller.wait(0) > 0
  }

  setReceiveFilter(filter: ReceiveFilter): void {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (this.#live) new FilterTable(this.grant.transport.filter).set(this.grant.queue, filter)
  }

  detach(): void {
    if (this.#detached) return
    this.#detached = true
    if (this.control.state === GRANT_ATTACHED) this.setReceiveFilter({})
    this.#live = false
    // After a reclaim or a removal the state stays what it is.
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
    Atomics.store(new Int32Array(this.grant.transport.released), 0, 1)
    this.#receive.giveBack()
  }

  #readControl(): void {
    this.#epoch = this.control.epoch
    this.#live = this.control.state === GRANT_ATTACHED
    this.#maxPacket = this.control.mtu + ETHERNET_HEADER
  }
}
