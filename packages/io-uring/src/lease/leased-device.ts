import {
  BLOCK_COUNTERS,
  type BlockCapabilities,
  type BlockCounter,
  type BlockDevice,
  type BlockQueueGrant,
  type BlockRange,
  ControlBlock,
  Counters,
  type FrameWindow,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
  GRANT_RECLAIMED,
  ParakernelError,
  REGION_PAGE,
} from '@parakernel/hal'
import {
  calls,
  IoUring,
  mapIoUring,
  mapMemfdRegion,
  type OwnedIoUring,
  regionAddress,
  wakeHolder,
  writeEventFd,
} from '@parakernel/linux'
import { checkRange } from '../control/check-range.ts'
import { checkWindow } from '../control/check-window.ts'
import { NAMESPACE } from '../control/device.ts'
import { createScratch, type Scratch } from '../control/scratch.ts'
import { RETIREMENT_BYTES } from '../retire.ts'
import { MAX_SEGMENTS } from '../target/capabilities.ts'
import type { IoUringTransport, ZeroMethod } from '../transport.ts'
import type { LeaseTicket } from './process-lease.ts'

/** The longest that a disk may take to answer what was under way. */
const LAST_COMMAND_PATIENCE_MS = 30_000

/**
 * The blocks that another process was given, in that process: a device of one queue over the descriptors that it inherited. Blocks
 * count from 0. What it cannot reach the kernel refuses, whatever this code does.
 */
export class LeasedDevice implements BlockDevice {
  readonly name: string
  readonly queues = 1
  readonly capabilities: BlockCapabilities
  readonly namespaces: ReadonlyMap<number, number>
  readonly #module: string
  readonly #zeroMethod: ZeroMethod
  readonly #owned: OwnedIoUring
  readonly #wake: number
  readonly #scratch: Scratch
  readonly #status: number
  readonly #counters: Counters<BlockCounter>
  #grant: BlockQueueGrant<IoUringTransport> | undefined
  #grants = 0
  #closed = false

  /** @throws EBADF, EINVAL for descriptors that are not those of the ticket */
  constructor(ticket: LeaseTicket, [ring, wake, status]: readonly number[], module: string) {
    this.name = ticket.name
    this.capabilities = ticket.capabilities
    this.namespaces = new Map([[NAMESPACE, ticket.blocks]])
    this.#module = module
    this.#zeroMethod = ticket.zeroMethod
    this.#wake = wake
    this.#status = status
    this.#counters = new Counters(BLOCK_COUNTERS, mapMemfdRegion(status, REGION_PAGE).buffer)
    this.#owned = mapIoUring(ring, ticket.params, ticket.name)
    this.#scratch = createScratch(ticket.capabilities.queueDepth, MAX_SEGMENTS, ticket.name)
  }

  grant(queue: number, range: BlockRange, window: FrameWindow): BlockQueueGrant<IoUringTransport> {
    const subject = `${this.name} queue ${queue}`
    if (this.#closed) throw new ParakernelError('ENODEV', 'the device is closed', { subject })
    if (queue !== 0) throw new ParakernelError('EINVAL', 'a lease has one queue', { subject, remedy: 'Choose 0' })
    checkRange(range, this.namespaces, subject)
    checkWindow(window, this.capabilities, subject)
    if (this.#grant !== undefined) {
      if (new ControlBlock(this.#grant.control).state !== GRANT_DETACHED) {
        throw new ParakernelError('EBUSY', `lease ${this.#grant.window.lease} has the queue`, {
          subject,
          remedy: 'Reclaim its grant first',
        })
      }
      this.reclaim(this.#grant)
    }
    this.#grant = {
      module: this.#module,
      device: this.name,
      queue,
      range,
      window,
      capabilities: this.capabilities,
      control: new ControlBlock().buffer,
      counters: this.#counters.values.buffer as SharedArrayBuffer,
      transport: {
        id: this.#grants++,
        processId: process.pid,
        ring: this.#owned.ring,
        unpolledRing: null,
        enabled: true,
        regionAddress: regionAddress(window.region),
        registered: false,
        scratch: this.#scratch.vectors,
        zeros: this.#scratch.zeros,
        zeroMethod: this.#zeroMethod,
        // A discard is a command that the ring does not allow; a hole does as well.
        deallocateMethod: 'punch-hole',
        placeholder: -1,
        wake: this.#wake,
        retirement: new SharedArrayBuffer(RETIREMENT_BYTES),
      },
    }
    return this.#grant
  }

  /** The ring is for good: what is under way is waited for, and its answers are thrown away. */
  reclaim(grant: BlockQueueGrant): void {
    if (this.#grant?.transport.id !== (grant.transport as IoUringTransport).id) return
    const control = new ControlBlock(this.#grant.control)
    control.transition(GRANT_FREE, GRANT_RECLAIMED)
    if (control.state === GRANT_ATTACHED) control.end(GRANT_RECLAIMED)
    wakeHolder(grant.window)
    writeEventFd(this.#wake)
    const ring = new IoUring(this.#owned.ring)
    const deadline = performance.now() + LAST_COMMAND_PATIENCE_MS
    while (ring.outstanding > 0) {
      if (performance.now() > deadline) {
        throw new ParakernelError('ETIMEDOUT', 'the device does not answer what was under way', {
          subject: this.name,
          remedy: 'Do not use the frames of its window again; try once more, or end the process',
        })
      }
      ring.submit(1)
    }
    for (let n = ring.ready(); n > 0; n--) ring.pop()
    ring.release()
    this.#grant = undefined
  }

  statistics(): Record<BlockCounter, number> {
    return this.#counters.snapshot()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    if (this.#grant !== undefined) this.reclaim(this.#grant)
    this.#closed = true
    this.#owned.close()
    this.#scratch.free()
    calls().close(this.#wake)
    calls().close(this.#status)
  }
}
