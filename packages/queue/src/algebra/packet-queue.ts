import {
  type CompiledFilter,
  compileFilter,
  END_OF_PACKET,
  GRANT_ATTACHED,
  NetBurst,
  type NetQueue,
  PacketLayout,
  ParakernelError,
  type WakeSource,
} from '@parakernel/hal'
import type { Pollable } from '@parakernel/kernel'
import { ScatterGatherArray, type Segment } from '../scatter-gather.ts'
import type { QueueDescriptor, QueueToken } from '../types.ts'
import type { Element, ElementKind } from './element.ts'
import { FilterOffload, type SetPacketFilter } from './filter-offload.ts'
import type { Home } from './home.ts'
import { PacketSender } from './packet-sender.ts'
import { type Consumer, type GiveBack, QueueNode } from './queue-node.ts'

export interface PacketQueueOptions {
  /**
   * Installs an expression as the device's filter of this queue, or takes it away: `(e) => device.setPacketFilter(queue, e)` where the
   * control half is at hand; elsewhere a call to whoever has it. Its refusal is told by `explain`, and software filters instead.
   * Without it all filters run in software.
   */
  readonly setPacketFilter?: SetPacketFilter
  /**
   * Packets that no filter above takes, once there is one: `drop`, the default, as of a raw socket with a filter, and what a filter in
   * the device needs; then the queue itself cannot be popped. Or `keep`: they stay for its pops, and all filters run in software.
   */
  readonly others?: 'drop' | 'keep'
}

const BURST = 32
/** Polls in a row that nobody wanted, after which it leaves the loop: frames that wait in a ring keep a thread from sleeping. */
const QUIET_POLLS = 64

interface Above {
  readonly filter: Consumer
  /** Of an expression. */
  readonly match: CompiledFilter | undefined
}

/**
 * The frames of one device queue, Ethernet headers and all, without copies. They are received when somebody wants one: what
 * nobody wants stays in the device's ring, and is dropped there when it is full. Filters by expression run in the device if they can,
 * and otherwise on the burst as it lies, before anything is made of a packet.
 */
export class PacketQueue extends QueueNode implements Pollable {
  readonly qd: QueueDescriptor
  readonly wake: WakeSource
  override readonly elementKind: ElementKind = 'frame'
  /** Packets that no filter wanted, and those of a filter that nobody pops. */
  unwanted = 0
  readonly #device: NetQueue
  readonly #keeps: boolean
  readonly #offload: FilterOffload
  readonly #sender: PacketSender
  readonly #burst: NetBurst
  readonly #above: Above[] = []
  readonly #layout = new PacketLayout()
  /** Consumers and pops of the queue itself that have been: with `drop` there is no filter then. */
  #popped = false
  #inLoop = false
  #quiet = 0
  #closed = false
  readonly #leaveLoop = () => {
    if (!this.#inLoop || this.#isBusy) return
    this.#inLoop = false
    this.runtime.loop.remove(this)
  }

  constructor(
    home: Home,
    capacity: number,
    device: NetQueue,
    { setPacketFilter, others = 'drop' }: PacketQueueOptions,
  ) {
    super(home, capacity)
    this.#device = device
    this.wake = device.wake
    this.#keeps = others === 'keep'
    this.#offload = new FilterOffload(device.capabilities, setPacketFilter, this.#keeps)
    this.#burst = new NetBurst(BURST, device.capabilities.columns)
    this.qd = home.runtime.open(this, home)
    this.#sender = new PacketSender(home.runtime, device, this.qd)
  }

  open(): this {
    this.#enterLoop()
    return this
  }

  override pop(): QueueToken {
    const refusal = this.#refusal
    if (refusal === undefined) {
      this.#popped = true
      return super.pop()
    }
    const token = this.runtime.issue(this.qd)
    this.runtime.fail(token, 'EBUSY', refusal)
    return token
  }

  override request(consumer: Consumer): void {
    const refusal = this.#refusal
    if (refusal === undefined) {
      this.#popped = true
      super.request(consumer)
    } else consumer.finish({ code: 'EBUSY', message: refusal })
  }

  /** @throws EBUSY when packets are dropped that no filter takes, and somebody pops the queue itself */
  override addFilter(filter: Consumer): void {
    if (this.#popped && !this.#keeps) {
      throw new ParakernelError('EBUSY', 'is popped itself, and what its filters do not take would be dropped', {
        subject: `packet queue ${this.qd}`,
        remedy: "Make it with others: 'keep', or pop what a filter leaves through another filter",
      })
    }
    const { expression } = filter
    this.#above.push({ filter, match: expression === undefined ? undefined : compileFilter(expression).match })
    super.addFilter(filter)
    this.#offload.update(this.#above.map((above) => above.filter.expression))
  }

