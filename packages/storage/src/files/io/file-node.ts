import { EIO } from '../../medium/errno.ts'
import type { CacheEntry } from '../cache/cluster-cache.ts'
import type { Inode } from '../inode/inode.ts'
import type { IoContext } from './context.ts'
import { type FileOperation, PUNCH, READ, SYNC, TRUNCATE, WRITE } from './operation.ts'
import { readNow, readTask } from './reader.ts'
import { punchTask, truncateTask } from './reshape.ts'
import { run, type Task } from './task.ts'
import { writeNow, writeTask } from './writer.ts'

/**
 * A file that is open or has clusters in the cache. Its operations stand in one line: readers go side by side, everything else
 * alone, each after all that came before it.
 */
export class FileNode {
  readonly inode: Inode
  readonly cached = new Map<number, CacheEntry>()
  handles = 0
  /** As operations that were taken will leave it. */
  size: number
  unlinked = false
  /** Cluster behind the last one that was read: a reader who goes on there gets more than it asks for. */
  readNext = 0
  readonly #io: IoContext
  readonly #onIdle: (node: FileNode) => void
  #head: FileOperation | undefined
  #tail: FileOperation | undefined
  #readers = 0
  #writing = false
  #pumping = false

  constructor(inode: Inode, io: IoContext, onIdle: (node: FileNode) => void) {
    this.inode = inode
    this.#io = io
    this.#onIdle = onIdle
    this.size = inode.size
  }

  get idle(): boolean {
    return this.#head === undefined && this.#readers === 0 && !this.#writing && !this.#pumping
  }

  /** Nothing of it is in the cache any more: if it is not open either, it can be forgotten. */
  emptied(): void {
    this.#onIdle(this)
  }

  submit(operation: FileOperation, kind: number): void {
    operation.kind = kind
    operation.next = undefined
    if (this.#tail === undefined) this.#head = operation
    else this.#tail.next = operation
    this.#tail = operation
    this.#pump()
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    for (let operation = this.#head; operation !== undefined; operation = this.#head) {
      if (this.#writing || (this.#readers > 0 && operation.kind !== READ && operation.kind !== SYNC)) break
      this.#head = operation.next
      if (this.#head === undefined) this.#tail = undefined
      operation.next = undefined
      this.#start(operation)
    }
    this.#pumping = false
    if (this.idle) {
      this.size = this.inode.size
      this.#onIdle(this)
    }
  }

  #start(operation: FileOperation): void {
    const io = this.#io
    switch (operation.kind) {
      case READ:
        if (readNow(io, this, operation)) operation.done(operation)
        else this.#run(operation, readTask(io, this, operation))
        return
      case WRITE:
        if (writeNow(io, this, operation)) operation.done(operation)
        else this.#run(operation, writeTask(io, this, operation))
        return
      case TRUNCATE:
        this.#run(operation, truncateTask(io, this, operation))
        return
      case PUNCH:
        this.#run(operation, punchTask(io, this, operation))
        return
      default:
        io.committer.request((status) => {
          operation.status = status
          operation.done(operation)
        })
    }
  }

  #run(operation: FileOperation, task: Task<void>): void {
    const reading = operation.kind === READ
    if (reading) this.#readers++
    else this.#writing = true
    const end = () => {
      if (reading) this.#readers--
      else this.#writing = false
      operation.done(operation)
      this.#pump()
    }
    run(task, end, () => {
      // A task reports by its status; this is what it did not foresee.
      operation.status = -EIO
      end()
    })
  }
}
