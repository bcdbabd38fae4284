import { type ErrorCode, type FramePool, ParakernelError } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import {
  allocateSga,
  checkBytes,
  checkDurability,
  type Durability,
  type FileStatus,
  type OpenOptions,
  parsePath,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  resolveOpenOptions,
  ScatterGatherArray,
  type StorageLibOS,
  type VolumeStatus,
} from '@parakernel/queue'
import { errorCodeOf } from '../files/errno.ts'
import type { Volume } from '../files/volume.ts'
import type { Medium } from '../medium/medium.ts'
import {
  BYTES_POPPED,
  BYTES_PUSHED,
  CLOSES,
  FAILED,
  fileCounters,
  OPENS,
  POPS,
  PUSHES,
  RESHAPES,
  SYNCS,
} from './counters.ts'
import { FrameWaiters } from './frame-waiters.ts'
import { OpenFile, OWNER } from './open-file.ts'
import { promiseOf } from './promise.ts'
import { POP, PUSH, RESHAPE, SYNC, Transfer, type TransferHome } from './transfer.ts'

export interface VolumeLibOSParts {
  readonly loop: Loop
  readonly runtime: QueueRuntime
  readonly medium: Medium
  readonly volume: Volume
  /** Of descriptors that ask for none. */
  readonly durability: Durability
  /** Called once, behind the volume's close. */
  readonly release: () => Promise<void>
}

/**
 * The storage libOS over a volume: descriptors, cursors and tokens above the engine's files. Frames go down and come up as they
 * are; what is copied, the volume copies.
 */