  override leave(consumer: Consumer, givenBack: readonly Element[]): void {
    const at = this.#above.findIndex(({ filter }) => filter === consumer)
    if (at >= 0) this.#above.splice(at, 1)
    super.leave(consumer, givenBack)
    if (at >= 0 && !this.#closed) this.#offload.update(this.#above.map(({ filter }) => filter.expression))
  }

  push(sga: ScatterGatherArray): QueueToken {
    this.#enterLoop()
    return this.#sender.push(sga)
  }

  override cancel(qd: QueueDescriptor, token: QueueToken): void {
    this.#sender.cancel(token)
    super.cancel(qd, token)
  }

  /** Packets that wait here cannot go back to the device: they are handed to `giveBack`, as those of a memory queue. */
  override close(giveBack: GiveBack): void {
    this.#closed = true
    this.#sender.close()
    this.#offload.update([])
    this.runtime.loop.remove(this)
    super.close(giveBack)
  }

  describe() {
    const { device, queue } = this.#device.grant
    const what = `${device} queue ${queue}, ${this.unwanted} unwanted`
    return { operation: 'packets', runs: 'device', what, why: 'it is a ring of the device' } as const
  }

  override describeFilters() {
    return this.#offload.state
  }

  poll(): number {
    const device = this.#device
    if (device.control.state !== GRANT_ATTACHED) {
      this.#end()
      return 0
    }
    let work = device.reap() + this.#sender.flush()
    if (this.isWanted) work += this.#receive()
    if (work > 0 || this.#isBusy) this.#quiet = 0
    else if (++this.#quiet > QUIET_POLLS) this.runtime.loop.defer(this.#leaveLoop)
    return work
  }

  arm(): boolean {
    return this.#isBusy && this.#device.arm()
  }

  nextEvent(): number {
    return this.#device.nextEvent?.() ?? Number.POSITIVE_INFINITY
  }

  protected fetch(): void {
    this.#enterLoop()
  }

  get #isBusy(): boolean {
    return this.isWanted || this.#sender.waiting > 0
  }

  /** Why the queue itself cannot be popped. */
  get #refusal(): string | undefined {
    if (this.#keeps || this.#above.length === 0) return undefined
    return 'there are filters above, and what they do not take is dropped'
  }

  #enterLoop(): void {
    if (this.#inLoop || this.#closed) return
    this.#inLoop = true
    this.#quiet = 0
    this.runtime.loop.add(this)
  }

  #receive(): number {
    const burst = this.#burst
    const count = this.#device.receive(burst)
    for (let i = 0; i < count; ) {
      let end = i
      while ((burst.flags[end] & END_OF_PACKET) === 0) end++
      this.#packet(i, end + 1)
      i = end + 1
    }
    return count
  }

  #packet(start: number, end: number): void {
    if (this.#keeps || this.#above.length === 0) {
      this.arrive(this.#element(start, end))
      return
    }
    let element: Element | undefined
    for (let i = 0; i < this.#above.length; i++) {
      const { filter, match } = this.#above[i]
      if (match !== undefined && end === start + 1) {
        if (!this.#matches(match, start)) continue
      } else {
        element ??= this.#element(start, end)
        if (!filter.accepts?.(element)) continue
      }
      if ((filter.held ?? 0) >= this.capacity) break
      filter.take(element ?? this.#element(start, end))
      return
    }
    this.unwanted++
    if (element !== undefined) element.sga.free()
    else for (let i = start; i < end; i++) this.home.pool.release(this.#burst.frame[i])
  }

  #matches(match: CompiledFilter, entry: number): boolean {
    const { pool } = this.home
    const { frame, offset, length } = this.#burst
    this.#layout.ofFrame(pool.bytes, pool.address(frame[entry]) + offset[entry], length[entry])
    return match(pool.bytes, this.#layout)
  }

  #element(start: number, end: number): Element {
    const { pool } = this.home
    const { frame, offset, length } = this.#burst
    const segments: Segment[] = []
    for (let i = start; i < end; i++) {
      segments.push({ frame: frame[i], address: pool.address(frame[i]) + offset[i], length: length[i] })
    }
    return { sga: new ScatterGatherArray(pool, segments), source: undefined }
  }

  /** The queue was reclaimed, or its device is gone. */
  #end(): void {
    this.#sender.fail('ENODEV', 'the device queue was taken away')
    this.finish({ code: 'ENODEV', message: 'the device queue was taken away' })
    this.runtime.loop.defer(this.#leaveLoop)
  }
}
