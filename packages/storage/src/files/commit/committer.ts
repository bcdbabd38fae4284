import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import type { Loop, TimerId } from '@parakernel/kernel'
import type { Core } from '../core.ts'
import { errorCodeOf, statusOf } from '../errno.ts'
import type { MetadataWriter } from '../io/media.ts'
import { run, type Signal, type Task } from '../io/task.ts'
import type { WriteBack } from '../io/write-back.ts'
import { writeCheckpoint, writeHome } from '../journal/checkpoint.ts'
import type { Journal } from '../journal/journal.ts'
import { DeltaWriter } from '../meta/delta.ts'
import { OutOfClusters } from '../space/space.ts'

export interface CommitterOptions {
  readonly core: Core
  readonly loop: Loop
  readonly journal: Journal
  readonly writer: MetadataWriter
  readonly writeBack: WriteBack
  /** Clusters that may wait to be placed. */
  readonly dirtyLimit: number
  readonly progress: Signal
  /** Whether completed writes have to be flushed. */
  readonly volatileCache: boolean
  readonly checkpointNumber: number
  /** Nanoseconds. */
  readonly interval: number
  /** The volume is read-only from now on. */
  readonly onFailure: (code: ErrorCode) => void
}

/**
 * Makes changes durable, all that happened up to one moment at a time: data to new places, a flush, one record of the journal. Whoever
 * asks while a commit is under way shares the next one. Commits, checkpoints and what else must not overlap with them run
 * here one after the other.
 */
export class Committer {
  commits = 0
  checkpoints = 0
  flushes = 0
  blocksHome = 0
  readonly #options: CommitterOptions
  readonly #log = new DeltaWriter()
  readonly #measure = new DeltaWriter()
  /** Blocks that may change before what the journal has to take is measured again. */
  #blocksLeft = 0
  #waiters: ((status: number) => void)[] = []
  readonly #jobs: Job[] = []
  #running = false
  #checkpointNumber: number
  #timer: TimerId = 0
  #failure = 0

  constructor(options: CommitterOptions) {
    this.#options = options
    this.#checkpointNumber = options.checkpointNumber
  }

  get running(): boolean {
    return this.#running
  }

