import { threadId } from 'node:worker_threads'
import {
  type AttachContext,
  type Clock,
  type ControlBlock,
  checkPacket,
  END_OF_PACKET,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  type NetBurst,
  type NetCapabilities,
  NetCounters,
  type NetQueue,
  type NetQueueGrant,
  ParakernelError,
  packetEntries,
  type ReceiveFilter,
  refusePacket,
  TX_BYTES,
  TX_DROPPED,
  TX_PACKETS,
  TX_RING_FULL,
  takeControl,
  type WakeSource,
  WakeWord,
} from '@parakernel/hal'
import { createMemoryKernel } from '../memory/memory-kernel.ts'
import { EPOCH, QUEUE_HOLDER } from '../shared/layout.ts'
import { acquireView, type NetworkView, releaseView } from '../shared/network-view.ts'
import { writeReceiveFilter } from '../shared/receive-filter.ts'
import { HeldFrames } from './held-frames.ts'
import { Receiver } from './receiver.ts'
import { FULL, SENT, Transmitter } from './transmitter.ts'
import type { EmulatedTransport } from './transport.ts'

/** The data half of an emulated queue pair. One atomic load a call tells whether anything changed. */
export class EmulatedQueue implements NetQueue {
  readonly grant: NetQueueGrant
  readonly pool: FramePool
  readonly capabilities: NetCapabilities
  readonly control: ControlBlock
  readonly counters: NetCounters
  readonly wake: WakeSource
  readonly #clock: Clock
  readonly #network: NetworkView
  readonly #words: Int32Array
  readonly #port: number
  readonly #queue: number
  readonly #transmitter: Transmitter
  readonly #receiver: Receiver
  readonly #held: HeldFrames
  readonly #count: Float64Array
  #epoch = -1
  #live = false
  #linkUp = false
  #detached = false

