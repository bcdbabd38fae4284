import {
  ControlBlock,
  type DmaMapping,
  type FrameWindow,
  GRANT_DETACHED,
  type GRANT_RECLAIMED,
  type GRANT_REMOVED,
  WakeWord,
} from '@parakernel/hal'
import { writeEventFd } from '@parakernel/linux'
import {
  createCompletionQueue,
  createSubmissionQueue,
  deleteCompletionQueue,
  deleteSubmissionQueue,
} from '../admin/command.ts'
import type { NvmeQueueGrant } from '../queue/grant.ts'
import { ENDED, QueueState, RESETTING } from '../queue/queue-state.ts'
import { NvmeError } from '../spec/status-error.ts'
import type { VectorShare } from '../transport.ts'
import type { Controller } from './controller.ts'
import type { Procedure } from './procedure.ts'
import { busAddress, type QueueMemory } from './queue-memory.ts'

/** The control half of a queue pair that is granted: what the controller knows of it, and what the holder is told. */
export class QueuePair {
  readonly hardwareQueue: number
  readonly depth: number
  readonly memory: QueueMemory
  readonly frames: DmaMapping
  readonly window: FrameWindow
  readonly vector: number
  readonly share: VectorShare
  readonly state: QueueState
  readonly control: ControlBlock
  grant: NvmeQueueGrant | undefined
  /** The controller has the queues. */
  #created = false

  constructor(parts: {
    readonly hardwareQueue: number
    readonly depth: number
    readonly memory: QueueMemory
    readonly frames: DmaMapping
    readonly window: FrameWindow
    readonly vector: number
    readonly share: VectorShare
  }) {
    this.hardwareQueue = parts.hardwareQueue
    this.depth = parts.depth
    this.memory = parts.memory
    this.frames = parts.frames
    this.window = parts.window
    this.vector = parts.vector
    this.share = parts.share
    this.state = new QueueState(parts.depth)
    this.control = new ControlBlock()
  }

  get detached(): boolean {
    return this.control.state === GRANT_DETACHED
  }

  /** On the set of rings that the state names. */
  *create(controller: Controller): Procedure<void> {
    yield* this.#createOn(controller, this.state.generation)
  }

  /** In reverse order. When this returns the controller touches none of the holder's frames. */
  *destroy(controller: Controller): Procedure<void> {
    if (!this.#created) return
    this.#created = false
    yield* controller.command(deleteSubmissionQueue(this.hardwareQueue))
    yield* controller.command(deleteCompletionQueue(this.hardwareQueue))
  }

  /** The controller is about to be reset: the holder goes on when `recreate` has run. */
  suspend(): void {
    this.#created = false
    this.state.enter(RESETTING)
  }

  /** After a reset: on the other set of rings, which the holder cannot be reading. */
  *recreate(controller: Controller): Procedure<void> {
    yield* this.#createOn(controller, this.state.generation + 1)
    this.state.restart()
    this.#wake()
  }

  /** Nobody will do what is outstanding: the holder completes it by itself. `state` is `GRANT_RECLAIMED` or `GRANT_REMOVED`. */
  end(state: typeof GRANT_RECLAIMED | typeof GRANT_REMOVED): void {
    this.#created = false
    if (!this.detached) this.control.end(state)
    this.state.enter(ENDED)
    this.#wake()
  }

  /** The completion queue first, since the submission queue names it. */
  *#createOn(controller: Controller, generation: number): Procedure<void> {
    const { submission, completion } = this.memory.rings[generation & 1]
    this.#clear(submission, 64)
    this.#clear(completion, 16)
    const geometry = (offset: number) => ({
      queue: this.hardwareQueue,
      entries: this.depth,
      address: busAddress(this.memory, offset),
    })
    const vector = this.share.kind === 'none' ? -1 : this.vector
    yield* controller.command(createCompletionQueue(geometry(completion), vector))
    try {
      yield* controller.command(createSubmissionQueue(geometry(submission)))
    } catch (error) {
      if (error instanceof NvmeError) yield* controller.command(deleteCompletionQueue(this.hardwareQueue))
      throw error
    }
    this.#created = true
  }

  /** Whoever sleeps until something completes must see that it is over. */
  #wake(): void {
    if (this.share.kind === 'descriptor') writeEventFd(this.share.fd)
    else if (this.share.kind === 'word') new WakeWord(this.window.wake).notify()
  }

  #clear(byteOffset: number, entry: number): void {
    new Uint8Array(this.memory.mapping.region.buffer, byteOffset, this.depth * entry).fill(0)
  }
}
