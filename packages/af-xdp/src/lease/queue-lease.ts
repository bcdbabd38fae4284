import {
  ClaimedCounters,
  ControlBlock,
  type FrameWindow,
  GRANT_DETACHED,
  GRANT_RECLAIMED,
  type MemoryRegion,
  NET_COUNTERS,
  type NetCounters,
  type NetProcessLease,
  type NetStatistics,
  ParakernelError,
  RX_DROPPED_FILTER,
  RX_DROPPED_NO_FRAME,
  RX_DROPPED_RING_FULL,
  RX_DROPPED_TOO_LONG,
  TX_BYTES,
  TX_DROPPED,
  TX_INVALID_DESCRIPTORS,
  TX_PACKETS,
} from '@parakernel/hal'
import { calls, closeRegion, createMemfdRegion, type XdpStatistics } from '@parakernel/linux'
import type { InterfaceProgram } from '../control/interface-program.ts'
import type { QueueSocket } from '../control/queue-socket.ts'
import { ledgerTooLong, socketStatistics } from '../ledger.ts'
import { waitingIn } from './ring-audit.ts'
import { COUNTERS_PART, LEDGER_PART, STATUS_BYTES, shapeOf, type XdpLeaseTicket } from './ticket.ts'

export interface QueueLeaseOptions {
  readonly ticket: Omit<XdpLeaseTicket, 'window'>
  readonly window: FrameWindow
  readonly socket: QueueSocket
  readonly program: InterfaceProgram
  /** Of the queue: its last counts go there. */
  readonly counters: NetCounters
  /** The module that exports `openProcessLease`. */
  readonly module: string
  /** The device has it no more. */
  readonly onClose: () => void
}

const NOTHING: XdpStatistics = {
  rxDropped: 0,
  rxInvalidDescriptors: 0,
  txInvalidDescriptors: 0,
  rxRingFull: 0,
  rxFillRingEmpty: 0,
  txRingEmpty: 0,
}

/**
 * The control plane's side of a queue that another process has: the bound socket, of which that process inherits a descriptor, and a
 * page through which both speak. The socket can send and receive frames of its own memory on its own queue and do nothing else, so the
 * holder's code need not be trusted; what it wrote into the page and the rings is copied, and then believed as far as it makes sense.
 */
export class QueueLease implements NetProcessLease {
  readonly kind = 'net'
  readonly enforcedBy = 'bound-socket+memfd'
  readonly module: string
  readonly ticket: XdpLeaseTicket
  readonly descriptors: readonly number[]
  readonly control: ControlBlock
  readonly window: FrameWindow
  readonly #socket: QueueSocket
  readonly #program: InterfaceProgram
  readonly #counters: NetCounters
  /** What the queue counted before this lease. */
  readonly #before: readonly number[]
  readonly #leftOutBefore: number
  readonly #status: MemoryRegion
  readonly #claimed: ClaimedCounters
  /** The one count of the holder's ledger: packets that were too long. */
  readonly #tooLong: ClaimedCounters
  readonly #onClose: () => void
  #last = NOTHING
  #revoked = false
  #closed = false

