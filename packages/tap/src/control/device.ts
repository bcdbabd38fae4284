import {
  type BackendContext,
  ControlBlock,
  type FrameWindow,
  formatMac,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
  GRANT_RECLAIMED,
  type MacAddress,
  NET_COUNTERS,
  type NetCapabilities,
  NetCounters,
  type NetDevice,
  type NetDeviceEvent,
  type NetQueueGrant,
  type NetStatistics,
  ParakernelError,
  parseMac,
  RX_DROPPED_RING_FULL,
  type SteeringRule,
  sumCounters,
} from '@parakernel/hal'
import {
  BPF_PROG_TYPE_SOCKET_FILTER,
  closeDescriptors,
  type LinkState,
  type LinkWatch,
  linkEvents,
  loadBpfProgram,
  missingCapabilities,
  publishLink,
  queryLink,
  wakeHolder,
  watchLink,
} from '@parakernel/linux'
import { FilterTable } from '../filter-table.ts'
import type { TapOptions } from '../options.ts'
import { steeringProgram } from '../steering/program.ts'
import { type ParsedRule, parseRule } from '../steering/rule.ts'
import { RELEASED_BYTES, type TapTransport } from '../transport.ts'
import { tapCapabilities } from './capabilities.ts'
import { checkOptions, checkWindow } from './check-options.ts'
import { inside, openInterface } from './open-interface.ts'
import { QueueDescriptors } from './queue-descriptors.ts'
import { limitSuperFrames } from './super-frames.ts'

interface ActiveGrant {
  readonly grant: NetQueueGrant<TapTransport>
  readonly control: ControlBlock
}

/** The control half: owns the interface and every descriptor. All queues are attached from opening to closing. */
export class TapDevice implements NetDevice {
  readonly name: string
  readonly mac: MacAddress
  readonly queues: number
  readonly capabilities: NetCapabilities

  readonly #module: string
  readonly #options: TapOptions
  readonly #warn: (message: string) => void
  readonly #descriptors: QueueDescriptors
  readonly #watch: LinkWatch
  readonly #filter: SharedArrayBuffer
  readonly #listeners = new Set<(event: NetDeviceEvent) => void>()
  readonly #active = new Map<number, ActiveGrant>()
  /** One set of counters a queue, which all its grants share. */
  readonly #counters: readonly NetCounters[]
  /** As the kernel tells it, but with the address of our end. */
  #link: LinkState
  /** Packets that the kernel had dropped, as far as they are in the counters. */
  #dropsSeen: number
  #rules: readonly ParsedRule[] = []
  #superLimit = Number.POSITIVE_INFINITY
  #closed = false
  #grants = 0

  /** Throws ENODEV, EPERM, EACCES, EINVAL, EBUSY, ENOTSUP; see the package's README. */
  constructor(options: TapOptions, context: BackendContext, module: string) {
    checkOptions(options)
    this.#options = options
    this.#module = module
    this.#warn = context.warn ?? (() => {})
    const { descriptors, link, segmentsUdp } = inside(options, () => openInterface(options))
    this.#descriptors = new QueueDescriptors(descriptors)
    const own = options.mac === undefined ? addressBeside(link.mac) : parseMac(options.mac)
    this.name = link.name
    this.queues = descriptors.length
    this.mac = formatMac(own)
    this.#link = { ...link, mac: own }
    this.#dropsSeen = link.txDropped
    this.#filter = FilterTable.create(this.queues, own)
    this.#counters = descriptors.map(() => new NetCounters())
    this.capabilities = tapCapabilities({
      mtu: link.mtu,
      ringSize: link.transmitQueueLength,
      offloads: options.offloads ?? 'tcp',
      segmentsUdp,
      steering: missingCapabilities('CAP_BPF').length === 0,
    })
    try {
      this.#watch = inside(options, () => watchLink(link.index, (state) => this.#linkChanged(state)))
    } catch (error) {
      this.#descriptors.close()
      throw error
    }
  }

  get mtu(): number {
    this.#watch.refresh()
    return this.#link.mtu
  }

  get linkUp(): boolean {
    this.#watch.refresh()
    return this.#link.present && this.#link.running
  }