  /** @throws ESTALE for a grant that is over or in use; EINVAL for a pool over another window. */
  constructor(grant: NetQueueGrant<EmulatedTransport>, context: AttachContext) {
    const { transport } = grant
    const { pool } = context
    const subject = `${grant.device} queue ${grant.queue}`
    const { window } = grant
    if (pool.window.region.buffer.byteLength !== window.region.buffer.byteLength || pool.base !== window.byteOffset) {
      throw new ParakernelError('EINVAL', 'the pool is not over the window that was granted', { subject })
    }
    this.control = takeControl(grant.control, subject)
    this.grant = grant
    this.pool = pool
    this.capabilities = grant.capabilities
    this.counters = new NetCounters(grant.counters)
    this.wake = { kind: 'word', word: new WakeWord(window.wake) }
    this.#clock = context.clock
    this.#count = this.counters.values
    this.#network = acquireView(transport.network, transport.wakes)
    this.#words = this.#network.memory.words
    this.#port = transport.port
    this.#queue = transport.queue
    const kernel = createMemoryKernel(window.region, transport.network.region)
    this.#transmitter = new Transmitter(
      this.#network,
      transport.port,
      transport.queue,
      transport.scratch,
      pool,
      kernel,
      this.#count,
      context.host,
    )
    const { maxChain, ringSize } = grant.capabilities
    this.#receiver = new Receiver(this.#network, transport.queue, pool, kernel, this.#count, maxChain)
    this.#held = new HeldFrames(pool, ringSize)
    this.#words[this.#network.memory.layout.queue(transport.queue) + QUEUE_HOLDER] = threadId + 1
  }

  receive(burst: NetBurst): number {
    burst.count = 0
    if (!this.#enter()) return 0
    if (this.#held.count > 0) this.#held.release(this.#clock.now())
    if (!this.#network.timed) this.#receiver.receive(burst)
    else if (this.#receiver.expecting) this.#receiver.receiveUntil(burst, this.#clock.now())
    return burst.count
  }

  transmit(burst: NetBurst, start = 0): number {
    burst.refused = 0
    if (!this.#enter()) return 0
    const transmitter = this.#transmitter
    const now = this.#network.clocked ? this.#clock.now() : 0
    if (this.#held.count > 0) this.#held.release(now)
    transmitter.begin(now)
    let i = start
    while (i < burst.count) {
      const entries = burst.flags[i] & END_OF_PACKET ? 1 : packetEntries(burst, i)
      let outcome = checkPacket(burst, i, entries, this.pool, this.capabilities)
      if (outcome < 0) {
        if (!this.#held.hasRoom(entries)) outcome = FULL
        else outcome = this.#linkUp ? transmitter.send(burst, i, entries) : this.#drop(burst, i, entries)
      }
      if (outcome === FULL) {
        this.#count[TX_RING_FULL]++
        break
      }
      if (outcome >= 0) refusePacket(burst, i, entries, outcome, this.#count)
      else if (this.#linkUp) this.#complete(burst, i, entries)
      i += entries
    }
    transmitter.publish()
    return i - start
  }

  reap(): number {
    return this.#enter() && this.#held.count > 0 ? this.#held.release(this.#clock.now()) : 0
  }

  arm(): boolean {
    if (!this.#enter()) return false
    const next = this.nextEvent()
    return next !== Number.POSITIVE_INFINITY && (!this.#network.timed || next <= this.#clock.now())
  }

  nextEvent(): number {
    if (!this.#enter()) return Number.POSITIVE_INFINITY
    return Math.min(this.#receiver.nextTime(), this.#held.nextDeparture())
  }

  setReceiveFilter(filter: ReceiveFilter): void {
    if (!this.capabilities.receiveFilter) {
      throw new ParakernelError('ENOTSUP', 'this NIC has a fixed receive filter', {
        subject: `${this.grant.device} queue ${this.grant.queue}`,
        remedy: 'Create it with `receiveFilter: true`',
      })
    }
    if (this.#enter()) writeReceiveFilter(this.#network.memory, this.#queue, filter)
  }

  detach(): void {
    if (this.#detached) return
    this.#detached = true
    this.#live = false
    this.#held.release(Number.POSITIVE_INFINITY)
    if (this.control.state === GRANT_ATTACHED) writeReceiveFilter(this.#network.memory, this.#queue, {})
    this.control.transition(GRANT_ATTACHED, GRANT_DETACHED)
    releaseView(this.#network)
  }

  #enter(): boolean {
    const epoch = Atomics.load(this.#words, EPOCH)
    if (epoch !== this.#epoch) this.#refresh(epoch)
    return this.#live
  }

  #refresh(epoch: number): void {
    this.#epoch = epoch
    this.#live = !this.#detached && this.control.state === GRANT_ATTACHED
    if (!this.#live) return
    this.#network.refresh(epoch)
    this.#linkUp = this.#network.ports[this.#port].linkUp
    this.#transmitter.refresh()
    this.#receiver.refresh()
  }

  #drop(burst: NetBurst, i: number, entries: number): number {
    this.#count[TX_DROPPED]++
    for (let entry = i; entry < i + entries; entry++) {
      this.pool.lend(burst.frame[entry], burst.offset[entry], burst.length[entry])
      this.pool.giveBack(burst.frame[entry])
    }
    return SENT
  }

  /** The bytes are on their way; the frames are free when the link has taken them. */
  #complete(burst: NetBurst, i: number, entries: number): void {
    const transmitter = this.#transmitter
    this.#count[TX_PACKETS]++
    this.#count[TX_BYTES] += transmitter.length
    for (let entry = i; entry < i + entries; entry++) {
      const frame = burst.frame[entry]
      this.pool.lend(frame, burst.offset[entry], burst.length[entry])
      if (transmitter.timer.leavesLater) this.#held.hold(frame, transmitter.timer)
      else this.pool.giveBack(frame)
    }
  }
}
