import {
  type BackendContext,
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
  sumCounters,
} from '@parakernel/hal'
import {
  calls,
  type GoneWatch,
  type OwnedIoUring,
  regionAddress,
  requireIoUring,
  wakeHolder,
  writeEventFd,
} from '@parakernel/linux'
import { createProcessLease, type RingLease } from '../lease/process-lease.ts'
import type { IoUringOptions } from '../options.ts'
import { isAcknowledged, RETIREMENT_BYTES, retire } from '../retire.ts'
import { MAX_SEGMENTS } from '../target/capabilities.ts'
import { openTarget } from '../target/open-target.ts'
import type { Target } from '../target/target.ts'
import type { IoUringTransport } from '../transport.ts'
import { checkOptions } from './check-options.ts'
import { checkRange } from './check-range.ts'
import { checkWindow } from './check-window.ts'
import { DescriptorSlots } from './descriptor-slots.ts'
import { createQueueRing } from './queue-ring.ts'
import { createScratch, type Scratch } from './scratch.ts'

interface ActiveGrant {
  readonly grant: BlockQueueGrant<IoUringTransport>
  readonly control: ControlBlock
  readonly rings: readonly OwnedIoUring[]
  readonly gone: readonly GoneWatch[]
  readonly scratch: Scratch
}

/** The longest that a disk may take to answer a command that was under way when its queue was taken back. */
const LAST_COMMAND_PATIENCE_MS = 30_000
export const NAMESPACE = 1

/** The control half: has the file or device open and makes the rings. Every descriptor is its own. */
export class IoUringDevice implements BlockDevice {
  readonly name: string
  readonly queues: number
  readonly capabilities: BlockCapabilities
  readonly namespaces: ReadonlyMap<number, number>
  readonly #module: string
  readonly #options: IoUringOptions
  readonly #context: BackendContext
  readonly #target: Target
  readonly #slots: DescriptorSlots
  readonly #active = new Map<number, ActiveGrant>()
  /** One set of counters a queue, which all its grants share. */
  readonly #counters: readonly Counters<BlockCounter>[]
  /** Of other processes; those that ended keep their counts. */
  readonly #leases = new Set<RingLease>()
  #closed = false
  #grants = 0

