import {
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  blockCopy,
  Counters,
  copyBytes,
  type FramePool,
  ParakernelError,
  type Persistence,
  type PersistentRegion,
} from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import { EBADF, ECANCELED, EINVAL, EIO, ENODEV } from './errno.ts'
import {
  MEDIUM_BYTES_COPIED,
  MEDIUM_BYTES_READ,
  MEDIUM_BYTES_WRITTEN,
  MEDIUM_COUNTERS,
  MEDIUM_DISCARDS,
  MEDIUM_FAILED,
  MEDIUM_FLUSHES,
  MEDIUM_READS,
  MEDIUM_WRITES,
  type Medium,
} from './medium.ts'
import type { MediumRequest } from './request.ts'

const CACHE_LINE = 64

/** What a region throws: a range that is not ours any more was taken, or has lost its device. */
function statusOf(error: unknown): number {
  if (!(error instanceof ParakernelError)) return -EIO
  return error.code === 'ESTALE' ? -ECANCELED : error.code === 'ENODEV' ? -ENODEV : -EIO
}

/**
 * Persistent memory as a medium: a write copies and starts write-back, a flush drains. Requests complete in order, at the end
 * of the loop's round. Whoever can store by itself finds the memory in `persistent`.
 */
export function openPersistentMedium(region: PersistentRegion, pool: FramePool, loop: Loop): Medium {
  return new PersistentMedium(region, pool, loop)
}

class PersistentMedium implements Medium {
  readonly name: string
  readonly loop: Loop
  readonly pool: FramePool
  readonly byteLength: number
  readonly blockSize: number
  readonly memoryAlignment = 1
  readonly segmentPage = 0
  readonly atomicUnit = 8
  readonly maxTransfer: number
  readonly volatileCache = true
  readonly persistence: Persistence
  readonly persistent: { readonly region: PersistentRegion; readonly position: number }
  readonly counters = new Counters(MEDIUM_COUNTERS)
  outstanding = 0
  closed = false

  readonly #region: PersistentRegion
  readonly #bytes: Uint8Array
  readonly #base: number
  readonly #counts: Float64Array
  /** Copies within one memory, where pool and region lie in the same. */
  readonly #same: boolean
  readonly #copy: (to: number, from: number, length: number) => void
  readonly #range = new Float64Array(2)
  #head: MediumRequest | undefined = undefined
  #tail: MediumRequest | undefined = undefined
  #scheduled = false
  readonly #run = () => this.#work()

  constructor(region: PersistentRegion, pool: FramePool, loop: Loop) {
    this.name = region.name
    this.loop = loop
    this.pool = pool
    this.blockSize = CACHE_LINE
    this.byteLength = region.byteLength - (region.byteLength % CACHE_LINE)
    this.maxTransfer = this.byteLength
    this.persistence = region.capabilities.persistence
    this.persistent = { region, position: 0 }
    this.#region = region
    this.#bytes = new Uint8Array(region.region.buffer)
    this.#base = region.byteOffset
    this.#counts = this.counters.values
    this.#same = region.region.memory === pool.window.region.memory
    this.#copy = blockCopy(pool.window.region.memory)
  }

  submit(request: MediumRequest): void {
    this.outstanding++
    request.next = undefined
    if (this.#tail === undefined) this.#head = request
    else this.#tail.next = request
    this.#tail = request
    if (this.#scheduled) return
    this.#scheduled = true
    this.loop.defer(this.#run)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    for (let request = this.#take(); request !== undefined; request = this.#take()) this.#finish(request, -ECANCELED)
    this.#region.detach()
  }

  #take(): MediumRequest | undefined {
    const request = this.#head
    if (request === undefined) return undefined
    this.#head = request.next
    if (this.#head === undefined) this.#tail = undefined
    request.next = undefined
    return request
  }

  #work(): void {
    this.#scheduled = false
    // What the callbacks submit waits for the next round: nothing completes within `submit`.
    const last = this.#tail
    for (;;) {
      const request = this.#take()
      if (request === undefined) return
      this.#finish(request, this.closed ? -EBADF : this.#execute(request))
      if (request === last) return
    }
  }

  #execute(request: MediumRequest): number {
    const { opcode, length } = request
    const position = request.origin + request.position
    try {
      if (opcode === BLOCK_FLUSH) {
        this.#region.drain()
        return 0
      }
      if (opcode < BLOCK_READ || opcode > BLOCK_DEALLOCATE || position % CACHE_LINE || length % CACHE_LINE)
        return -EINVAL
      if (!(request.position >= 0 && length > 0 && position + length <= this.byteLength)) return -EINVAL
      const poison = this.#region.poisonedFrom(position)
      if (poison >= 0 && poison < position + length) return -EIO
      if (opcode > BLOCK_WRITE) this.#bytes.fill(0, this.#base + position, this.#base + position + length)
      else if (!this.#move(request, this.#base + position)) return -EINVAL
      if (opcode === BLOCK_READ) return 0
      this.#range[0] = position
      this.#range[1] = length
      if (request.fua) this.#region.persist(this.#range)
      else this.#region.flush(this.#range)
      return 0
    } catch (error) {
      return statusOf(error)
    }
  }

  /** False for segments that do not add up, and nothing was moved. */
  #move(request: MediumRequest, position: number): boolean {
    const { segmentCount, frame, offset, size } = request
    const { pool } = this
    let sum = 0
    for (let i = 0; i < segmentCount; i++) {
      if (size[i] <= 0 || size[i] % CACHE_LINE !== 0 || offset[i] < 0 || offset[i] + size[i] > pool.frameSize)
        return false
      if (!pool.holds(frame[i])) return false
      sum += size[i]
    }
    if (sum !== request.length) return false
    let at = position
    for (let i = 0; i < segmentCount; i++) {
      const address = pool.address(frame[i]) + offset[i]
      if (request.opcode === BLOCK_READ) this.#transfer(this.#bytes, at, pool.bytes, address, size[i])
      else this.#transfer(pool.bytes, address, this.#bytes, at, size[i])
      at += size[i]
    }
    this.#counts[MEDIUM_BYTES_COPIED] += sum
    return true
  }

  #transfer(source: Uint8Array, from: number, target: Uint8Array, to: number, length: number): void {
    if (this.#same) this.#copy(to, from, length)
    else copyBytes(source, from, length, target, to)
  }

  #finish(request: MediumRequest, status: number): void {
    this.outstanding--
    request.status = status
    const counts = this.#counts
    if (status !== 0) counts[MEDIUM_FAILED]++
    else if (request.opcode === BLOCK_READ) {
      counts[MEDIUM_READS]++
      counts[MEDIUM_BYTES_READ] += request.length
    } else if (request.opcode === BLOCK_WRITE) {
      counts[MEDIUM_WRITES]++
      counts[MEDIUM_BYTES_WRITTEN] += request.length
    } else counts[request.opcode === BLOCK_FLUSH ? MEDIUM_FLUSHES : MEDIUM_DISCARDS]++
    request.done(request)
  }
}