export class VolumeLibOS implements StorageLibOS, TransferHome {
  readonly name = 'storage'
  readonly runtime: QueueRuntime
  readonly loop: Loop
  readonly pool: FramePool
  readonly durability: StorageLibOS['durability']
  /** The engine beneath, for what the contract does not have: snapshots, scrubbing, geometry. */
  readonly engine: Volume
  readonly #release: () => Promise<void>
  readonly #defaultDurability: Durability
  readonly #open = new Map<QueueDescriptor, OpenFile>()
  readonly #spare: Transfer[] = []
  readonly #waiters: FrameWaiters
  readonly #counters = fileCounters()
  /** Bytes of a frame that are for data. */
  readonly #frameBytes: number
  /** Whose tokens `syncVolume` gives out. */
  readonly #volume: QueueDescriptor
  #outstanding = 0
  #whenIdle: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor({ loop, runtime, medium, volume, durability, release }: VolumeLibOSParts) {
    const { pool } = medium
    this.runtime = runtime
    this.loop = loop
    this.pool = pool
    this.engine = volume
    this.durability = { strongest: 'flushed', promise: promiseOf(medium.persistence) }
    this.#release = release
    this.#defaultDurability = checkDurability(durability, 'storage option durability')
    this.#waiters = new FrameWaiters(pool, loop)
    this.#frameBytes = pool.frameSize - pool.headroom - pool.window.tailroom
    this.#volume = runtime.open(OWNER, this)
  }

  open(path: string, options: OpenOptions = {}): QueueDescriptor {
    this.#checkAlive()
    const resolved = resolveOpenOptions(path, options, this.#defaultDurability)
    parsePath(path)
    // Reserved first: without a descriptor nothing is made or cut.
    const qd = this.runtime.open(OWNER, this)
    try {
      this.#open.set(qd, new OpenFile(qd, path, this.engine.open(path, resolved), resolved))
    } catch (error) {
      this.runtime.close(qd)
      throw error
    }
    this.#counters.values[OPENS]++
    return qd
  }

  creat(path: string): QueueDescriptor {
    return this.open(path, { create: true, truncate: true, write: true })
  }

  close(qd: QueueDescriptor): void {
    const of = this.#of(qd)
    this.#open.delete(qd)
    this.runtime.close(qd)
    this.#waiters.serve()
    this.#closed(of)
  }

  asyncClose(qd: QueueDescriptor): QueueToken {
    const of = this.#of(qd)
    const token = this.runtime.issue(qd)
    this.#open.delete(qd)
    const finish = () => {
      this.#closed(of)
      if (this.runtime.isPending(token)) {
        const failure = of.lost === 0 ? this.#failureOf(of) : errorCodeOf(of.lost)
        if (failure === undefined) this.runtime.completeClose(token)
        else this.runtime.fail(token, failure, `${of.path}: an earlier push was lost`)
      }
      this.runtime.close(qd)
    }
    if (of.outstanding === 0) finish()
    else of.whenIdle = finish
    return token
  }

  push(qd: QueueDescriptor, sga: ScatterGatherArray): QueueToken {
    const of = this.#of(qd)
    const token = this.runtime.issue(qd)
    const position = of.append ? of.file.size : of.cursor
    const taken = this.#push(of, token, sga, position)
    if (taken > 0) of.cursor = position + taken
    return token
  }

  pushAt(qd: QueueDescriptor, sga: ScatterGatherArray, position: number): QueueToken {
    const of = this.#of(qd)
    checkBytes(position, 'position of a push')
    const token = this.runtime.issue(qd)
    this.#push(of, token, sga, position)
    return token
  }

  pop(qd: QueueDescriptor, limit = this.#frameBytes): QueueToken {
    const of = this.#of(qd)
    checkBytes(limit, 'limit of a pop', 1)
    const token = this.runtime.issue(qd)
    of.cursor += this.#pop(of, token, of.cursor, limit)
    return token
  }

  popAt(qd: QueueDescriptor, position: number, limit = this.#frameBytes): QueueToken {
    const of = this.#of(qd)
    checkBytes(position, 'position of a pop')
    checkBytes(limit, 'limit of a pop', 1)
    const token = this.runtime.issue(qd)
    this.#pop(of, token, position, limit)
    return token
  }

  sync(qd: QueueDescriptor, _what: 'data' | 'all' = 'all'): QueueToken {
    const of = this.#of(qd)
    const token = this.runtime.issue(qd)
    // Times go with the rest: a commit is of the whole volume.
    const transfer = this.#begin(SYNC, of, token, 0, 0)
    if (this.engine.readOnly) this.#end(transfer, this.#failure)
    else of.file.sync(transfer.operation)
    return token
  }

  syncVolume(): QueueToken {
    this.#checkAlive()
    const token = this.runtime.issue(this.#volume)
    this.#outstanding++
    const done = (status: number) => {
      this.#counters.values[status === 0 ? SYNCS : FAILED]++
      if (this.runtime.isPending(token)) {
        if (status === 0) this.runtime.completePush(token, 0)
        else this.runtime.fail(token, errorCodeOf(status), `${this.engine.name}: was not synced`)
      }
      this.#ended()
    }
    if (this.engine.readOnly) done(this.#failure)
    else this.engine.sync(done)
    return token
  }

  seek(qd: QueueDescriptor, offset: number, from: 'start' | 'cursor' | 'end' = 'start'): number {
    return this.#of(qd).seek(offset, from)
  }

  truncate(qd: QueueDescriptor, length: number): QueueToken {
    const of = this.#of(qd)
    checkBytes(length, 'length of a truncation')
    const token = this.runtime.issue(qd)
    if (!of.file.writable) this.#refuse(token, 'EBADF', 'the file is open for reading alone')
    else of.file.truncate(this.#begin(RESHAPE, of, token, length, 0).operation)
    return token
  }

  punchHole(qd: QueueDescriptor, position: number, length: number): QueueToken {
    const of = this.#of(qd)
    checkBytes(position, 'position of a hole')
    checkBytes(length, 'length of a hole')
    const token = this.runtime.issue(qd)
    if (!of.file.writable) {
      this.#refuse(token, 'EBADF', 'the file is open for reading alone')
      return token
    }
    const clipped = Math.max(0, Math.min(length, of.file.size - position))
    const transfer = this.#begin(RESHAPE, of, token, position, clipped)
    if (clipped === 0) this.#end(transfer, 0)
    else of.file.punchHole(transfer.operation)
    return token
  }

  sgaAlloc(length: number): ScatterGatherArray {
    return allocateSga(this.pool, length)
  }

  status(qd: QueueDescriptor): FileStatus {
    return this.#of(qd).file.status()
  }

  stat(path: string): FileStatus {
    this.#checkPath(path)
    return this.engine.stat(path)
  }

  readdir(path: string): readonly string[] {
    this.#checkPath(path)
    return this.engine.readdir(path)
  }

  mkdir(path: string): void {
    this.#checkPath(path)
    this.engine.mkdir(path)
  }

  rmdir(path: string): void {
    this.#checkPath(path)
    this.engine.rmdir(path)
  }

  rename(from: string, to: string): void {
    this.#checkPath(from)
    parsePath(to)
    this.engine.rename(from, to)
  }

  unlink(path: string): void {
    this.#checkPath(path)
    this.engine.unlink(path)
  }

  volume(): VolumeStatus {
    this.#checkAlive()
    return this.engine.status()
  }

  statistics(): Record<string, Record<string, number>> {
    const groups = this.engine.statistics()
    // In the block cache, and into and out of persistent memory.
    const bytesCopied = (groups.volume?.bytesCopied ?? 0) + (groups.medium?.bytesCopied ?? 0)
    return { ...groups, file: { ...this.#counters.snapshot(), bytesCopied } }
  }

  shutdown(): Promise<void> {
    this.#closing ??= new Promise((resolve, reject) => {
      for (const qd of [...this.#open.keys()]) this.close(qd)
      const finish = () => {
        this.runtime.close(this.#volume)
        this.engine
          .close()
          .finally(() => this.#release())
          .then(resolve, reject)
      }
      if (this.#outstanding === 0) finish()
      else this.#whenIdle = finish
    })
    return this.#closing
  }

  // What transfers call.

  isPending(token: QueueToken): boolean {
    return this.runtime.isPending(token)
  }

  framesCame(transfer: Transfer): void {
    const of = transfer.of as OpenFile
    if (!transfer.wanted) this.#end(transfer, 0)
    else if (transfer.allocate()) of.file.read(transfer.operation)
    else if (this.#waiters.take(transfer)) this.#refuseStarted(transfer)
  }

  done(transfer: Transfer): void {
    const of = transfer.of as OpenFile
    const { status } = transfer.operation
    if (transfer.kind === PUSH && !transfer.flushing) transfer.drop()
    const isChange = transfer.kind === PUSH || transfer.kind === RESHAPE
    if (status === 0 && isChange && !of.buffered && !transfer.flushing) {
      transfer.flushing = true
      transfer.operation.begin(0)
      of.file.sync(transfer.operation)
      return
    }
    this.#end(transfer, status)
  }

  /** Returns how many bytes were taken. */
  #push(of: OpenFile, token: QueueToken, sga: ScatterGatherArray, position: number): number {
    const wrong = sga.refusalBy(this.pool)
    if (wrong !== undefined) return this.#refuse(token, 'EINVAL', wrong)
    if (!of.file.writable) return this.#refuse(token, 'EBADF', 'the file is open for reading alone')
    const length = sga.byteLength
    if (position + length > Number.MAX_SAFE_INTEGER)
      return this.#refuse(token, 'EFBIG', 'would end above 2^53 - 1 bytes')
    const transfer = this.#begin(PUSH, of, token, position, length)
    if (length === 0) {
      this.#end(transfer, 0)
      return 0
    }
    transfer.take(sga)
    of.file.write(transfer.operation)
    // Refused in the call, it has changed nothing.
    return transfer.over && transfer.status !== 0 && transfer.token === token ? 0 : length
  }

  /** Returns how many bytes there are to be read. */
  #pop(of: OpenFile, token: QueueToken, position: number, limit: number): number {
    const length = Math.max(0, Math.min(limit, of.file.size - position))
    const frames = Math.ceil(length / this.#frameBytes)
    if (!this.#waiters.possible(frames))
      return this.#refuse(token, 'ENOBUFS', `the pool has no room for ${length} bytes`)
    const transfer = this.#begin(POP, of, token, position, length)
    transfer.frames = frames
    if (length === 0) {
      transfer.sga = new ScatterGatherArray(this.pool, [])
      this.#end(transfer, 0)
    } else if (this.#waiters.take(transfer)) this.framesCame(transfer)
    return length
  }

  #begin(kind: number, of: OpenFile, token: QueueToken, position: number, length: number): Transfer {
    const transfer = this.#spare.pop() ?? new Transfer(this)
    transfer.begin(kind, of, token, position, length)
    of.outstanding++
    this.#outstanding++
    return transfer
  }

  #end(transfer: Transfer, status: number): void {
    const { token, kind, length } = transfer
    const of = transfer.of as OpenFile
    const isWaited = this.runtime.isPending(token)
    transfer.over = true
    transfer.status = status
    if (status !== 0) this.#failed(transfer, of, isWaited)
    else if (kind === POP) this.#popped(transfer, isWaited)
    else {
      const counts = this.#counters.values
      counts[kind === PUSH ? PUSHES : kind === SYNC ? SYNCS : RESHAPES]++
      if (kind === PUSH) counts[BYTES_PUSHED] += length
      if (isWaited) this.runtime.completePush(token, kind === PUSH ? length : 0)
    }
    transfer.of = undefined
    this.#spare.push(transfer)
    of.ended()
    this.#ended()
  }

  #popped(transfer: Transfer, isWaited: boolean): void {
    // Without frames, and so without bytes, nobody waited any more.
    if (transfer.sga === undefined) return
    const sga = transfer.popped()
    const counts = this.#counters.values
    counts[POPS]++
    counts[BYTES_POPPED] += transfer.length === 0 ? 0 : transfer.operation.transferred
    if (isWaited) this.runtime.completePop(transfer.token, sga, undefined)
    else {
      sga.free()
      this.#waiters.serve()
    }
  }

  #failed(transfer: Transfer, of: OpenFile, isWaited: boolean): void {
    this.#counters.values[FAILED]++
    transfer.sga?.free()
    transfer.sga = undefined
    // Told by this completion, or by the next sync or close.
    if (transfer.kind === PUSH && !isWaited) of.lost = transfer.status
    if (!isWaited) return
    const code = errorCodeOf(transfer.status)
    this.runtime.fail(transfer.token, code, `${of.path}: ${NAMES[transfer.kind]} at ${transfer.position} failed`)
  }

  #refuse(token: QueueToken, code: ErrorCode, message: string): number {
    this.#counters.values[FAILED]++
    this.runtime.fail(token, code, message)
    return 0
  }

  #refuseStarted(transfer: Transfer): void {
    this.#end(transfer, NO_FRAMES)
  }

  #closed(of: OpenFile): void {
    this.#counters.values[CLOSES]++
    of.file.close()
  }

  #ended(): void {
    if (--this.#outstanding === 0) this.#whenIdle?.()
  }

  /** What made the volume read-only, where a descriptor may have pushed what is lost by it. */
  #failureOf(of: OpenFile): ErrorCode | undefined {
    return of.file.writable ? this.engine.failure : undefined
  }

  /** Of a sync of a read-only volume: nothing is to be done, unless it became so. */
  get #failure(): number {
    return this.engine.failure === undefined ? 0 : LOST
  }

  #of(qd: QueueDescriptor): OpenFile {
    const of = this.#open.get(qd)
    if (of === undefined) throw new ParakernelError('EBADF', 'is no open file', { subject: `queue ${qd}` })
    return of
  }

  #checkPath(path: string): void {
    this.#checkAlive()
    parsePath(path)
  }

  #checkAlive(): void {
    if (this.#closing !== undefined) throw new ParakernelError('EBADF', 'was shut down', { subject: 'libOS storage' })
  }
}

const NAMES: Readonly<Record<number, string>> = {
  [PUSH]: 'a push',
  [POP]: 'a pop',
  [SYNC]: 'a sync',
  [RESHAPE]: 'a truncation or hole',
}
/** EIO and ENOBUFS, as statuses. */
const LOST = -5
const NO_FRAMES = -105
