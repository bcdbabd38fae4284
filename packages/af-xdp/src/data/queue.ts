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
  ParakernelError,
  type ReceiveFilter,
  takeControl,
  type WakeSource,
} from '@parakernel/hal'
import { ETHERNET_HEADER } from '../ethernet.ts'
import { acknowledge, retire } from '../retire.ts'
import { applyReceiveFilter } from '../steering/queue-filter.ts'
import type { XdpTransport } from '../transport.ts'
import { checkGrant } from './check-grant.ts'
import { ReceiveSide } from './receive-side.ts'
import { TransmitSide } from './transmit-side.ts'

/**
 * The data half of a queue: four rings in memory that the kernel shares. Per packet it costs a few plain loads and stores,
 * per burst one or two atomic operations a ring; the only system call is the kick that makes the kernel send.
 *
 * Every call first compares the control block's epoch: a queue that was reclaimed, or whose interface is gone, answers 0.
 */
export class AfXdpQueue implements NetQueue {
  readonly grant: NetQueueGrant<XdpTransport>
  readonly pool: FramePool
  readonly capabilities: NetCapabilities
  readonly control: ControlBlock
  readonly counters: NetCounters
  readonly wake: WakeSource
  readonly #receive: ReceiveSide
  readonly #transmit: TransmitSide
  #epoch = 0
  #live = false
  #detached = false
  /** Longest packet at the interface's present MTU. */
  #maxPacket = 0

  /** Throws ESTALE for a grant that is in use or over, ENOTSUP in another process, EINVAL for a pool of another window. */
  constructor(grant: NetQueueGrant<XdpTransport>, { pool }: AttachContext) {
    checkGrant(grant, pool)
    this.control = takeControl(grant.control, `${grant.device} queue ${grant.queue}`)
    this.grant = grant
    this.pool = pool
    this.capabilities = grant.capabilities
    this.counters = new NetCounters(grant.counters)
    this.wake = { kind: 'descriptor', fd: grant.transport.descriptor }
    this.#receive = new ReceiveSide(grant, pool, this.counters)
    this.#transmit = new TransmitSide(grant, pool, this.counters, this.#receive.posted)
    this.#readControl()
  }

  receive(burst: NetBurst): number {
    burst.count = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    if (this.#transmit.unsent) this.#transmit.kick()
    if (this.#transmit.inFlight > 0) this.#transmit.complete()
    this.#receive.take(burst)
    this.#receive.post()
    return burst.count
  }

  transmit(burst: NetBurst, start = 0): number {
    burst.refused = 0
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    if (this.#transmit.inFlight > 0) this.#transmit.complete()
    const consumed = this.#transmit.accept(burst, start, this.#maxPacket)
    if (this.#transmit.unsent) this.#transmit.kick()
    return consumed
  }

  reap(): number {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return 0
    if (this.#transmit.unsent) this.#transmit.kick()
    return this.#transmit.inFlight > 0 ? this.#transmit.complete() : 0
  }

  /** The descriptor is readable for as long as the receive ring has entries, so there is nothing to ask for. */
  arm(): boolean {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return false
    if (this.#transmit.unsent) this.#transmit.kick()
    return this.#transmit.unsent || this.#receive.waiting
  }

  setReceiveFilter(filter: ReceiveFilter): void {
    if (this.control.epoch !== this.#epoch) this.#readControl()
    if (!this.#live) return
    const { queue, transport } = this.grant
    if (transport.filter === undefined) throw leasedFilter(this.grant)
    applyReceiveFilter(transport.filter, queue, filter)
  }

  detach(): void {
    if (this.#detached) return
    this.#detached = true
    const leased = this.grant.transport.filter === undefined
    if (this.control.state === GRANT_ATTACHED && !leased) this.setReceiveFilter({})
    this.#live = false
    // After a reclaim or a removal the state stays what it is.
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
    retire(this.grant)
    acknowledge(this.grant.transport)
    // The control plane has a leased socket as well, and until it closes that the kernel may fill and send what it was given.
    if (leased) return
    this.#receive.giveBack()
    this.#transmit.giveBack()
  }

  #readControl(): void {
    this.#epoch = this.control.epoch
    this.#live = this.control.state === GRANT_ATTACHED
    this.#maxPacket = this.control.mtu + ETHERNET_HEADER
  }
}

function leasedFilter({ device, queue }: NetQueueGrant): ParakernelError {
  return new ParakernelError('ENOTSUP', "the receive filter is the control plane's", {
    subject: `${device} queue ${queue}`,
    remedy: 'List the groups in the addresses of the device, or open it with take: all',
  })
}
