/** No slice, and no frame. */
export const NONE = -1

const PREVIOUS = 0
const NEXT = 1
const FRAME = 2
const ADDRESS = 3
const LENGTH = 4
/** Words of a slice. */
const STRIDE = 5
const NO_SLICES = new Int32Array(0)
const FIRST_CAPACITY = 8
/** From this many slices on, an empty pool gives its memory back. */
const KEPT_CAPACITY = 64

/** Slices of frames in doubly linked lists, named by index, all in one typed array; freed ones are linked by `next`. */
export class SliceLists {
  /** Slices in use. */
  count = 0
  #slices = NO_SLICES
  #free = NONE

  previous(slice: number): number {
    return this.#slices[slice * STRIDE + PREVIOUS]
  }

  next(slice: number): number {
    return this.#slices[slice * STRIDE + NEXT]
  }

  frame(slice: number): number {
    return this.#slices[slice * STRIDE + FRAME]
  }

  address(slice: number): number {
    return this.#slices[slice * STRIDE + ADDRESS]
  }

  length(slice: number): number {
    return this.#slices[slice * STRIDE + LENGTH]
  }

  /** A slice that is in no list yet. */
  add(frame: number, address: number, length: number): number {
    if (this.#free === NONE) this.#grow()
    const slice = this.#free
    const at = slice * STRIDE
    const slices = this.#slices
    this.#free = slices[at + NEXT]
    slices[at + PREVIOUS] = NONE
    slices[at + NEXT] = NONE
    slices[at + FRAME] = frame
    slices[at + ADDRESS] = address
    slices[at + LENGTH] = length
    this.count++
    return slice
  }

  /** Makes the list that begins with `next` the continuation of the one that ends with `previous`. */
  link(previous: number, next: number): void {
    this.#slices[previous * STRIDE + NEXT] = next
    this.#slices[next * STRIDE + PREVIOUS] = previous
  }

  lengthen(slice: number, by: number): void {
    this.#slices[slice * STRIDE + LENGTH] += by
  }

  /** Cuts `by` bytes off a slice's front. */
  skip(slice: number, by: number): void {
    this.#slices[slice * STRIDE + ADDRESS] += by
    this.#slices[slice * STRIDE + LENGTH] -= by
  }

  /** Takes off a list's first or last slice, whose neighbour then has none on that side. */
  remove(slice: number): void {
    const at = slice * STRIDE
    const slices = this.#slices
    if (slices[at + NEXT] !== NONE) slices[slices[at + NEXT] * STRIDE + PREVIOUS] = slices[at + PREVIOUS]
    if (slices[at + PREVIOUS] !== NONE) slices[slices[at + PREVIOUS] * STRIDE + NEXT] = slices[at + NEXT]
    slices[at + NEXT] = this.#free
    this.#free = slice
    this.count--
    if (this.count === 0 && slices.length > KEPT_CAPACITY * STRIDE) {
      this.#slices = NO_SLICES
      this.#free = NONE
    }
  }

  #grow(): void {
    const old = this.#slices.length / STRIDE
    const capacity = Math.max(FIRST_CAPACITY, old * 2)
    const grown = new Int32Array(capacity * STRIDE)
    grown.set(this.#slices)
    this.#slices = grown
    for (let slice = capacity - 1; slice >= old; slice--) {
      grown[slice * STRIDE + NEXT] = this.#free
      this.#free = slice
    }
  }
}
