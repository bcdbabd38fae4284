import { BLOCK_FLUSH, type Counters, type FramePool, ParakernelError, type Persistence } from '@parakernel/hal'
import type { Loop } from '@parakernel/kernel'
import { EBADF, EINVAL } from './errno.ts'
import type { Medium, MediumCounter } from './medium.ts'
import type { MediumRequest } from './request.ts'

/**
 * A range of a medium as a medium of its own. Counters and outstanding requests are those of the whole. A flush flushes the
 * whole. Closing it refuses further requests, and leaves the whole open and what is outstanding under way.
 * @throws EINVAL for a range that is not in the medium or not of whole blocks
 */
export function subMedium(medium: Medium, position: number, length: number, name?: string): Medium {
  const { blockSize, byteLength } = medium
  if (!(position >= 0 && length > 0 && position + length <= byteLength) || (position | length) % 1 !== 0) {
    throw new ParakernelError('EINVAL', `bytes ${position} to ${position + length} are not within its ${byteLength}`, {
      subject: medium.name,
    })
  }
  if (position % blockSize !== 0 || length % blockSize !== 0) {
    throw new ParakernelError('EINVAL', `${position} and ${length} are not multiples of ${blockSize}`, {
      subject: medium.name,
    })
  }
  return new SubMedium(medium, position, length, name ?? `${medium.name} from ${position}`)
}

class SubMedium implements Medium {
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
  readonly persistent: Medium['persistent']
  readonly counters: Counters<MediumCounter>
  readonly #whole: Medium
  readonly #position: number
  #closed = false

  constructor(whole: Medium, position: number, length: number, name: string) {
    this.name = name
    this.loop = whole.loop
    this.pool = whole.pool
    this.byteLength = length
    this.blockSize = whole.blockSize
    this.memoryAlignment = whole.memoryAlignment
    this.segmentPage = whole.segmentPage
    this.atomicUnit = alignedUnit(whole.atomicUnit, position, whole.blockSize)
    this.maxTransfer = whole.maxTransfer
    this.volatileCache = whole.volatileCache
    this.persistence = whole.persistence
    const memory = whole.persistent
    this.persistent = memory && { region: memory.region, position: memory.position + position }
    this.counters = whole.counters
    this.#whole = whole
    this.#position = position
  }

  get closed(): boolean {
    return this.#closed || this.#whole.closed
  }

  get outstanding(): number {
    return this.#whole.outstanding
  }

  submit(request: MediumRequest): void {
    const inside = request.position >= 0 && request.position + request.length <= this.byteLength
    if (this.#closed || (!inside && request.opcode !== BLOCK_FLUSH)) {
      request.status = this.#closed ? -EBADF : -EINVAL
      this.loop.defer(() => request.done(request))
      return
    }
    request.origin += this.#position
    this.#whole.submit(request)
  }

  close(): void {
    this.#closed = true
  }
}

/** Runs of the whole's atomic unit are runs of the part only as far as the part begins at a multiple. */
function alignedUnit(unit: number, position: number, blockSize: number): number {
  let aligned = unit
  while (aligned > blockSize && position % aligned !== 0) aligned /= 2
  return aligned
}
