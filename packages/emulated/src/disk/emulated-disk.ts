import { threadId } from 'node:worker_threads'
import {
  type AttachContext,
  BLOCK_COUNTERS,
  type BlockCapabilities,
  type BlockCounter,
  type BlockDevice,
  type BlockQueueGrant,
  type BlockRange,
  type Clock,
  ControlBlock,
  Counters,
  countersBuffer,
  type ErrorCode,
  type FrameWindow,
  GRANT_ATTACHED,
  GRANT_FREE,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
  ParakernelError,
  sumCounters,
  WakeWord,
} from '@parakernel/hal'
import { MODULE_URL } from '../module-url.ts'
import { DiskQueue } from './disk-queue.ts'
import type { ImageFile } from './image-file.ts'
import { type DiskGeometry, type DiskOptions, resolveDisk } from './options.ts'
import { Store, type StoreReference } from './store.ts'
import type { DiskTransport } from './transport.ts'
import { WriteCache } from './write-cache.ts'

/** Milliseconds that a holder which lost its queue in mid-call gets to leave the cache. */
const LEAVE_MS = 20

interface ActiveGrant {
  readonly grant: BlockQueueGrant<DiskTransport>
  readonly control: ControlBlock
  /** When it was attached in the disk's own thread. */
  queue: DiskQueue | undefined
}

export interface EmulatedDiskOptions extends Omit<DiskOptions, 'path'> {
  /** Of the queues that will be attached; a `VirtualClock` keeps them in this thread. */
  readonly clock?: Clock
  /**
   * The content, `blocks * blockSize` bytes, used in place. Over a plain `ArrayBuffer` the disk stays in its thread and is cheap
   * to make; over a `SharedArrayBuffer` its queues attach in any thread. Shared memory of its own when absent.
   */
  readonly media?: Uint8Array
  /** @internal The file under the media. */
  readonly image?: ImageFile
}

let serials = 0
/** Disks of this thread that have granted a queue. */
const disks = new Map<string, EmulatedDisk>()

/** The control half of an emulated disk: blocks in memory behind queues. */
export class EmulatedDisk implements BlockDevice {
  readonly name: string
  readonly queues: number
  readonly capabilities: BlockCapabilities
  readonly namespaces: ReadonlyMap<number, number>
  /** What a read would find. After a `powerCut` that is what survived. */
  readonly media: Uint8Array
  readonly #id: string
  readonly #geometry: DiskGeometry
  readonly #store: Store
  readonly #reference: StoreReference | undefined
  readonly #grants: (ActiveGrant | undefined)[]
  readonly #counters: (Counters<BlockCounter> | undefined)[]
  #gone = false
  #closed: (() => unknown) | undefined

