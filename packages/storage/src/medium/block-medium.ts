import {
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  Counters,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_REMOVED,
  ParakernelError,
  type Persistence,
} from '@parakernel/hal'
import type { Loop, Pollable } from '@parakernel/kernel'
import { EBADF, ECANCELED, EINVAL, ENODEV, ENOTSUP } from './errno.ts'
import {
  MEDIUM_BYTES_READ,
  MEDIUM_BYTES_WRITTEN,
  MEDIUM_COUNTERS,
  MEDIUM_DISCARDS,
  MEDIUM_FAILED,
  MEDIUM_FLUSHES,
  MEDIUM_READS,
  MEDIUM_SPLIT,
  MEDIUM_WRITES,
  type Medium,
  type MediumCounter,
} from './medium.ts'
import type { MediumRequest } from './request.ts'

const BURST = 32
const OPEN = 0
const CLOSED = 1

/**
 * The blocks of one queue's lease as a medium. From then on the queue is the medium's: nobody else submits to it.
 * @throws EINVAL when the pool's frames cannot hold aligned blocks
 */
export function openBlockMedium(queue: BlockQueue, loop: Loop, name?: string): Medium {
  return new BlockMedium(queue, loop, name ?? `${queue.grant.device} queue ${queue.grant.queue}`)
}

/**
 * Requests wait in one list, become commands in order of submission, and a command at a time leaves the list when the device
 * has room. What a round submitted goes to the device in one burst at the round's end, or with the next poll.
 */
class BlockMedium implements Medium, Pollable {
  readonly name: string
  readonly loop: Loop
  readonly pool: FramePool
  readonly byteLength: number
  readonly blockSize: number
  readonly memoryAlignment: number
  readonly segmentPage: number
  readonly atomicUnit: number
  readonly maxTransfer: number
  readonly volatileCache: boolean
  readonly persistence: Persistence
  readonly persistent = undefined
  readonly counters: Counters<MediumCounter>
  outstanding = 0