  /**
   * So much metadata differs from what is committed that the journal might not take it at once if it became more. Found by writing down
   * what there is, and then not looked at again until so many changes may have filled what was left.
   */
  get full(): boolean {
    if (this.#blocksLeft >= BLOCKS_A_CHANGE) return false
    const { core, dirtyLimit } = this.#options
    const { clusterSize, journalClusters, bitmapBlocks } = core.geometry
    this.#measure.clear()
    core.store.measure(this.#measure)
    let blocks = dirtyLimit * BLOCKS_A_CLUSTER + bitmapBlocks + COMMIT_BLOCKS
    for (const map of core.staleMaps) blocks += map.indexBlocks
    const length = this.#measure.length + core.store.dirty * CHECKSUM_CHANGE
    const left = (journalClusters - blocks) * clusterSize - length
    this.#blocksLeft = Math.floor(left / clusterSize)
    if (length > left) this.#begin()
    return this.#blocksLeft < BLOCKS_A_CHANGE
  }

  /** Everything that was done before becomes durable; then `done`, never within the call. */
  request(done: (status: number) => void): void {
    this.#waiters.push(done)
    this.#begin()
  }

  /** Up to so many blocks changed: they become durable some time, also when nobody asks. */
  changed(blocks = BLOCKS_A_CHANGE): void {
    const { interval, loop } = this.#options
    this.#blocksLeft -= blocks
    if (this.#timer !== 0 || interval === Number.POSITIVE_INFINITY) return
    this.#timer = loop.timers.at(loop.clock.now() + interval, () => {
      this.#timer = 0
      this.#begin()
    })
  }

  /** Runs a task by itself, between commits. Rejects with what the task throws, and then the volume has failed. */
  exclusive(task: () => Task<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ task, resolve, reject })
      this.#begin()
    })
  }

  /** One commit. `atCapture` runs at the very moment whose state becomes durable. */
  *commit(atCapture?: () => void): Task<void> {
    const { core, journal, writer, writeBack, progress, volatileCache } = this.#options
    const { store, space } = core
    const log = this.#log
    log.clear()
    do {
      writeBack.moved = false
      let described = log.length
      for (;;) {
        writeBack.start()
        while (core.staleMaps.size > 0) for (const map of [...core.staleMaps]) map.layOut()
        described = log.length
        store.describe(log)
        if (journal.fits(log.length)) break
        if (journal.position === 0 || described > 0) throw tooLarge(log.length)
        log.length = described
        yield* this.checkpoint()
      }
      store.capture()
      space.capture()
      this.#blocksLeft = 0
      atCapture?.()
      writeBack.turn()
      while (writeBack.awaited > 0 && this.#failure === 0) yield progress.wait
      if (this.#failure !== 0) throw new Stopped()
    } while (writeBack.moved)
    if (log.length > 0) {
      if (volatileCache && writeBack.unflushed) {
        writeBack.unflushed = false
        this.flushes++
        yield* writer.flush()
      }
      yield* journal.append(log.bytes, log.length)
      this.commits++
    }
    store.committed()
    space.committed()
    progress.raise()
  }

  /** Writes all that is committed home, so that the journal is free again. `unflushed`: with what the caller wrote just before. */
  *checkpoint(unflushed = false): Task<void> {
    const { core, journal, writer } = this.#options
    const written = yield* writeHome(writer, core.store, core.geometry)
    if (written > 0 || unflushed) yield* writer.flush()
    this.blocksHome += written
    const number = this.#checkpointNumber + 1
    const state = { number, epoch: journal.epoch, journalSequence: journal.sequence }
    yield* writeCheckpoint(writer, core.geometry, core.root.captured, state)
    this.#checkpointNumber = number
    core.store.home.clear()
    journal.reset()
    this.checkpoints++
  }

  /** The volume has failed: whoever waits is told, and nothing more is written. */
  fail(status: number): void {
    if (this.#failure !== 0) return
    this.#failure = status
    this.#stopTimer()
    this.#options.onFailure(errorCodeOf(status))
    this.#options.progress.raise()
    this.#begin()
  }

  close(): void {
    this.#stopTimer()
  }

  #stopTimer(): void {
    if (this.#timer !== 0) this.#options.loop.timers.cancel(this.#timer)
    this.#timer = 0
  }

  #begin(): void {
    if (this.#running) return
    this.#running = true
    this.#options.loop.defer(this.#cycle)
  }

  readonly #cycle = (): void => {
    const ended = () => {
      this.#running = false
      if (this.#waiters.length > 0 || this.#jobs.length > 0) this.#begin()
      this.#options.loop.requestYield()
      this.#options.progress.raise()
    }
    run(this.#work(), ended, (error) => {
      this.fail(statusOf(codeOfFailure(error)))
      ended()
    })
  };

  *#work(): Task<void> {
    const waiters = this.#waiters
    const job = this.#jobs.shift()
    this.#waiters = []
    this.#stopTimer()
    try {
      if (this.#failure !== 0) throw new Stopped()
      if (job === undefined || waiters.length > 0) yield* this.commit()
    } catch (error) {
      this.#stop(error)
    }
    for (const done of waiters) done(this.#failure)
    if (job === undefined) return
    try {
      if (this.#failure !== 0) throw new Stopped()
      yield* job.task()
      job.resolve()
    } catch (error) {
      this.#stop(error)
      job.reject(error instanceof Stopped ? failed(this.#failure) : error)
    }
  }

  #stop(error: unknown): void {
    if (!(error instanceof Stopped)) this.fail(statusOf(codeOfFailure(error)))
  }
}

interface Job {
  readonly task: () => Task<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

function failed(status: number): ParakernelError {
  return new ParakernelError(errorCodeOf(status), 'the volume has failed before', {
    remedy: 'Mount it again once the medium is well',
  })
}

/** Blocks that one control call may change, that placing a dirty cluster may, and that a commit may besides. */
const BLOCKS_A_CHANGE = 6
const BLOCKS_A_CLUSTER = 2
const COMMIT_BLOCKS = 8
/** Bytes that a block's new checksum takes in the journal. */
const CHECKSUM_CHANGE = 16

/** The volume failed while the task waited. */
class Stopped extends Error {}

function tooLarge(bytes: number): ParakernelError {
  return new ParakernelError('ENOSPC', `a transaction of ${bytes} bytes does not fit into the journal`, {
    remedy: 'Make the volume with a larger journal',
  })
}

function codeOfFailure(error: unknown): ErrorCode {
  if (error instanceof ParakernelError) return error.code
  return error instanceof OutOfClusters ? 'ENOSPC' : 'EIO'
}
