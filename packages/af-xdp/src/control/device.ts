import {
  type BackendContext,
  ControlBlock,
  checkFilter,
  type FilterExpression,
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
  type SteeringRule,
  sumCounters,
} from '@parakernel/hal'
import {
  driverName,
  type LinkState,
  type LinkWatch,
  linkEvents,
  publishLink,
  queryLink,
  wakeHolder,
  watchLink,
} from '@parakernel/linux'
import { checkLeasedRegion, QueueLease } from '../lease/queue-lease.ts'
import { LEDGER_BYTES, Ledger } from '../ledger.ts'
import type { AfXdpOptions } from '../options.ts'
import { isAcknowledged, isOpen, RETIREMENT_BYTES, retire } from '../retire.ts'
import { parseTakeRules, type TakeOptions } from '../steering/take-rules.ts'
import type { XdpTransport } from '../transport.ts'
import { afXdpCapabilities, partialChecksumsOf } from './capabilities.ts'
import { checkOptions } from './check-options.ts'
import { DescriptorSlots } from './descriptor-slots.ts'
import { openFreedQueue } from './free-queue.ts'
import { attachProgram, type InterfaceProgram, joinProgram, type XdpMode } from './interface-program.ts'
import type { QueueSocket } from './queue-socket.ts'
import { checkTransmitChecksum, UMEM_METADATA } from './transmit-metadata.ts'
import { checkWindow } from './window-check.ts'

interface ActiveGrant {
  readonly grant: NetQueueGrant<XdpTransport>
  readonly control: ControlBlock
  readonly socket: QueueSocket
  readonly ledger: Ledger
}

/** How long a queue of ours stays busy after its holder was killed: until the kernel has let go of the last reference. */
const RELEASE_PATIENCE_MS = 2000
/** The same for a process that ended a moment ago; a living owner is reported this much later. */
const STRANGER_PATIENCE_MS = 250
/** The kernel tells nobody when a program is detached. */
const JOINED_CHECK_MS = 500

/**
 * The control half: owns the program, the sockets and every descriptor. Opening it attaches the program; nothing is taken
 * from the kernel before a queue is granted.
 */
export class AfXdpDevice implements NetDevice {
  readonly name: string
  readonly queues: number
  readonly capabilities: NetCapabilities
  /** Where the program runs. */
  readonly mode: XdpMode

  readonly #module: string
  readonly #options: AfXdpOptions
  readonly #program: InterfaceProgram
  readonly #watch: LinkWatch
  readonly #listeners = new Set<(event: NetDeviceEvent) => void>()
  readonly #active = new Map<number, ActiveGrant>()
  /** Queues of other processes. */
  readonly #leases = new Map<number, QueueLease>()
  /** Queues that another process had, whose end the kernel may still be busy with. */
  readonly #leased = new Set<number>()
  readonly #slots: DescriptorSlots
  /** One set of counters a queue, which all its grants share. */
  readonly #counters: readonly NetCounters[]
  #link: LinkState
  #closed = false
  #programLost = false
  #joinTimer: NodeJS.Timeout | undefined
  #grants = 0