  readonly #queue: BlockQueue
  readonly #counts: Float64Array
  readonly #namespace: number
  readonly #firstLba: number
  readonly #maxSegments: number
  readonly #opcodes: number
  readonly #burst: BlockBurst
  /** Entries of the burst that the device has consumed. */
  #consumed = 0
  readonly #completions = new BlockCompletions(BURST)
  /** By cookie: whose command it is. */
  readonly #slots: (MediumRequest | undefined)[]
  readonly #freeSlots: Int32Array
  #freeTop: number
  #head: MediumRequest | undefined = undefined
  #tail: MediumRequest | undefined = undefined
  #state = OPEN
  #polling = false
  #kickPending = false
  readonly #kick = () => {
    this.#kickPending = false
    this.#push()
  }

  constructor(queue: BlockQueue, loop: Loop, name: string) {
    const { capabilities, grant, pool } = queue
    this.name = name
    this.loop = loop
    this.pool = pool
    this.blockSize = capabilities.blockSize
    this.byteLength = grant.range.blocks * capabilities.blockSize
    this.memoryAlignment = capabilities.memoryAlignment
    this.segmentPage = capabilities.segmentPage
    this.atomicUnit = atomicBlocks(capabilities.atomicUnit, capabilities.atomicBoundary) * capabilities.blockSize
    this.maxTransfer = capabilities.maxTransfer * capabilities.blockSize
    this.volatileCache = capabilities.volatileCache
    this.persistence = capabilities.persistence
    this.counters = new Counters(MEDIUM_COUNTERS)
    this.#counts = this.counters.values
    this.#queue = queue
    this.#namespace = grant.range.namespace
    this.#firstLba = grant.range.firstLba
    this.#maxSegments = capabilities.maxSegments
    this.#opcodes = capabilities.opcodes
    const depth = capabilities.queueDepth
    this.#burst = new BlockBurst(BURST, Math.max(BURST * 4, Math.min(capabilities.maxSegments, 1024)))
    this.#slots = new Array(depth).fill(undefined)
    this.#freeSlots = Int32Array.from({ length: depth }, (_, i) => depth - 1 - i)
    this.#freeTop = depth
    const aligned =
      pool.base % capabilities.memoryAlignment === 0 && pool.frameSize % capabilities.memoryAlignment === 0
    if (!aligned || pool.frameSize < capabilities.blockSize) {
      throw new ParakernelError(
        'EINVAL',
        `frames of ${pool.frameSize} bytes from ${pool.base} cannot hold blocks of ${capabilities.blockSize} bytes aligned to ${capabilities.memoryAlignment}`,
        { subject: name, remedy: 'Give the lease a window whose frame size is a multiple of the block size' },
      )
    }
    loop.add(this)
  }

  get closed(): boolean {
    return this.#state === CLOSED
  }

  get wake(): BlockQueue['wake'] {
    return this.#queue.wake
  }

  arm(): boolean {
    return this.#kickPending || this.#queue.arm()
  }

  nextEvent(): number {
    return this.#queue.nextEvent?.() ?? Infinity
  }

  submit(request: MediumRequest): void {
    this.outstanding++
    request.issued = 0
    request.segment = 0
    request.segmentOffset = 0
    request.commands = 0
    request.next = undefined
    const refusal = this.#state === CLOSED ? -EBADF : this.#refusal(request)
    if (refusal !== 0) {
      request.status = refusal
      this.loop.defer(() => this.#finish(request))
      return
    }
    if (this.#tail === undefined) this.#head = request
    else this.#tail.next = request
    this.#tail = request
    if (this.#kickPending) return
    this.#kickPending = true
    this.loop.defer(this.#kick)
  }

  poll(): number {
    const work = this.#reap()
    return this.#head !== undefined || this.#burst.count > 0 ? work + this.#push() : work
  }

  /** Completes what the device has completed. */
  #reap(): number {
    const completions = this.#completions
    let work = 0
    this.#polling = true
    for (;;) {
      const count = this.#queue.complete(completions)
      for (let i = 0; i < count; i++) this.#completed(completions.cookie[i], completions.status[i])
      work += count
      if (count < BURST || this.#state === CLOSED) break
    }
    this.#polling = false
    return work
  }

  close(): void {
    if (this.#state === CLOSED) return
    // What has completed already is not lost; within a poll, those that this poll has are cancelled.
    if (!this.#polling) this.#reap()
    if ((this.#state as number) === CLOSED) return
    this.#state = CLOSED
    this.loop.remove(this)
    this.#queue.detach()
    const left = new Set<MediumRequest>()
    for (const request of this.#slots) if (request !== undefined) left.add(request)
    for (let request = this.#head; request !== undefined; request = request.next) left.add(request)
    this.#slots.fill(undefined)
    this.#head = undefined
    this.#tail = undefined
    for (const request of left) {
      if (request.status === 0) request.status = -ECANCELED
      this.#finish(request)
    }
  }

  #refusal(request: MediumRequest): number {
    const { opcode, length } = request
    const { blockSize } = this
    if (opcode < BLOCK_READ || opcode > BLOCK_DEALLOCATE) return -EINVAL
    if ((this.#opcodes & (1 << opcode)) === 0) return -ENOTSUP
    if (opcode === BLOCK_FLUSH) return 0
    const position = request.origin + request.position
    if (position % blockSize !== 0 || length % blockSize !== 0 || length <= 0) return -EINVAL
    if (!(request.position >= 0 && position + length <= this.byteLength)) return -EINVAL
    if (opcode > BLOCK_WRITE) return 0
    let sum = 0
    for (let i = 0; i < request.segmentCount; i++) {
      const size = request.size[i]
      const address = this.pool.address(request.frame[i]) + request.offset[i]
      if (size <= 0 || size % blockSize !== 0 || address % this.memoryAlignment !== 0) return -EINVAL
      sum += size
    }
    return sum === length ? 0 : -EINVAL
  }

  /** Makes commands of what waits, and offers them to the device. Returns how many it took. */
  #push(): number {
    if (this.#state === CLOSED) return 0
    const burst = this.#burst
    let taken = 0
    for (;;) {
      this.#fill()
      const waiting = burst.count - this.#consumed
      if (waiting === 0) break
      const count = this.#queue.submit(burst, this.#consumed)
      if (count > 0 && burst.refused > 0) this.#refused(this.#consumed, count)
      this.#consumed += count
      taken += count
      if (this.#consumed < burst.count) {
        // Full, or the grant has ended: then nothing will ever complete what is here.
        if (count === 0 && this.#freeTop === this.#slots.length - burst.count + this.#consumed) this.#checkGrant()
        break
      }
      burst.count = 0
      burst.segments = 0
      this.#consumed = 0
    }
    return taken
  }

  /** A queue that has none of our commands and takes none has lost its grant. */
  #checkGrant(): void {
    const burst = this.#burst
    const { state } = this.#queue.control
    if (state === GRANT_ATTACHED) return
    const status = state === GRANT_REMOVED ? -ENODEV : -ECANCELED
    for (let i = this.#consumed; i < burst.count; i++) this.#completed(burst.cookie[i], status)
    burst.count = 0
    burst.segments = 0
    this.#consumed = 0
    while (this.#head !== undefined) {
      const request = this.#head
      this.#drop()
      request.status = status
      if (request.commands === 0) this.#finish(request)
    }
  }

  #refused(start: number, count: number): void {
    const { flags, cookie } = this.#burst
    for (let i = start; i < start + count; i++) {
      if ((flags[i] & BLOCK_REFUSED) !== 0) this.#completed(cookie[i], -EINVAL)
    }
  }

  #fill(): void {
    const burst = this.#burst
    while (this.#head !== undefined && burst.count < BURST && this.#freeTop > 0) {
      const request = this.#head
      const needed = Math.min(this.#maxSegments, request.segmentCount - request.segment)
      if (burst.count > 0 && burst.segmentCapacity - burst.segments < needed) return
      if (request.status !== 0) {
        // One of its commands has failed: the rest is not sent.
        this.#drop()
        if (request.commands === 0) this.#finish(request)
        continue
      }
      this.#command(request)
      if (request.opcode === BLOCK_FLUSH || request.issued === request.length) this.#drop()
    }
  }

  #drop(): void {
    const request = this.#head as MediumRequest
    this.#head = request.next
    if (this.#head === undefined) this.#tail = undefined
    request.next = undefined
  }

  /** The next command of a request, into the burst. */
  #command(request: MediumRequest): void {
    const burst = this.#burst
    const opcode = request.opcode
    const i = burst.count++
    const slot = this.#freeSlots[--this.#freeTop]
    this.#slots[slot] = request
    if (request.commands++ > 0 || request.issued > 0) this.#counts[MEDIUM_SPLIT]++
    burst.opcode[i] = opcode
    burst.namespace[i] = this.#namespace
    burst.cookie[i] = slot
    burst.flags[i] = request.fua && opcode === BLOCK_WRITE ? BLOCK_FUA : 0
    burst.firstSegment[i] = burst.segments
    burst.segmentCount[i] = 0
    if (opcode === BLOCK_FLUSH) {
      burst.lba[i] = this.#firstLba
      burst.blocks[i] = 0
      return
    }
    const position = request.origin + request.position + request.issued
    let bytes = request.length - request.issued
    if (opcode <= BLOCK_WRITE) bytes = this.#segments(request, i, Math.min(bytes, this.maxTransfer))
    else if (opcode === BLOCK_WRITE_ZEROES) bytes = Math.min(bytes, this.maxTransfer)
    burst.lba[i] = this.#firstLba + position / this.blockSize
    burst.blocks[i] = bytes / this.blockSize
    request.issued += bytes
  }

  /** Takes segments for up to `limit` bytes; returns the bytes. */
  #segments(request: MediumRequest, i: number, limit: number): number {
    const burst = this.#burst
    const page = this.segmentPage
    const room = Math.min(this.#maxSegments, burst.segmentCapacity - burst.segments)
    let bytes = 0
    let count = 0
    while (count < room && bytes < limit) {
      const s = request.segment
      const from = request.offset[s] + request.segmentOffset
      const address = this.pool.address(request.frame[s]) + from
      if (page > 0 && count > 0 && (address % page !== 0 || !this.#endsOnPage(page))) break
      const size = Math.min(request.size[s] - request.segmentOffset, limit - bytes)
      const at = burst.segments++
      burst.frame[at] = request.frame[s]
      burst.offset[at] = from
      burst.length[at] = size
      count++
      bytes += size
      request.segmentOffset += size
      if (request.segmentOffset === request.size[s]) {
        request.segment++
        request.segmentOffset = 0
      }
    }
    burst.segmentCount[i] = count
    return bytes
  }

  /** Whether the segment that was taken last ends at a multiple of a page. */
  #endsOnPage(page: number): boolean {
    const { frame, offset, length, segments } = this.#burst
    const last = segments - 1
    return (this.pool.address(frame[last]) + offset[last] + length[last]) % page === 0
  }

  #completed(slot: number, status: number): void {
    const request = this.#slots[slot]
    if (request === undefined) return
    this.#slots[slot] = undefined
    this.#freeSlots[this.#freeTop++] = slot
    request.commands--
    if (status !== 0 && request.status === 0) request.status = status
    // A request whose commands are not all made is still in the list.
    if (request.commands > 0) return
    if (request.opcode !== BLOCK_FLUSH && request.issued < request.length) {
      if (request.status === 0 || request === this.#head) return
    }
    this.#finish(request)
  }

  #finish(request: MediumRequest): void {
    this.outstanding--
    const counts = this.#counts
    if (request.status !== 0) counts[MEDIUM_FAILED]++
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

/** Runs of so many blocks, aligned to their own length, never cross an atomic boundary. */
function atomicBlocks(unit: number, boundary: number): number {
  let power = 1
  while (power * 2 <= unit) power *= 2
  while (boundary > 0 && boundary % power !== 0) power /= 2
  return power
}