  /** @throws ENOSYS, EPERM, ENOENT, EBUSY, EINVAL, ENOTSUP, EACCES, ENOSPC, EISDIR, EROFS; see the package's README */
  constructor(options: IoUringOptions, context: BackendContext, module: string) {
    checkOptions(options)
    // Before anything is created or locked.
    requireIoUring(options.path)
    this.#module = module
    this.#options = options
    this.#context = context
    this.#target = openTarget(options, context)
    this.name = this.#target.path
    this.queues = options.queues ?? 1
    this.capabilities = this.#target.capabilities
    this.namespaces = new Map([[NAMESPACE, this.#target.blocks]])
    this.#counters = Array.from({ length: this.queues }, () => new Counters(BLOCK_COUNTERS))
    this.#slots = new DescriptorSlots()
  }

  grant(queue: number, range: BlockRange, window: FrameWindow): BlockQueueGrant<IoUringTransport> {
    const subject = `${this.name} queue ${queue}`
    if (this.#closed) throw new ParakernelError('ENODEV', 'the device is closed', { subject })
    if (!Number.isInteger(queue) || queue < 0 || queue >= this.queues) {
      throw new ParakernelError('EINVAL', `there is no such queue, the device has ${this.queues}`, {
        subject,
        remedy: `Choose 0 to ${this.queues - 1}`,
      })
    }
    checkRange(range, this.namespaces, subject)
    checkWindow(window, this.capabilities, subject)
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
    return this.#open(queue, range, window, subject)
  }

  lease(range: BlockRange): RingLease {
    const subject = `${this.name} blocks from ${range.firstLba}`
    if (this.#closed) throw new ParakernelError('ENODEV', 'the device is closed', { subject })
    checkRange(range, this.namespaces, subject)
    const { blockSize, queueDepth } = this.capabilities
    const bytes = { offset: range.firstLba * blockSize, bytes: range.blocks * blockSize }
    const lease = createProcessLease({ path: this.name, blockSize, queueDepth, range: bytes }, this.#context)
    this.#leases.add(lease)
    return lease
  }

  reclaim(grant: BlockQueueGrant): void {
    const active = this.#active.get(grant.queue)
    if (active?.grant.transport.id !== (grant.transport as IoUringTransport).id) return
    const { control, rings, gone, scratch } = active
    const { transport } = active.grant
    const neverHeld = control.transition(GRANT_FREE, GRANT_RECLAIMED)
    if (control.state === GRANT_ATTACHED) control.end(GRANT_RECLAIMED)
    wakeHolder(grant.window)
    writeEventFd(transport.wake)
    retire(active.grant)
    // Only now is the window nobody's but its owner's: the kernel has ended the ring after its last command.
    for (const watch of gone) {
      if (!watch.gone(LAST_COMMAND_PATIENCE_MS)) {
        throw new ParakernelError('ETIMEDOUT', 'the device does not answer what was under way', {
          subject: `${this.name} queue ${grant.queue}`,
          remedy: 'Do not use the frames of its window again; try once more, or end the process',
        })
      }
      watch.close()
    }
    this.#active.delete(grant.queue)
    // A holder that has not let go may still look: what it sees is empty memory, and its descriptors stay what they are.
    if (neverHeld || isAcknowledged(transport)) {
      for (const ring of rings) ring.unmap()
      scratch.free()
    } else {
      for (const { ring } of rings) this.#slots.abandon(ring.descriptor)
      this.#slots.abandon(transport.wake)
    }
  }

  statistics(): Record<BlockCounter, number> {
    const queues = this.#counters.map((counters) => counters.snapshot())
    const leases = [...this.#leases].map((lease) => lease.statistics())
    return sumCounters(BLOCK_COUNTERS, [...queues, ...leases])
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const { grant } of [...this.#active.values()]) this.reclaim(grant)
    for (const lease of this.#leases) lease.close()
    this.#closed = true
    this.#slots.close()
    calls().close(this.#target.descriptor)
  }

  #open(queue: number, range: BlockRange, window: FrameWindow, subject: string): BlockQueueGrant<IoUringTransport> {
    const { queueDepth } = this.capabilities
    const { polledCompletions = false, submissionThread = false, submissionIdle = 50 } = this.#options
    const wake = this.#slots.wakeOf(queue)
    const scratch = createScratch(queueDepth, MAX_SEGMENTS, subject)
    const made: ReturnType<typeof createQueueRing>[] = []
    const ring = (name: string, polled: boolean) => {
      const one = createQueueRing({
        subject,
        target: this.#target.descriptor,
        window,
        depth: queueDepth,
        wake,
        submissionThread: submissionThread && name === 'ring',
        submissionIdle,
        polled,
        registerBuffers: (this.#options.registeredBuffers ?? true) && name === 'ring',
        warn: this.#context.warn,
      })
      made.push(one)
      return one
    }
    try {
      const first = ring('ring', polledCompletions)
      // Flushes and deallocations cannot be polled for.
      const second = polledCompletions ? ring('unpolled', false) : undefined
      const control = new ControlBlock()
      const grant: BlockQueueGrant<IoUringTransport> = {
        module: this.#module,
        device: this.name,
        queue,
        range,
        window,
        capabilities: this.capabilities,
        control: control.buffer,
        counters: this.#counters[queue].values.buffer as SharedArrayBuffer,
        transport: {
          id: this.#grants++,
          processId: process.pid,
          ring: { ...first.owned.ring, descriptor: this.#slots.put(`${queue} ring`, first.owned) },
          unpolledRing: second
            ? { ...second.owned.ring, descriptor: this.#slots.put(`${queue} unpolled`, second.owned) }
            : null,
          enabled: false,
          regionAddress: regionAddress(window.region),
          registered: first.registered,
          scratch: scratch.vectors,
          zeros: scratch.zeros,
          zeroMethod: this.#target.zeroMethod,
          deallocateMethod: this.#target.deallocateMethod,
          placeholder: this.#slots.placeholder,
          wake,
          retirement: new SharedArrayBuffer(RETIREMENT_BYTES),
        },
      }
      const rings = made.map(({ owned }) => owned)
      this.#active.set(queue, { grant, control, rings, gone: made.map(({ gone }) => gone), scratch })
      return grant
    } catch (error) {
      for (const { owned, gone } of made) {
        gone.close()
        owned.close()
      }
      scratch.free()
      throw error
    }
  }
}