  /** Throws ENODEV, EPERM, EINVAL, EBUSY, ENOTSUP; see the package's README. */
  constructor(options: AfXdpOptions, context: BackendContext, module: string) {
    const link = queryLink(options.interface)
    const { queues, ringSize } = checkOptions(options, link)
    checkTransmitChecksum(options, link.name)
    this.name = link.name
    this.#module = module
    this.#options = options
    this.#link = link
    this.#slots = new DescriptorSlots()
    let watch: LinkWatch | undefined
    try {
      watch = watchLink(link.index, (state) => this.#linkChanged(state))
      this.#program = options.join
        ? joinProgram(link)
        : attachProgram(link, queues, options.mode ?? 'auto', parseTakeRules(options, link.name), context.warn)
    } catch (error) {
      watch?.close()
      this.#slots.close()
      throw error
    }
    this.#watch = watch
    this.queues = Math.min(queues, this.#program.queues)
    this.#counters = Array.from({ length: this.queues }, () => new NetCounters())
    this.mode = this.#program.mode
    this.capabilities = afXdpCapabilities({
      mtu: link.mtu,
      ringSize,
      computes: (options.transmitChecksum ?? 'none') !== 'none',
      partialChecksums: partialChecksumsOf(driverName(link.name), this.mode),
    })
    if (options.join) this.#joinTimer = setInterval(() => this.#checkJoinedProgram(), JOINED_CHECK_MS).unref()
  }

  get mac(): MacAddress {
    this.#watch.refresh()
    return formatMac(this.#link.mac)
  }

  get mtu(): number {
    this.#watch.refresh()
    return this.#link.mtu
  }

  get linkUp(): boolean {
    this.#watch.refresh()
    return this.#link.present && this.#link.running
  }

  grant(queue: number, window: FrameWindow): NetQueueGrant<XdpTransport> {
    this.#claim(queue, window)
    return this.#open(queue, window)
  }

  lease(queue: number, window: FrameWindow): QueueLease {
    const others = [...this.#active.values()].map(({ grant }) => grant.window)
    for (const lease of this.#leases.values()) others.push(lease.window)
    checkLeasedRegion(window, others, `${this.name} queue ${queue}`)
    this.#claim(queue, window)
    const { ringSize } = this.capabilities
    const lease = new QueueLease({
      ticket: {
        device: this.name,
        queue,
        capabilities: { ...this.capabilities, receiveFilter: false, packetFilter: false },
        ringSize,
        metadataBytes: this.#metadataBytes,
      },
      window,
      socket: this.#openSocket(queue, window),
      program: this.#program,
      counters: this.#counters[queue],
      module: this.#module,
      onClose: () => void this.#leases.delete(queue),
    })
    publishLink(lease.control, this.#link)
    this.#leases.set(queue, lease)
    this.#leased.add(queue)
    return lease
  }

  /** Makes sure that the queue can be had with these frames. Throws what `grant` throws. */
  #claim(queue: number, window: FrameWindow): void {
    this.#watch.refresh()
    const subject = `${this.name} queue ${queue}`
    if (this.#closed || !this.#link.present) {
      throw new ParakernelError('ENODEV', this.#closed ? 'the device is closed' : 'the interface is gone', { subject })
    }
    if (!Number.isInteger(queue) || queue < 0 || queue >= this.queues) {
      throw this.#noSuchQueue(queue)
    }
    const owner = this.#active.get(queue)
    const leased = this.#leases.get(queue)
    if (leased !== undefined || (owner !== undefined && owner.control.state !== GRANT_DETACHED)) {
      throw new ParakernelError('EBUSY', `lease ${(leased ?? owner?.grant)?.window.lease} has the queue`, {
        subject,
        remedy: leased === undefined ? 'Reclaim its grant first, or take another queue' : 'Close that lease first',
      })
    }
    if (owner !== undefined) this.reclaim(owner.grant)
    checkWindow(window, this.#link.mtu, subject)
  }

  reclaim(grant: NetQueueGrant): void {
    const active = this.#active.get(grant.queue)
    if (active?.grant.transport.id !== (grant.transport as XdpTransport).id) return
    this.#active.delete(grant.queue)
    const { control } = active
    const neverHeld = control.transition(GRANT_FREE, GRANT_RECLAIMED)
    if (control.state === GRANT_ATTACHED) control.end(GRANT_RECLAIMED)
    // First no more frames, of groups for other queues neither; then a holder that sleeps on the socket must let go of it.
    this.#program.drop(grant.queue)
    this.#program.filter.clear(grant.queue)
    if (this.#program.own) this.#program.setPacketFilter(grant.queue, undefined)
    wakeHolder(grant.window)
    retire(active.grant)
    // A holder that has not let go may still look: what it sees is empty memory, and its descriptor stays a placeholder.
    if (neverHeld || isAcknowledged(active.grant.transport)) active.socket.unmap()
    else this.#slots.abandon(active.grant.transport.descriptor)
  }

  steer(_rule: SteeringRule): void {
    throw new ParakernelError('ENOTSUP', 'AF_XDP sockets receive from their own queue only', {
      subject: this.name,
      remedy: 'Steer in the NIC (ethtool -N), or at the sender (see steerPortsToQueues of @parakernel/linux)',
    })
  }

  clearSteering(): void {}

  setPacketFilter(queue: number, expression: FilterExpression | undefined): void {
    if (this.#counters[queue] === undefined) throw this.#noSuchQueue(queue)
    if (expression !== undefined) checkFilter(expression)
    this.#program.setPacketFilter(queue, expression)
  }

  /** Replaces what the interface's program takes from the kernel. Throws EINVAL as opening does, EPERM after joining. */
  take(options: TakeOptions): void {
    this.#program.replace(parseTakeRules(options, this.name))
  }

  statistics(): NetStatistics {
    const queues = this.#counters.map((_, queue) => this.queueStatistics(queue))
    return sumCounters(NET_COUNTERS, queues)
  }

  queueStatistics(queue: number): NetStatistics {
    const counters = this.#counters[queue]
    if (counters === undefined) throw this.#noSuchQueue(queue)
    const leased = this.#leases.get(queue)
    if (leased !== undefined) return leased.statistics()
    const active = this.#active.get(queue)
    if (active !== undefined && isOpen(active.grant.transport)) {
      active.ledger.refresh(active.grant.transport.descriptor, this.#program.filter.leftOut(queue))
    }
    return counters.snapshot()
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const { grant } of [...this.#active.values()]) this.reclaim(grant)
    for (const lease of [...this.#leases.values()]) lease.close()
    this.#closed = true
    this.#watch.close()
    clearInterval(this.#joinTimer)
    this.#program.close(this.#slots.watched)
    this.#slots.close()
    this.#listeners.clear()
  }

  #noSuchQueue(queue: number): ParakernelError {
    return new ParakernelError('EINVAL', `there is no such queue, the device has ${this.queues}`, {
      subject: `${this.name} queue ${queue}`,
      remedy: `Choose 0 to ${this.queues - 1}`,
    })
  }

  get #metadataBytes(): number {
    return UMEM_METADATA[this.#options.transmitChecksum ?? 'none'].metadataBytes
  }

  #openSocket(queue: number, window: FrameWindow): QueueSocket {
    const freed = this.#slots.has(queue) || this.#leased.has(queue)
    return openFreedQueue(
      {
        interfaceName: this.name,
        interfaceIndex: this.#link.index,
        queue,
        window,
        ringSize: this.capabilities.ringSize,
        zeroCopy: this.#options.zeroCopy ?? false,
        transmitChecksum: this.#options.transmitChecksum ?? 'none',
      },
      freed ? RELEASE_PATIENCE_MS : STRANGER_PATIENCE_MS,
    )
  }

  #open(queue: number, window: FrameWindow): NetQueueGrant<XdpTransport> {
    const socket = this.#openSocket(queue, window)
    const slot = this.#slots.put(queue, socket.descriptor)
    const control = new ControlBlock()
    publishLink(control, this.#link)
    const counters = this.#counters[queue]
    const ledger = new Ledger(new SharedArrayBuffer(LEDGER_BYTES), counters)
    // A joined process that was killed, or a holder in the middle of asking, may have left a share of this queue.
    this.#program.filter.clear(queue)
    ledger.open(this.#program.filter.leftOut(queue))
    const grant: NetQueueGrant<XdpTransport> = {
      module: this.#module,
      device: this.name,
      queue,
      window,
      capabilities: this.capabilities,
      control: control.buffer,
      counters: counters.values.buffer as SharedArrayBuffer,
      transport: {
        id: this.#grants++,
        processId: process.pid,
        descriptor: slot,
        placeholder: this.#slots.placeholder,
        ringSize: this.capabilities.ringSize,
        metadataBytes: this.#metadataBytes,
        rx: socket.rx,
        tx: socket.tx,
        fill: socket.fill,
        completion: socket.completion,
        filter: this.#program.filter.memory,
        ledger: ledger.buffer,
        retirement: new SharedArrayBuffer(RETIREMENT_BYTES),
      },
    }
    this.#active.set(queue, { grant, control, socket, ledger })
    try {
      this.#program.put(queue, slot)
    } catch (error) {
      this.reclaim(grant)
      throw error
    }
    return grant
  }

  #linkChanged(state: LinkState): void {
    const before = this.#link
    if (!before.present) return
    this.#link = state.present
      ? { ...state, running: state.running && !this.#programLost }
      : { ...before, present: false, running: false, up: false }
    const events = linkEvents(before, this.#link)
    if (this.#program.own && this.#link.mac.length === 6) this.#program.filter.setOwnAddress(this.#link.mac)
    if (events.length === 0) return
    for (const { grant, control } of this.#active.values()) {
      publishLink(control, this.#link)
      wakeHolder(grant.window)
    }
    for (const { window, control } of this.#leases.values()) {
      publishLink(control, this.#link)
      wakeHolder(window)
    }
    for (const event of events) for (const listener of [...this.#listeners]) listener(event)
  }

  /** A program that we joined ends with its owner, and nothing arrives from then on: the link is as good as down. */
  #checkJoinedProgram(): void {
    if (!this.#link.present || this.#programLost) return
    let link: LinkState
    try {
      link = queryLink(this.#link.index)
    } catch {
      // Removed a moment ago: the event is on its way.
      return
    }
    this.#programLost = link.xdpProgramId === 0
    if (this.#programLost) this.#linkChanged(link)
  }
}
