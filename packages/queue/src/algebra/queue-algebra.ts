import { type FramePool, ParakernelError } from '@parakernel/hal'
import type { QueueRuntime } from '../queue-runtime.ts'
import type { ScatterGatherArray } from '../scatter-gather.ts'
import type { QueueDescriptor, QueueToken } from '../types.ts'
import { Connection } from './connection.ts'
import { FilteredQueue, type Predicate } from './filter.ts'
import { LibosNode, type PushPop } from './libos-node.ts'
import { MappedQueue, type Transform } from './map.ts'
import { MemoryQueue } from './memory-queue.ts'
import { MergedQueue } from './merge.ts'
import type { QueueNode, Stage } from './queue-node.ts'
import { type Key, SortedQueue } from './sort.ts'

/** A queue: one of the algebra's by its descriptor, or a socket or file with its libOS. */
export type QueueLike = QueueDescriptor | { readonly libos: PushPop; readonly qd: QueueDescriptor }

export interface QueueAlgebraOptions {
  /** Elements that a memory queue holds before its producers wait, and that wait anywhere for somebody to pop them; default 256. */
  readonly capacity?: number
}

/**
 * Queues of queues, after the HotOS'19 paper: on the tokens of one runtime, so that one wait spans them, sockets, files and timers.
 * While queues stand above a socket or a file, pop it through `pop` here: a pop at its libOS would see what they should.
 */
export class QueueAlgebra {
  readonly runtime: QueueRuntime
  /** Elements that were freed because their queue was closed, and could not go back: of memory queues, and transformed ones. */
  dropped = 0
  readonly #pool: FramePool
  readonly #capacity: number
  readonly #nodes = new Map<QueueDescriptor, QueueNode>()
  /** Of sockets and files, by the descriptor that their libOS knows. */
  readonly #below = new Map<QueueDescriptor, LibosNode>()

  /** @param pool of the arrays that go through memory queues */
  constructor(runtime: QueueRuntime, pool: FramePool, options: QueueAlgebraOptions = {}) {
    const { capacity = 256 } = options
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new ParakernelError('EINVAL', `capacity ${capacity} is not a positive integer`, {
        subject: 'queue algebra',
      })
    }
    this.runtime = runtime
    this.#pool = pool
    this.#capacity = capacity
  }

  /** A queue in memory. @throws EMFILE, as all of these */
  queue(capacity = this.#capacity): QueueDescriptor {
    return this.#add(new MemoryQueue(this.runtime, this.#pool, capacity))
  }

  /** Pops come from any of them, pushes go to all. @throws EINVAL for none */
  merge(...queues: readonly QueueLike[]): QueueDescriptor {
    if (queues.length === 0) throw new ParakernelError('EINVAL', 'nothing is merged', { subject: 'merge' })
    const sources = queues.map((queue) => this.#node(queue))
    return this.#add(new MergedQueue(this.runtime, this.#pool, this.#capacity, sources).open())
  }

  /** Only what matches; the others stay for pops of `queue`. */
  filter(queue: QueueLike, predicate: Predicate): QueueDescriptor {
    return this.#add(new FilteredQueue(this.runtime, this.#pool, this.#node(queue), predicate).open())
  }

  map(queue: QueueLike, transform: Transform): QueueDescriptor {
    return this.#add(new MappedQueue(this.runtime, this.#pool, this.#node(queue), transform))
  }

  /** Lowest key first, of up to `capacity` elements that are there. */
  sort(queue: QueueLike, key: Key, capacity = this.#capacity): QueueDescriptor {
    return this.#add(new SortedQueue(this.runtime, this.#pool, capacity, this.#node(queue), key).open())
  }

  /** What comes out of `from` goes to `to`, until one of them ends or the returned queue is closed. */
  qconnect(from: QueueLike, to: QueueLike): QueueDescriptor {
    return this.#add(new Connection(this.runtime, this.#pool, this.#node(from), this.#node(to)).open())
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
    const node = this.#node(queue)
    this.#nodes.delete(node.qd)
    if (node instanceof LibosNode) this.#below.delete(node.below)
    node.close((elements) => {
      this.dropped += elements.length
      for (const { sga } of elements) sga.free()
    })
  }

  /** Every queue between `queue` and what it stands on: what runs where, and why. */
  explain(queue: QueueLike): readonly Stage[] {
    const stages: Stage[] = []
    const open = [this.#node(queue)]
    for (let node = open.shift(); node !== undefined; node = open.shift()) {
      stages.push({ qd: node.name, from: node.sources.map(({ name }) => name), ...node.describe() })
      open.push(...node.sources)
    }
    return stages
  }

  #add(node: QueueNode): QueueDescriptor {
    this.#nodes.set(node.qd, node)
    return node.qd
  }

  #node(queue: QueueLike): QueueNode {
    if (typeof queue === 'number') {
      const node = this.#nodes.get(queue)
      if (node !== undefined) return node
      throw new ParakernelError('EBADF', 'is no queue of this algebra', {
        subject: `queue ${queue}`,
        remedy: 'Name a socket or a file with its libOS: { libos, qd }',
      })
    }
    const known = this.#below.get(queue.qd)
    if (known !== undefined) return known
    const node = new LibosNode(this.runtime, queue.libos, queue.qd, this.#capacity)
    this.#below.set(queue.qd, node)
    this.#nodes.set(node.qd, node)
    return node
  }
}
