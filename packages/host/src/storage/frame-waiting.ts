import { type FramePool, ParakernelError } from '@parakernel/hal'
import { allocateSga, type ScatterGatherArray } from '@parakernel/queue'

/** Until frames are looked for again, in milliseconds. */
const RETRY = 1

/** A place in the line: taken when a pop is issued, ready when its bytes were read. */
export class Place {
  length = -1
  wanted: () => boolean = () => true
  deliver: (sga: ScatterGatherArray | undefined) => void = () => {}
}

/**
 * Arrays for bytes that were read, in the order in which the pops were issued, when the pool has enough frames: who awaits pops in
 * that order never waits for frames that later ones hold.
 */
export class FrameWaiting {
  readonly #pool: FramePool
  readonly #frameBytes: number
  readonly #line: Place[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(pool: FramePool) {
    this.#pool = pool
    this.#frameBytes = pool.frameSize - pool.headroom - pool.window.tailroom
  }

  /** The bytes of one frame. */
  get frameBytes(): number {
    return this.#frameBytes
  }

  /** Whether the pool could ever have room for so many bytes. */
  fits(length: number): boolean {
    return Math.ceil(length / this.#frameBytes) <= this.#pool.frameCount - this.#pool.deviceReserve
  }

  /** A place at the end of the line. */
  enter(): Place {
    const place = new Place()
    this.#line.push(place)
    return place
  }

  /** From now on `deliver` is called with room for `length` bytes; with undefined when it is not `wanted` any more. */
  ready(place: Place, length: number, wanted: () => boolean, deliver: Place['deliver']): void {
    place.length = length
    place.wanted = wanted
    place.deliver = deliver
    if (place === this.#line[0]) this.#serve()
  }

  #serve(): void {
    clearTimeout(this.#timer)
    for (let first = this.#line[0]; first !== undefined && first.length >= 0; first = this.#line[0]) {
      const isWanted = first.wanted()
      const sga = isWanted ? this.#take(first.length) : undefined
      if (isWanted && sga === undefined) {
        this.#timer = setTimeout(() => this.#serve(), RETRY)
        return
      }
      this.#line.shift()
      first.deliver(sga)
    }
  }

  #take(length: number): ScatterGatherArray | undefined {
    if (Math.ceil(length / this.#frameBytes) > this.#pool.available - this.#pool.deviceReserve) return undefined
    try {
      return allocateSga(this.#pool, length)
    } catch (error) {
      if (error instanceof ParakernelError && error.code === 'ENOBUFS') return undefined
      throw error
    }
  }
}