  /** Takes the socket over, and closes it when this fails. The holder's frames arrive from now on. */
  constructor({ ticket, window, socket, program, counters, module, onClose }: QueueLeaseOptions) {
    this.module = module
    this.ticket = { ...ticket, window: shapeOf(window) }
    this.window = window
    this.#socket = socket
    this.#program = program
    this.#counters = counters
    this.#before = [...counters.values]
    this.#onClose = onClose
    const name = `${ticket.device}-${ticket.queue}`
    try {
      this.#status = createMemfdRegion(STATUS_BYTES, `${name}-status`)
    } catch (error) {
      this.#closeSocket()
      throw error
    }
    const { buffer } = this.#status
    this.control = new ControlBlock(buffer)
    this.#claimed = new ClaimedCounters(new Float64Array(buffer, COUNTERS_PART, NET_COUNTERS.length))
    this.#tooLong = new ClaimedCounters(ledgerTooLong(buffer, LEDGER_PART))
    this.descriptors = [socket.descriptor, this.#status.fd]
    program.filter.clear(ticket.queue)
    this.#leftOutBefore = program.filter.leftOut(ticket.queue)
    try {
      program.put(ticket.queue, socket.descriptor)
    } catch (error) {
      closeRegion(this.#status)
      this.#closeSocket()
      throw error
    }
  }

  statistics(): NetStatistics {
    if (this.#closed) return this.#counters.snapshot()
    const now = this.#count()
    return Object.fromEntries(NET_COUNTERS.map((name, i) => [name, now[i]])) as NetStatistics
  }

  refused(): Record<string, number> {
    if (!this.#closed) this.#readSocket()
    return { txInvalidDescriptors: this.#last.txInvalidDescriptors }
  }

  /** Nothing arrives any more. What the holder still sends ends with its process: a socket cannot be told to be silent. */
  revoke(): void {
    if (this.#revoked) return
    this.#revoked = true
    this.#program.drop(this.ticket.queue)
    this.#program.filter.clear(this.ticket.queue)
    if (this.#program.own) this.#program.setPacketFilter(this.ticket.queue, undefined)
    if (this.control.state !== GRANT_DETACHED) this.control.end(GRANT_RECLAIMED)
  }

  close(): void {
    if (this.#closed) return
    this.revoke()
    const { values } = this.#counters
    values.set(this.#count())
    values[RX_DROPPED_RING_FULL] += waitingIn(this.#socket.rx, this.ticket.ringSize).entries
    // A holder that detached has counted this itself.
    if (this.control.state !== GRANT_DETACHED) {
      const unsent = waitingIn(this.#socket.tx, this.ticket.ringSize)
      const packets = Math.min(unsent.entries, values[TX_PACKETS])
      values[TX_PACKETS] -= packets
      values[TX_DROPPED] += packets
      values[TX_BYTES] = Math.max(0, values[TX_BYTES] - unsent.bytes)
    }
    this.#closed = true
    closeRegion(this.#status)
    this.#closeSocket()
    this.#onClose()
  }

  /** The queue's counters as they are now, in their order. */
  #count(): Float64Array {
    this.#readSocket()
    const kernel = this.#last
    const now = this.#claimed.refresh().map((claimed, i) => this.#before[i] + claimed)
    const leftOut = this.#program.filter.leftOut(this.ticket.queue) - this.#leftOutBefore
    now[RX_DROPPED_NO_FRAME] = this.#before[RX_DROPPED_NO_FRAME] + kernel.rxFillRingEmpty
    now[RX_DROPPED_RING_FULL] = this.#before[RX_DROPPED_RING_FULL] + kernel.rxRingFull
    now[RX_DROPPED_TOO_LONG] =
      this.#before[RX_DROPPED_TOO_LONG] +
      Math.max(0, kernel.rxDropped - kernel.rxFillRingEmpty) +
      this.#tooLong.refresh()[0]
    now[RX_DROPPED_FILTER] = this.#before[RX_DROPPED_FILTER] + Math.max(0, leftOut)
    now[TX_INVALID_DESCRIPTORS] += kernel.txInvalidDescriptors
    return now
  }

  #readSocket(): void {
    this.#last = socketStatistics(this.#socket.descriptor) ?? this.#last
  }

  #closeSocket(): void {
    this.#socket.unmap()
    calls().close(this.#socket.descriptor)
  }
}

/** @throws ENOTSUP for a region that no other process can map, EPERM for one in which another lease's frames lie */
export function checkLeasedRegion(window: FrameWindow, others: Iterable<FrameWindow>, subject: string): void {
  if (window.region.kind !== 'memfd') {
    throw new ParakernelError('ENOTSUP', `a region of the ${window.region.kind} kind cannot be another process's`, {
      subject,
      remedy: 'Make it with Host.createRegion',
    })
  }
  for (const other of others) {
    if (other.region.buffer !== window.region.buffer || other.lease === window.lease) continue
    throw new ParakernelError('EPERM', `frames of lease ${other.lease} lie in the same region`, {
      subject,
      remedy: 'Give each process a region of its own: it can read and write all of it',
    })
  }
}
