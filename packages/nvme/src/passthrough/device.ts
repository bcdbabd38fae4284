import { closeSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import {
  type AttachContext,
  BLOCK_COUNTERS,
  type BlockCapabilities,
  type BlockCounter,
  type BlockDevice,
  type BlockQueue,
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
import { createEventFd, isTransient, writeEventFd } from '@parakernel/linux'
import { Lane } from './lane.ts'
import { type OpenNamespace, openNamespace } from './namespace.ts'
import { DEFAULT_DEPTH, DEFAULT_QUEUES, type PassthroughOptions } from './options.ts'
import { PassthroughQueue } from './queue.ts'

export interface PassthroughTransport {
  readonly kind: 'passthrough'
  /** Number of the grant among those of its thread. */
  readonly id: number
  readonly thread: number
}

export type PassthroughGrant = BlockQueueGrant<PassthroughTransport>

/** Whether a grant of this package is of this kind. */
export function isPassthrough(grant: BlockQueueGrant): grant is PassthroughGrant {
  return (grant.transport as Partial<PassthroughTransport>).kind === 'passthrough'
}

interface Active {
  readonly grant: PassthroughGrant
  readonly control: ControlBlock
  readonly lane: Lane
  queue: PassthroughQueue | undefined
}

/** Longer than the kernel's driver waits before it aborts a command and resets the controller. */
const LAST_COMMAND_PATIENCE_MS = 90_000

/** Grants of this thread, by their number. */
const grants = new Map<number, Active>()
let nextGrant = 0

/**
 * A namespace under the kernel's driver, reached by its own commands: no file system, page cache or block layer in between, and no
 * device taken away from the kernel. Queues stay in the thread that opened it.
 */
export class PassthroughDevice implements BlockDevice {
  readonly name: string
  readonly queues: number
  readonly capabilities: BlockCapabilities
  readonly namespaces: ReadonlyMap<number, number>
  readonly #module: string
  readonly #open: OpenNamespace
  readonly #active = new Map<number, Active>()
  readonly #counters: readonly Counters<BlockCounter>[]
  /** An eventfd a queue: a holder may look at it after its grant ended. */
  readonly #wakes = new Map<number, number>()
  #closed = false

  /** See `openNamespace` for errors. */
  constructor(options: PassthroughOptions, module: string) {
    const { path, queues = DEFAULT_QUEUES, queueDepth = DEFAULT_DEPTH } = options
    checkNumber(queues, 64, 'queues', path)
    checkNumber(queueDepth, 4096, 'queueDepth', path)
    if ((queueDepth & (queueDepth - 1)) !== 0) throw invalid(`queueDepth ${queueDepth} is not a power of two`, path)
    this.#open = openNamespace(path, queueDepth)
    this.#module = module
    this.name = path
    this.queues = queues
    this.capabilities = this.#open.capabilities
    this.namespaces = new Map([[this.#open.number, this.#open.blocks]])
    this.#counters = Array.from({ length: queues }, () => new Counters(BLOCK_COUNTERS))
  }

  grant(queue: number, range: BlockRange, window: FrameWindow): PassthroughGrant {
    const subject = `${this.name} queue ${queue}`
    if (this.#closed) throw new ParakernelError('ENODEV', 'the device is closed', { subject, remedy: 'Open it again' })
    if (!Number.isInteger(queue) || queue < 0 || queue >= this.queues) {
      throw new ParakernelError('EINVAL', `there is no such queue, the device has ${this.queues}`, {
        subject,
        remedy: `Choose 0 to ${this.queues - 1}`,
      })
    }
    this.#checkRange(range, subject)
    if (!this.capabilities.regions.includes(window.region.kind)) {
      throw new ParakernelError('ENOTSUP', `memory of kind ${window.region.kind} cannot be pinned for a device`, {
        subject,
        remedy: `Use ${this.capabilities.regions.join(' or ')} memory`,
      })
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
    const wake = this.#wakes.get(queue) ?? createEventFd()
    this.#wakes.set(queue, wake)
    const lane = new Lane({
      descriptor: this.#open.descriptor,
      window,
      wake,
      depth: this.capabilities.queueDepth,
      subject,
    })
    const control = new ControlBlock()
    const id = nextGrant++
    const grant: PassthroughGrant = {
      module: this.#module,
      device: this.name,
      queue,
      range,
      window,
      capabilities: this.capabilities,
      control: control.buffer,
      counters: this.#counters[queue].values.buffer as SharedArrayBuffer,
      transport: { kind: 'passthrough', id, thread: threadId },
    }
    const active = { grant, control, lane, queue: undefined }
    this.#active.set(queue, active)
    grants.set(id, active)
    return grant
  }

  reclaim(grant: BlockQueueGrant): void {
    const active = this.#active.get(grant.queue)
    if (active === undefined || active.grant.transport.id !== (grant.transport as PassthroughTransport).id) return
    const { control, lane, queue } = active
    control.transition(GRANT_FREE, GRANT_RECLAIMED)
    if (control.state === GRANT_ATTACHED) control.end(GRANT_RECLAIMED)
    drain(lane, `${this.name} queue ${grant.queue}`)
    this.#active.delete(grant.queue)
    grants.delete(active.grant.transport.id)
    queue?.end()
    writeEventFd(lane.wake)
    lane.close()
  }

  statistics(): Record<BlockCounter, number> {
    return sumCounters(
      BLOCK_COUNTERS,
      this.#counters.map((counters) => counters.snapshot()),
    )
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const { grant } of [...this.#active.values()]) this.reclaim(grant)
    this.#closed = true
    for (const wake of this.#wakes.values()) closeSync(wake)
    closeSync(this.#open.descriptor)
    if (this.#open.guard >= 0) closeSync(this.#open.guard)
  }

  #checkRange({ namespace, firstLba, blocks }: BlockRange, subject: string): void {
    const size = this.namespaces.get(namespace)
    if (size === undefined) throw invalid(`there is no namespace ${namespace}, only ${this.#open.number}`, subject)
    const whole = Number.isSafeInteger(firstLba) && Number.isSafeInteger(blocks) && firstLba >= 0 && blocks > 0
    if (!whole || firstLba + blocks > size) {
      throw invalid(`blocks ${firstLba} to ${firstLba + blocks} are not within 0 to ${size}`, subject)
    }
  }
}

/** The unprivileged half. @throws ESTALE, EINVAL; ENOTSUP in another thread than the device's */
export function attachPassthrough(grant: PassthroughGrant, context: AttachContext): BlockQueue {
  const { id, thread } = grant.transport
  const active = thread === threadId ? grants.get(id) : undefined
  if (active === undefined) {
    const ended = new ControlBlock(grant.control).state !== GRANT_FREE
    throw new ParakernelError(
      ended ? 'ESTALE' : 'ENOTSUP',
      ended ? 'the grant is over' : 'the ring is of another thread',
      {
        subject: `${grant.device} queue ${grant.queue}`,
        remedy: ended ? 'Ask the device for a new grant' : 'Attach in the thread that opened the device',
      },
    )
  }
  const queue = new PassthroughQueue(grant, active.lane, context)
  active.queue = queue
  return queue
}

/** Waits until the kernel has answered everything: from then on it touches no frame. The answers are not looked at. */
function drain(lane: Lane, subject: string): void {
  const { ring } = lane
  const deadline = performance.now() + LAST_COMMAND_PATIENCE_MS
  while (lane.outstanding > 0) {
    const result = ring.submit(1)
    let count = ring.ready()
    lane.outstanding -= count
    for (; count > 0; count--) ring.pop()
    ring.release()
    if ((result < 0 && !isTransient(result)) || performance.now() > deadline) {
      throw new ParakernelError('ETIMEDOUT', 'the device does not answer what was under way', {
        subject,
        remedy: 'Do not use the frames of its window again; try once more, or end the process',
      })
    }
  }
}

function checkNumber(value: number, most: number, name: string, subject: string): void {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw invalid(`${name} ${value} is not 1 to ${most}`, subject)
}

function invalid(message: string, subject: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject, remedy: 'Correct it' })
}
