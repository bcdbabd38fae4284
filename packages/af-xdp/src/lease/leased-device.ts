import {
  ControlBlock,
  type FrameWindow,
  GRANT_ATTACHED,
  GRANT_FREE,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
  type MacAddress,
  type NetCapabilities,
  NetCounters,
  type NetDevice,
  type NetDeviceEvent,
  type NetQueueGrant,
  type NetStatistics,
  ParakernelError,
  REGION_PAGE,
  type SteeringRule,
} from '@parakernel/hal'
import { calls, createEventFd, type Mapping, mapMemfdRegion, writeEventFd } from '@parakernel/linux'
import { mapSocketRings } from '../control/queue-socket.ts'
import { Ledger } from '../ledger.ts'
import { RETIREMENT_BYTES, retire } from '../retire.ts'
import type { XdpTransport } from '../transport.ts'
import { CONTROL_PART, COUNTERS_PART, LEDGER_PART, SOCKET, STATUS, shapeOf, type XdpLeaseTicket } from './ticket.ts'

/** Nothing calls this process when the control block changes. */
const EVENT_PERIOD_MS = 100

/**
 * A queue that another process was given, in that process: a device of one queue over the descriptors that it inherited. It can be
 * granted once: a socket that was let go of here cannot be made anew without privileges.
 */
export class LeasedDevice implements NetDevice {
  readonly name: string
  readonly queues = 1
  readonly capabilities: NetCapabilities
  readonly #ticket: XdpLeaseTicket
  readonly #module: string
  readonly #socket: number
  readonly #status: number
  readonly #placeholder = createEventFd()
  readonly #control: ControlBlock
  readonly #counters: NetCounters
  readonly #ledger: SharedArrayBuffer
  readonly #mappings: Mapping[] = []
  readonly #listeners = new Set<(event: NetDeviceEvent) => void>()
  #timer: NodeJS.Timeout | undefined
  #grant: NetQueueGrant<XdpTransport> | undefined
  #closed = false

  /** `module` exports the backend. @throws EBADF, EINVAL for descriptors that are not those of the ticket */
  constructor(ticket: XdpLeaseTicket, descriptors: readonly number[], module: string) {
    this.#ticket = ticket
    this.#module = module
    this.#socket = descriptors[SOCKET]
    this.#status = descriptors[STATUS]
    this.name = `${ticket.device}/${ticket.queue}`
    this.capabilities = ticket.capabilities
    const part = (byteOffset: number) => mapMemfdRegion(this.#status, REGION_PAGE, byteOffset).buffer
    this.#control = new ControlBlock(part(CONTROL_PART))
    this.#counters = new NetCounters(part(COUNTERS_PART))
    this.#ledger = part(LEDGER_PART)
    writeEventFd(this.#placeholder)
  }

  get mac(): MacAddress {
    return this.#control.mac
  }

  get mtu(): number {
    return this.#control.mtu
  }

  get linkUp(): boolean {
    return this.#control.linkUp
  }

  grant(queue: number, window: FrameWindow): NetQueueGrant<XdpTransport> {
    const subject = `${this.name} queue ${queue}`
    const fail = (code: 'EINVAL' | 'EBUSY' | 'ENODEV' | 'ESTALE', message: string, remedy: string) =>
      new ParakernelError(code, message, { subject, remedy })
    if (this.#closed || this.#control.state === GRANT_REMOVED) {
      throw fail('ENODEV', 'the device is closed, or the interface gone', 'Ask the control plane for another lease')
    }
    if (queue !== 0) throw fail('EINVAL', 'a lease has one queue', 'Choose 0')
    if (this.#control.state === GRANT_ATTACHED) throw fail('EBUSY', 'the queue has a holder', 'Use that one')
    if (this.#grant !== undefined || this.#control.state !== GRANT_FREE) {
      throw fail('ESTALE', 'the lease is used up, or was taken away', 'Ask the control plane for another lease')
    }
    if (JSON.stringify(shapeOf(window)) !== JSON.stringify(this.#ticket.window)) {
      throw fail('EINVAL', "the window is not the lease's", 'Map the region, and cut it as the ticket says')
    }
    const { ringSize, metadataBytes } = this.#ticket
    const rings = mapSocketRings(this.#socket, ringSize, subject, this.#mappings)
    this.#grant = {
      module: this.#module,
      device: this.name,
      queue,
      window,
      capabilities: this.capabilities,
      control: this.#control.buffer,
      counters: this.#counters.values.buffer as SharedArrayBuffer,
      transport: {
        id: 0,
        processId: process.pid,
        descriptor: this.#socket,
        placeholder: this.#placeholder,
        ringSize,
        metadataBytes,
        ...rings,
        filter: undefined,
        ledger: new Ledger(this.#ledger, this.#counters).buffer,
        retirement: new SharedArrayBuffer(RETIREMENT_BYTES),
      },
    }
    return this.#grant
  }

  /** The socket is let go of here. The control plane has it until it closes the lease, and the kernel may fill frames until then. */
  reclaim(grant: NetQueueGrant): void {
    if (this.#grant !== grant) return
    this.#control.transition(GRANT_FREE, GRANT_RECLAIMED)
    this.#control.transition(GRANT_ATTACHED, GRANT_RECLAIMED)
    retire(this.#grant)
  }

  steer(_rule: SteeringRule): void {
    throw this.#controlPlanes('steering')
  }

  clearSteering(): void {}

  setPacketFilter(): void {
    throw this.#controlPlanes('the packet filter')
  }

  statistics(): NetStatistics {
    return this.#counters.snapshot()
  }

  queueStatistics(queue: number): NetStatistics {
    if (queue !== 0) throw new ParakernelError('EINVAL', 'a lease has one queue', { subject: this.name })
    return this.statistics()
  }

  subscribe(listener: (event: NetDeviceEvent) => void): () => void {
    this.#listeners.add(listener)
    this.#timer ??= this.#watchControl()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#unwatch()
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unwatch()
    this.#listeners.clear()
    if (this.#grant !== undefined) this.reclaim(this.#grant)
    for (const descriptor of [this.#socket, this.#status, this.#placeholder]) calls().close(descriptor)
  }

  #watchControl(): NodeJS.Timeout {
    let { linkUp, mtu, mac } = this
    let present = true
    const changed = () => {
      const events: NetDeviceEvent[] = []
      if (this.linkUp !== linkUp) events.push({ kind: 'link', up: this.linkUp })
      if (this.mtu !== mtu) events.push({ kind: 'mtu', mtu: this.mtu })
      if (this.mac !== mac) events.push({ kind: 'mac', mac: this.mac })
      if (present && this.#control.state === GRANT_REMOVED) events.push({ kind: 'removed' })
      ;({ linkUp, mtu, mac } = this)
      present = this.#control.state !== GRANT_REMOVED
      for (const event of events) for (const listener of [...this.#listeners]) listener(event)
    }
    return setInterval(changed, EVENT_PERIOD_MS).unref()
  }

  #unwatch(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #controlPlanes(what: string): ParakernelError {
    return new ParakernelError('ENOTSUP', `${what} is the control plane's`, {
      subject: this.name,
      remedy: 'Set it there',
    })
  }
}
