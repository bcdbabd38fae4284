const STRIDE = 4096
const ENTRIES = 8192

/** The first record of each stride of the ring, so that a record is found by its sequence after a short walk. Never grows. */
export class SparseIndex {
  readonly #stride: number
  readonly #position: Float64Array
  readonly #sequence: Float64Array
  /** Where the next stride begins that has no entry yet. */
  #boundary = 0

  constructor(ringLength: number) {
    this.#stride = Math.max(STRIDE, Math.ceil(ringLength / ENTRIES))
    const entries = Math.ceil(ringLength / this.#stride) + 1
    this.#position = new Float64Array(entries).fill(-1)
    this.#sequence = new Float64Array(entries)
  }

  /** For every record, in the order of their positions. */
  note(position: number, sequence: number): void {
    if (position >= this.#boundary) this.#enter(position, sequence)
  }

  #enter(position: number, sequence: number): void {
    const k = Math.floor(position / this.#stride)
    const i = k % this.#position.length
    this.#position[i] = position
    this.#sequence[i] = sequence
    this.#boundary = (k + 1) * this.#stride
  }

  /** Position of a record at or before `sequence`, from `head` on; its sequence is in `found`. */
  locate(sequence: number, head: number, headSequence: number): number {
    const { length } = this.#position
    this.found = headSequence
    for (let k = Math.ceil(this.#boundary / this.#stride) - 1, n = 0; k >= 0 && n < length; k--, n++) {
      const i = k % length
      const position = this.#position[i]
      if (Math.floor(position / this.#stride) !== k) continue
      if (position < head) break
      if (this.#sequence[i] > sequence) continue
      this.found = this.#sequence[i]
      return position
    }
    return head
  }

  found = 0
}
