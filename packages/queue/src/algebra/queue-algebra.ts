import { type FramePool, type NetQueue, ParakernelError } from '@parakernel/hal'
import type { PushPop } from '../push-pop.ts'
import type { QueueRuntime } from '../queue-runtime.ts'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { QueueDescriptor, QueueToken } from '../types.ts'
import { Connection } from './connection.ts'
import { FilteredQueue, type Predicate } from './filter.ts'
import type { Home } from './home.ts'
import { LibosNode } from './libos-node.ts'
import { MappedQueue, type Transform } from './map.ts'
import { MemoryQueue } from './memory-queue.ts'
import { MergedQueue } from './merge.ts'
import { PacketQueue, type PacketQueueOptions } from './packet-queue.ts'
import type { QueueNode, Stage } from './queue-node.ts'
import { type Key, SortedQueue } from './sort.ts'

/**
 * A queue by its descriptor: one of the algebra's, a socket or a file. One of a libOS that opens its descriptors without a word to the
 * runtime (`libosOf`) is named together with it.
 */
export type QueueLike = QueueDescriptor | { readonly libos: PushPop; readonly qd: QueueDescriptor }

export interface QueueAlgebraOptions {
  /** Elements that a memory queue holds before its producers wait, and that wait anywhere for somebody to pop them; default 256. */
  readonly capacity?: number
}

/**
 * Queues of queues, after the HotOS'19 paper: on the tokens of one runtime, so that one wait spans them, sockets, files and timers.
 * While queues stand above a socket or a file, pop it through `pop` here: a pop at its libOS would see what they should.
 */
export class QueueAlgebra implements Home {
  readonly name = 'algebra'
  readonly runtime: QueueRuntime
  /** Of the arrays that go through memory queues. */
  readonly pool: FramePool
  /** Elements that were freed because their queue was closed, and could not go back: of memory queues, and transformed ones. */
  dropped = 0
  readonly #capacity: number
  /** By descriptor: a socket or file stands under its own, and under that of its pops here. */
  readonly #nodes: (QueueNode | undefined)[] = []

  constructor(runtime: QueueRuntime, pool: FramePool, options: QueueAlgebraOptions = {}) {
    const { capacity = 256 } = options
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new ParakernelError('EINVAL', `capacity ${capacity} is not a positive integer`, {
        subject: 'queue algebra',
      })
    }
    this.runtime = runtime
    this.pool = pool
    this.#capacity = capacity
  }

  /** A queue in memory. @throws EMFILE, as all of these */
  queue(capacity = this.#capacity): QueueDescriptor {
    return this.#add(new MemoryQueue(this, capacity))
  }

  /**
   * The Ethernet frames of a device queue, which must be attached with the algebra's pool and be used by nobody else. A `filter` above
   * it by an expression runs in the device where that can be: see `PacketQueueOptions`. Closing it leaves the device queue attached.
   */
  packets(device: NetQueue, options: PacketQueueOptions = {}): QueueDescriptor {
    if (device.pool !== this.pool) {
      throw new ParakernelError('EINVAL', "is attached with another pool than the algebra's", {
        subject: `${device.grant.device} queue ${device.grant.queue}`,
      })
    }
    return this.#add(new PacketQueue(this, this.#capacity, device, options).open())
  }

  /** Pops come from any of them, pushes go to all. @throws EINVAL for none */
  merge(...queues: readonly QueueLike[]): QueueDescriptor {
    if (queues.length === 0) throw new ParakernelError('EINVAL', 'nothing is merged', { subject: 'merge' })
    const sources = queues.map((queue) => this.#node(queue))
    return this.#add(new MergedQueue(this, this.#capacity, sources).open())
  }

  /** Only what matches; the others stay for pops of `queue`. */
  filter(queue: QueueLike, predicate: Predicate): QueueDescriptor {
    return this.#add(new FilteredQueue(this, this.#node(queue), predicate).open())
  }

  map(queue: QueueLike, transform: Transform): QueueDescriptor {
    return this.#add(new MappedQueue(this, this.#node(queue), transform))
  }

  /** Lowest key first, of up to `capacity` elements that are there. */
  sort(queue: QueueLike, key: Key, capacity = this.#capacity): QueueDescriptor {
    return this.#add(new SortedQueue(this, capacity, this.#node(queue), key).open())
  }

  /** What comes out of `from` goes to `to`, until one of them ends or the returned queue is closed. */
  qconnect(from: QueueLike, to: QueueLike): QueueDescriptor {
    return this.#add(new Connection(this, this.#node(from), this.#node(to)).open())
  }

  push(queue: QueueLike, sga: ScatterGatherArray): QueueToken {
    return this.#node(queue).push(sga)
  }

  pop(queue: QueueLike): QueueToken {
    return this.#node(queue).pop()
  }

  /**
   * Closes a queue of the algebra: pending tokens fail with ECANCELED, what it took from its sources and did not hand on goes back to
   * them where it can. A socket or file stays open; what stands above it ends.
   * @throws EBADF
   */
  close(queue: QueueLike): void {
    this.#close(this.#node(queue))
  }

  /** As `close`, with a token that completes as `close`: nothing takes time here. */
  asyncClose(queue: QueueDescriptor): QueueToken {
    const node = this.#node(queue)
    const token = this.runtime.issue(node.qd)
    this.runtime.completeClose(token)
    this.#close(node)
    return token
  }

  /** Whether pops of `qd` go through here: it is one of the algebra's queues, or something stands above it. */
  has(qd: QueueDescriptor): boolean {
    return this.#nodes[qd] !== undefined
  }

  /** Every queue between `queue` and what it stands on: what runs where, and why. */
  explain(queue: QueueLike): readonly Stage[] {
    const all = new Set<QueueNode>([this.#node(queue)])
    for (const node of all) for (const source of node.sources) all.add(source)
    return [...all].map((node) => ({
      qd: node.name,
      from: node.sources.map(({ name }) => name),
      ...node.describe(),
    }))
  }

  #add(node: QueueNode): QueueDescriptor {
    this.#nodes[node.qd] = node
    return node.qd
  }

  #node(queue: QueueLike): QueueNode {
    const qd = typeof queue === 'number' ? queue : queue.qd
    const known = this.#nodes[qd]
    if (known !== undefined) return known
    const libos = typeof queue === 'number' ? this.runtime.libosOf(queue) : queue.libos
    if (libos !== undefined && libos !== this) return this.#standOn(libos, qd)
    throw new ParakernelError('EBADF', 'is no queue of this algebra', {
      subject: `queue ${qd}`,
      remedy: 'Name a socket or a file with its libOS: { libos, qd }',
    })
  }

  #standOn(libos: PushPop, qd: QueueDescriptor): LibosNode {
    const node = new LibosNode(this, libos, qd, this.#capacity)
    this.#add(node)
    this.#nodes[qd] = node
    // Its number will name another queue some day.
    this.runtime.onClose(qd, () => {
      if (this.#nodes[qd] === node) this.#close(node)
    })
    return node
  }

  #close(node: QueueNode): void {
    this.#nodes[node.qd] = undefined
    this.#nodes[node.name] = undefined
    node.close((elements) => {
      this.dropped += elements.length
      for (const { sga } of elements) sga.free()
    })
  }
}
