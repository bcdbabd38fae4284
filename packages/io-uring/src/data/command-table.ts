/** The kernel has it. */
export const RUNNING = 1
/** What it asked for is done, and is being flushed (FUA of a command that has no such flag). */
export const FLUSHING = 2

/**
 * What is under way, as a struct of arrays: one slot a command, taken at submission and given back with its completion. A slot's
 * generation goes along with its entry: an answer that carries another one is not believed.
 */
export class CommandTable {
  readonly depth: number
  readonly state: Uint8Array
  readonly cookie: Int32Array
  readonly opcode: Int32Array
  readonly flags: Int32Array
  readonly generation: Int32Array
  /** Bytes: from the start of the device, in all, moved so far. */
  readonly offset: Float64Array
  readonly bytes: Float64Array
  readonly done: Float64Array
  /** Virtual address of the data of a command with one segment. */
  readonly address: Float64Array
  /** Segments, after neighbours were joined. */
  readonly vectors: Int32Array
  /** The result that means that everything is done. */
  readonly expected: Int32Array
  readonly retries: Int32Array
  /** Commands under way. */
  running = 0
  readonly #free: Int32Array
  #top: number

  constructor(depth: number) {
    this.depth = depth
    this.state = new Uint8Array(depth)
    this.cookie = new Int32Array(depth)
    this.opcode = new Int32Array(depth)
    this.flags = new Int32Array(depth)
    this.generation = new Int32Array(depth)
    this.offset = new Float64Array(depth)
    this.bytes = new Float64Array(depth)
    this.done = new Float64Array(depth)
    this.address = new Float64Array(depth)
    this.vectors = new Int32Array(depth)
    this.expected = new Int32Array(depth)
    this.retries = new Int32Array(depth)
    this.#free = Int32Array.from({ length: depth }, (_, i) => depth - 1 - i)
    this.#top = depth
  }

  /** A free slot, or -1. */
  take(): number {
    if (this.#top === 0) return -1
    const slot = this.#free[--this.#top]
    // Never 0: zeros are what a ring that was taken away reads as.
    this.generation[slot] = (this.generation[slot] & 0x3fff_ffff) + 1
    this.state[slot] = RUNNING
    this.running++
    return slot
  }

  give(slot: number): void {
    this.state[slot] = 0
    this.running--
    this.#free[this.#top++] = slot
  }
}