  /** @throws EINVAL naming the option that is out of range */
  constructor(options: EmulatedDiskOptions = {}) {
    const { clock, media, image, ...rest } = options
    this.#geometry = resolveDisk(rest, clock, media)
    const { totalBlocks, capabilities, seed, queues } = this.#geometry
    const { blockSize } = capabilities
    this.#id = `${threadId}:${++serials}`
    this.name = options.name ?? `disk${serials}`
    this.queues = queues
    this.capabilities = capabilities
    this.namespaces = new Map(this.#geometry.namespaces.map((blocks, i) => [i + 1, blocks]))
    this.media = media ?? allocateMedia(totalBlocks * blockSize, this.name)
    const shared = capabilities.attach === 'worker'
    const memory = shared && capabilities.volatileCache ? WriteCache.allocate(totalBlocks, blockSize, seed) : undefined
    const cache = capabilities.volatileCache ? new WriteCache(this.media, blockSize, seed, image, memory) : undefined
    this.#store = new Store(this.media, blockSize, cache, image)
    this.#reference = shared
      ? { media: this.media.buffer as SharedArrayBuffer, cache: memory, blockSize, fd: image?.fd ?? -1 }
      : undefined
    this.#grants = new Array(queues).fill(undefined)
    this.#counters = new Array(queues).fill(undefined)
  }

  /** Blocks whose content a power cut may take back. */
  get dirtyBlocks(): number {
    return this.#store.cache?.dirty ?? 0
  }

  grant(queue: number, range: BlockRange, window: FrameWindow): BlockQueueGrant<DiskTransport> {
    if (this.#gone) throw this.#error('ENODEV', 'the disk is gone')
    const { latency, jitter, reorder, seed } = this.#geometry
    const active = this.#grants[this.#checked(queue)]
    const state = active?.control.state
    if (state === GRANT_FREE || state === GRANT_ATTACHED) {
      throw this.#error('EBUSY', `the queue belongs to lease ${active?.grant.window.lease}`, queue, {
        remedy: 'Reclaim that grant first, or take another queue',
      })
    }
    const base = this.#checkRange(range, queue)
    this.#checkWindow(window, queue)
    const control = new ControlBlock()
    this.#counters[queue] ??= new Counters(BLOCK_COUNTERS, countersBuffer(BLOCK_COUNTERS))
    const grant: BlockQueueGrant<DiskTransport> = {
      module: MODULE_URL,
      device: this.name,
      queue,
      range,
      window,
      capabilities: this.capabilities,
      control: control.buffer,
      counters: this.#counters[queue].values.buffer as SharedArrayBuffer,
      transport: { disk: this.#id, serial: ++serials, store: this.#reference, base, latency, jitter, reorder, seed },
    }
    this.#grants[queue] = { grant, control, queue: undefined }
    disks.set(this.#id, this)
    return grant
  }

  /** The unprivileged half in the disk's own thread; other threads go by `attachBlockQueue`. @throws ESTALE, EINVAL */
  attach(grant: BlockQueueGrant, context: AttachContext): DiskQueue {
    const mine = grant as BlockQueueGrant<DiskTransport>
    const queue = new DiskQueue(mine, this.#store, context)
    const active = this.#grants[grant.queue]
    if (active?.grant.transport.serial === mine.transport.serial) active.queue = queue
    return queue
  }

  reclaim(grant: BlockQueueGrant): void {
    const active = this.#grants[this.#checked(grant.queue)]
    const { serial } = grant.transport as DiskTransport
    if (active?.grant.transport.serial === serial) this.#end(active, GRANT_RECLAIMED)
  }

  statistics(): Record<BlockCounter, number> {
    return sumCounters(
      BLOCK_COUNTERS,
      this.#counters.filter((one) => one !== undefined).map((one) => one.snapshot()),
    )
  }

  /**
   * Power fails and comes back: of what was not stable a legal subset survives, every grant ends as with a removal, and queues
   * can be granted again. Of writes that were under way in other threads nothing survives.
   * @param random like `Math.random`; decides what survives
   */
  powerCut(random: () => number): void {
    const local = this.#grants.map((active) => (active?.control.state === GRANT_ATTACHED ? active.queue : undefined))
    for (const active of this.#grants) if (active !== undefined) this.#end(active, GRANT_REMOVED)
    for (const queue of local) queue?.spill(random)
    this.#store.cache?.powerCut(random)
  }

  /** The disk is pulled out: grants end, and what was outstanding completes with ENODEV. */
  remove(): void {
    if (!this.#gone) this.#unplug(GRANT_REMOVED)
  }

  /** An orderly shutdown: what was written is stable afterwards. @throws EIO when the image file could not be written; closed all the same */
  async close(): Promise<void> {
    let stable = true
    if (!this.#gone) {
      this.#unplug(GRANT_RECLAIMED)
      stable = this.#store.flush(this.queues + 1) === 0
    }
    const closed = this.#closed
    this.#closed = undefined
    if (closed?.() === false || !stable) {
      throw this.#error('EIO', 'the image file could not be written', undefined, {
        remedy: 'Make room on the file system that holds it; its content is not to be trusted',
      })
    }
  }

  /** @internal `closed` answers false when the content is not safe. */
  onClosed(closed: () => unknown): void {
    this.#closed = closed
  }

  #unplug(state: number): void {
    this.#gone = true
    for (const active of this.#grants) if (active !== undefined) this.#end(active, state)
  }

  #end({ grant, control }: ActiveGrant, state: number): void {
    const { queue, window } = grant
    const held = control.state === GRANT_ATTACHED
    control.end(state)
    this.#grants[queue] = undefined
    if (held) {
      this.#store.cache?.breakLock(queue + 1, LEAVE_MS)
      const word = new WakeWord(window.wake)
      if (word.sleeping) word.notify()
    }
    if (this.#grants.every((active) => active === undefined)) disks.delete(this.#id)
  }

  #checked(queue: number): number {
    if (Number.isInteger(queue) && queue >= 0 && queue < this.queues) return queue
    throw this.#error('EINVAL', `queue ${queue} is not among the ${this.queues} of this disk`)
  }

  /** The first block of the namespace in the media. */
  #checkRange({ namespace, firstLba, blocks }: BlockRange, queue: number): number {
    const total = this.namespaces.get(namespace)
    if (total === undefined) {
      throw this.#error('EINVAL', `there is no namespace ${namespace}`, queue, {
        remedy: `Namespaces are 1 to ${this.namespaces.size}`,
      })
    }
    const whole = Number.isInteger(firstLba) && Number.isInteger(blocks) && firstLba >= 0 && blocks > 0
    if (!whole || firstLba + blocks > total) {
      throw this.#error('EINVAL', `blocks ${firstLba} to ${firstLba + blocks} are not within its ${total}`, queue)
    }
    let base = 0
    for (let i = 1; i < namespace; i++) base += this.#geometry.namespaces[i - 1]
    return base
  }

  #checkWindow(window: FrameWindow, queue: number): void {
    const { regions, memoryAlignment } = this.capabilities
    if (!regions.includes(window.region.kind))
      throw this.#error('ENOTSUP', `memory of the kind ${window.region.kind}`, queue)
    const end = window.byteOffset + window.frameCount * window.frameSize
    if (!(window.byteOffset >= 0 && window.frameCount > 0 && end <= window.region.buffer.byteLength)) {
      throw this.#error('EINVAL', 'the frame window is not within its region', queue)
    }
    if (window.frameSize < memoryAlignment) {
      throw this.#error(
        'EINVAL',
        `frames of ${window.frameSize} bytes are less than the alignment of ${memoryAlignment}`,
        queue,
      )
    }
  }

  #error(code: ErrorCode, message: string, queue?: number, details: { remedy?: string } = {}): ParakernelError {
    return new ParakernelError(code, message, {
      subject: queue === undefined ? this.name : `${this.name} queue ${queue}`,
      ...details,
    })
  }
}

