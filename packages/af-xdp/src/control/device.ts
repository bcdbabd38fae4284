import {
  type BackendContext,
  ControlBlock,
  type FrameWindow,
  formatMac,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
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
  WakeWord,
} from '@parakernel/hal'
import {
  calls,
  channelCounts,
  createEventFd,
  type LinkState,
  queryLink,
  SOCK_CLOEXEC,
  writeEventFd,
  XDP_PACKET_HEADROOM,
} from '@parakernel/linux'
import { LEDGER_BYTES, Ledger } from '../ledger.ts'
import { type AfXdpOptions, DEFAULT_RING_SIZE } from '../options.ts'
import { isAcknowledged, isOpen, RETIREMENT_BYTES, retire } from '../retire.ts'
import { parseTakeRules, type TakeOptions } from '../steering/take-rules.ts'
import type { XdpTransport } from '../transport.ts'
import { afXdpCapabilities, ETHERNET_HEADER } from './capabilities.ts'
import { attachProgram, type InterfaceProgram, joinProgram, type XdpMode } from './interface-program.ts'
import { type LinkWatch, watchLink } from './link-watch.ts'
import { openQueueSocket, type QueueSocket } from './queue-socket.ts'

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
  readonly #placeholder: number
  readonly #watch: LinkWatch
  readonly #listeners = new Set<(event: NetDeviceEvent) => void>()
  readonly #active = new Map<number, ActiveGrant>()
  /** The descriptor slot of each queue that was ever granted (see `XdpTransport.descriptor`). */
  readonly #slots = new Map<number, number>()
  /** One set of counters a queue, which all its grants share. */
  readonly #counters: readonly NetCounters[]
  /** Slots that a holder may still use: they stay placeholders for ever. */
  readonly #abandoned = new Set<number>()
  #link: LinkState
  #closed = false
  #grants = 0

  /** Throws ENODEV, EPERM, EINVAL, EBUSY, ENOTSUP; see the package's README. */
  constructor(options: AfXdpOptions, context: BackendContext, module: string) {
    const link = queryLink(options.interface)
    const available = channelCounts(link.name)?.rx ?? link.rxQueues
    const queues = options.queues ?? available
    const ringSize = options.ringSize ?? DEFAULT_RING_SIZE
    const invalid = (message: string, remedy: string) =>
      new ParakernelError('EINVAL', message, { subject: link.name, remedy })
    if (!Number.isInteger(queues) || queues < 1 || queues > available) {
      throw invalid(`${queues} queues are asked for, the interface has ${available}`, `Set queues to 1 to ${available}`)
    }
    if (!Number.isInteger(ringSize) || ringSize < 64 || ringSize > 32_768 || (ringSize & (ringSize - 1)) !== 0) {
      throw invalid(`ring size ${ringSize} is not a power of two from 64 to 32768`, 'Set ringSize to 2048')
    }
    if (link.mac.length !== 6) throw invalid('is not an Ethernet interface', 'Use an interface with a MAC address')
    this.name = link.name
    this.#module = module
    this.#options = options
    this.#link = link
    const warn = context.warn ?? (() => {})
    this.#program = options.join
      ? joinProgram(link)
      : attachProgram(link, queues, options.mode ?? 'auto', parseTakeRules(options, link.name), warn)
    this.queues = Math.min(queues, this.#program.queues)
    this.#counters = Array.from({ length: this.queues }, () => new NetCounters())
    this.mode = this.#program.mode
    this.capabilities = afXdpCapabilities(link.mtu, ringSize)
    this.#placeholder = createEventFd()
    writeEventFd(this.#placeholder)
    this.#watch = watchLink(link.index, (state) => this.#linkChanged(state))
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
    this.#watch.refresh()
    const subject = `${this.name} queue ${queue}`
    if (this.#closed || !this.#link.present) {
      throw new ParakernelError('ENODEV', this.#closed ? 'the device is closed' : 'the interface is gone', { subject })
    }
    if (!Number.isInteger(queue) || queue < 0 || queue >= this.queues) {
      throw this.#noSuchQueue(queue)
    }
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
    this.#checkWindow(window, subject)
    return this.#open(queue, window)
  }

  reclaim(grant: NetQueueGrant): void {
    const active = this.#active.get(grant.queue)
    if (active?.grant.transport.id !== (grant.transport as XdpTransport).id) return
    this.#active.delete(grant.queue)
    const { control } = active
    const neverHeld = control.transition(GRANT_FREE, GRANT_RECLAIMED)
    if (control.state === GRANT_ATTACHED) control.end(GRANT_RECLAIMED)
    // First no more frames; then a holder that sleeps on the socket must let go of it.
    this.#program.drop(grant.queue)
    wakeHolder(grant.window)
    retire(active.grant)
    // A holder that has not let go may still look: what it sees is empty memory, and its descriptor stays a placeholder.
    if (neverHeld || isAcknowledged(active.grant.transport)) active.socket.unmap()
    else this.#abandoned.add(active.grant.transport.descriptor)
  }

  steer(_rule: SteeringRule): void {
    throw new ParakernelError('ENOTSUP', 'AF_XDP sockets receive from their own queue only', {
      subject: this.name,
      remedy: 'Steer in the NIC (ethtool -N), or at the sender (see steerPortsToQueues of @parakernel/linux)',
    })
  }

  clearSteering(): void {}

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
    const active = this.#active.get(queue)
    if (active !== undefined && isOpen(active.grant.transport)) {
      active.ledger.refresh(active.grant.transport.descriptor)
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
    this.#closed = true
    this.#watch.close()
    this.#program.close()
    for (const slot of this.#slots.values()) if (!this.#abandoned.has(slot)) calls().close(slot)
    calls().close(this.#placeholder)
    this.#listeners.clear()
  }

  #noSuchQueue(queue: number): ParakernelError {
    return new ParakernelError('EINVAL', `there is no such queue, the device has ${this.queues}`, {
      subject: `${this.name} queue ${queue}`,
      remedy: `Choose 0 to ${this.queues - 1}`,
    })
  }

  #checkWindow(window: FrameWindow, subject: string): void {
    const invalid = (message: string, remedy: string) => new ParakernelError('EINVAL', message, { subject, remedy })
    const { frameSize, headroom, tailroom, byteOffset } = window
    if (frameSize !== 2048 && frameSize !== 4096) {
      throw invalid(`frames of ${frameSize} bytes cannot be a UMEM`, 'Use frames of 2048 or 4096 bytes')
    }
    if (byteOffset % 4096 !== 0) {
      throw invalid(`the window starts at byte ${byteOffset}, inside a page`, 'Start it at a multiple of 4096')
    }
    if (headroom < XDP_PACKET_HEADROOM) {
      throw invalid(`headroom ${headroom} is less than the kernel's own`, `Use at least ${XDP_PACKET_HEADROOM}`)
    }
    const room = frameSize - headroom - tailroom
    if (room < this.#link.mtu + ETHERNET_HEADER) {
      throw invalid(`${room} bytes a frame cannot hold a packet at MTU ${this.#link.mtu}`, 'Use frames of 4096 bytes')
    }
  }

  #open(queue: number, window: FrameWindow): NetQueueGrant<XdpTransport> {
    const socket = this.#socketOnFreeQueue(queue, window)
    let slot = this.#slots.get(queue)
    if (slot === undefined) {
      slot = socket.descriptor
      this.#slots.set(queue, slot)
    } else {
      calls().dup3(socket.descriptor, slot, SOCK_CLOEXEC)
      calls().close(socket.descriptor)
    }
    const control = new ControlBlock()
    this.#publish(control)
    const counters = this.#counters[queue]
    const ledger = new Ledger(new SharedArrayBuffer(LEDGER_BYTES), counters)
    ledger.open()
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
        placeholder: this.#placeholder,
        ringSize: this.capabilities.ringSize,
        rx: socket.rx,
        tx: socket.tx,
        fill: socket.fill,
        completion: socket.completion,
        ledger: ledger.buffer,
        retirement: new SharedArrayBuffer(RETIREMENT_BYTES),
      },
    }
    this.#active.set(queue, { grant, control, socket, ledger })
    this.#program.put(queue, slot)
    return grant
  }

  /** A queue whose holder has just ended may be busy for a moment longer: its last reference is being dropped. */
  #socketOnFreeQueue(queue: number, window: FrameWindow): QueueSocket {
    const deadline = performance.now() + (this.#slots.has(queue) ? RELEASE_PATIENCE_MS : STRANGER_PATIENCE_MS)
    const options = {
      interfaceName: this.name,
      interfaceIndex: this.#link.index,
      queue,
      window,
      ringSize: this.capabilities.ringSize,
      zeroCopy: this.#options.zeroCopy ?? false,
    }
    for (;;) {
      try {
        return openQueueSocket(options)
      } catch (error) {
        if (!(error instanceof ParakernelError) || error.code !== 'EBUSY' || performance.now() >= deadline) throw error
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      }
    }
  }

  #publish(control: ControlBlock): void {
    control.linkUp = this.#link.running
    control.mtu = this.#link.mtu
    control.mac = formatMac(this.#link.mac)
  }

  #linkChanged(state: LinkState): void {
    const before = this.#link
    if (!before.present) return
    this.#link = state.present ? state : { ...before, present: false, running: false, up: false }
    const events: NetDeviceEvent[] = []
    if (before.running !== this.#link.running) events.push({ kind: 'link', up: this.#link.running })
    if (before.mtu !== this.#link.mtu) events.push({ kind: 'mtu', mtu: this.#link.mtu })
    const mac = formatMac(this.#link.mac)
    if (formatMac(before.mac) !== mac) events.push({ kind: 'mac', mac })
    if (!state.present) events.push({ kind: 'removed' })
    if (events.length === 0) return
    for (const { grant, control } of this.#active.values()) {
      if (state.present) this.#publish(control)
      else {
        control.linkUp = false
        if (control.state !== GRANT_DETACHED) control.end(GRANT_REMOVED)
      }
      wakeHolder(grant.window)
    }
    for (const event of events) for (const listener of [...this.#listeners]) listener(event)
  }
}

/** Whether the holder sleeps on its wake word or in poll(2), it looks at its control block now. */
function wakeHolder(window: FrameWindow): void {
  const word = new WakeWord(window.wake)
  word.notify()
  if (word.eventFd >= 0) writeEventFd(word.eventFd)
}