  grant(queue: number, window: FrameWindow): NetQueueGrant<TapTransport> {
    this.#watch.refresh()
    const subject = `${this.name} queue ${queue}`
    this.#mustBeThere(subject)
    if (this.#counters[queue] === undefined) throw this.#noSuchQueue(queue)
    const owner = this.#active.get(queue)
    if (owner !== undefined) {
      if (owner.control.state !== GRANT_DETACHED) {
        throw new ParakernelError('EBUSY', `lease ${owner.grant.window.lease} has the queue`, {
          subject,
          remedy: 'Reclaim its grant first, or take another queue',
        })
      }
      this.reclaim(owner.grant)
    }
    checkWindow(window, this.#link.mtu, subject)
    this.#limitSuperFrames(window)
    return this.#open(queue, window)
  }

  reclaim(grant: NetQueueGrant): void {
    const active = this.#active.get(grant.queue)
    const { transport } = grant as NetQueueGrant<TapTransport>
    if (active?.grant.transport.id !== transport.id) return
    this.#active.delete(grant.queue)
    const { control } = active
    const neverHeld = control.transition(GRANT_FREE, GRANT_RECLAIMED)
    if (control.state === GRANT_ATTACHED) control.end(GRANT_RECLAIMED)
    const { descriptor, released } = active.grant.transport
    this.#descriptors.retire(descriptor, neverHeld || Atomics.load(new Int32Array(released), 0) === 1)
    new FilterTable(this.#filter).set(grant.queue, {})
    wakeHolder(grant.window)
    this.#discard(grant.queue)
  }

  /** From the first rule on flows that none names are spread by address and port, and no longer follow what we send. */
  steer(rule: SteeringRule): void {
    if (!this.capabilities.steering) {
      throw new ParakernelError('ENOTSUP', 'steering rules are a program of the kernel, which takes CAP_BPF', {
        subject: this.name,
        remedy: 'Grant CAP_BPF; without rules a flow comes to the queue that last sent in it',
      })
    }
    this.#mustBeThere(this.name)
    const rules = [...this.#rules, parseRule(rule, this.queues, this.name)]
    const code = steeringProgram(rules)
    const program = loadBpfProgram({ type: BPF_PROG_TYPE_SOCKET_FILTER, code, name: 'pk_tap_steer' })
    try {
      this.#descriptors.steer(program, this.name)
    } finally {
      closeDescriptors(program)
    }
    this.#rules = rules
  }

  clearSteering(): void {
    if (this.#rules.length > 0 && !this.#closed && this.#link.present) this.#descriptors.steer(-1, this.name)
    this.#rules = []
  }

  statistics(): NetStatistics {
    this.#countDrops()
    return sumCounters(
      NET_COUNTERS,
      this.#counters.map((counters) => counters.snapshot()),
    )
  }

  queueStatistics(queue: number): NetStatistics {
    const counters = this.#counters[queue]
    if (counters === undefined) throw this.#noSuchQueue(queue)
    this.#countDrops()
    return counters.snapshot()
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const { grant } of [...this.#active.values()]) this.reclaim(grant)
    this.#countDrops()
    this.#closed = true
    this.#watch.close()
    this.#descriptors.close()
    this.#listeners.clear()
  }

  #mustBeThere(subject: string): void {
    if (!this.#closed && this.#link.present) return
    throw new ParakernelError('ENODEV', this.#closed ? 'the device is closed' : 'the interface is gone', { subject })
  }

  #noSuchQueue(queue: number): ParakernelError {
    return new ParakernelError('EINVAL', `there is no such queue, the device has ${this.queues}`, {
      subject: `${this.name} queue ${queue}`,
      remedy: `Choose 0 to ${this.queues - 1}`,
    })
  }

  #open(queue: number, window: FrameWindow): NetQueueGrant<TapTransport> {
    // What came while nobody held the queue is no news for its next holder.
    this.#discard(queue)
    const control = new ControlBlock()
    publishLink(control, this.#link)
    const grant: NetQueueGrant<TapTransport> = {
      module: this.#module,
      device: this.name,
      queue,
      window,
      capabilities: this.capabilities,
      control: control.buffer,
      counters: this.#counters[queue].values.buffer as SharedArrayBuffer,
      transport: {
        id: this.#grants++,
        processId: process.pid,
        descriptor: this.#descriptors.lend(queue, `${this.name} queue ${queue}`),
        filter: this.#filter,
        released: new SharedArrayBuffer(RELEASED_BYTES),
      },
    }
    this.#active.set(queue, { grant, control })
    return grant
  }

  #discard(queue: number): void {
    this.#counters[queue].values[RX_DROPPED_RING_FULL] += this.#descriptors.drain(queue, this.capabilities.ringSize)
  }

  /** The kernel counts what found a ring full for the interface, not for the queue: it is told of queue 0. */
  #countDrops(): void {
    this.#watch.refresh()
    if (this.#closed || !this.#link.present) return
    let now: number
    try {
      now = inside(this.#options, () => queryLink(this.#link.index)).txDropped
    } catch {
      // Removed a moment ago: the event is on its way.
      return
    }
    this.#counters[0].values[RX_DROPPED_RING_FULL] += now - this.#dropsSeen
    this.#dropsSeen = now
  }

  #limitSuperFrames(window: FrameWindow): void {
    if (this.capabilities.receiveSegmentation === 0) return
    this.#superLimit = limitSuperFrames(this.#options, this.#link.index, window, this.#superLimit, this.#warn)
  }

  #linkChanged(state: LinkState): void {
    const before = this.#link
    if (!before.present) return
    this.#link = state.present
      ? { ...state, mac: before.mac }
      : { ...before, present: false, running: false, up: false }
    const events = linkEvents(before, this.#link)
    if (events.length === 0) return
    for (const { grant, control } of this.#active.values()) {
      publishLink(control, this.#link)
      wakeHolder(grant.window)
    }
    for (const event of events) for (const listener of [...this.#listeners]) listener(event)
  }
}

/** An address for our end, always the same for the same interface, that none of its neighbours is likely to have. */
function addressBeside(kernel: Uint8Array): Uint8Array {
  const own = kernel.slice()
  own[0] = (own[0] ^ 0x40) | 0x02
  return own
}