/** Attaches a grant: to the disk itself in its own thread, else to the memory that the grant names. @throws ESTALE, ENOTSUP */
export function attachDisk(grant: BlockQueueGrant<DiskTransport>, context: AttachContext): DiskQueue {
  const { disk: id, store } = grant.transport
  const disk = disks.get(id)
  if (disk !== undefined) return disk.attach(grant, context)
  const subject = `${grant.device} queue ${grant.queue}`
  if (id.startsWith(`${threadId}:`)) {
    throw new ParakernelError('ESTALE', 'the grant is over', { subject, remedy: 'Ask the device for a new one' })
  }
  if (store === undefined) {
    throw new ParakernelError('ENOTSUP', 'the disk stays in the thread that made it', {
      subject,
      remedy: 'Make it without a VirtualClock, and with shared memory as its media',
    })
  }
  return new DiskQueue(grant, Store.of(store), context)
}

/** Shared memory, of which only what is written takes place. @throws ENOMEM */
export function allocateMedia(byteLength: number, subject: string): Uint8Array {
  try {
    return new Uint8Array(new SharedArrayBuffer(byteLength))
  } catch (cause) {
    throw new ParakernelError('ENOMEM', `cannot reserve ${byteLength} bytes`, {
      subject,
      remedy: 'Give fewer `blocks`',
      cause,
    })
  }
}
