import { MARK_ABORTING, MARK_NONE, type QueueState } from './queue-state.ts'

/**
 * The outstanding commands of one queue pair. The identifier that the controller sees is `generation << bits | slot`: a completion that
 * comes late, twice or out of nowhere does not match the slot's present identifier, and an abort never hits the slot's next user.
 * Generations run from 1 and leave out the last, so that no identifier is 0 (cleared memory) or 0xffff (reserved).
 */
export class Slots {
  readonly capacity: number
  readonly mask: number
  readonly #bits: number
  readonly #generations: Int32Array
  readonly #lastGeneration: number
  readonly #free: Int32Array
  readonly #held: Int32Array
  readonly #state: QueueState
  #top: number
  #heldCount = 0
  outstanding = 0

  constructor(depth: number, state: QueueState) {
    this.capacity = depth - 1
    this.mask = depth - 1
    this.#bits = Math.log2(depth)
    this.#lastGeneration = (1 << (16 - this.#bits)) - 2
    this.#generations = new Int32Array(depth)
    this.#free = new Int32Array(depth)
    this.#held = new Int32Array(depth)
    this.#state = state
    this.#top = this.capacity
    for (let i = 0; i < this.capacity; i++) this.#free[i] = this.capacity - 1 - i
    state.stamps.fill(0)
    state.identifiers.fill(0)
    state.marks.fill(MARK_NONE)
  }

  /** A free slot, or -1. */
  take(): number {
    if (this.#top === 0) {
      if (this.#heldCount > 0) this.#release()
      if (this.#top === 0) return -1
    }
    this.outstanding++
    return this.#free[--this.#top]
  }

  /** Puts back what `take` gave, before it was named. */
  untake(slot: number): void {
    this.outstanding--
    this.#free[this.#top++] = slot
  }

  /** A fresh identifier for what is in the slot; the clock of its timeout starts. */
  name(slot: number): number {
    const last = this.#generations[slot]
    const generation = last >= this.#lastGeneration ? 1 : last + 1
    this.#generations[slot] = generation
    const identifier = (generation << this.#bits) | slot
    this.#state.identifiers[slot] = identifier
    this.#state.stamps[slot] = this.#state.tick
    return identifier
  }

  /** The slot of an outstanding identifier, or -1. */
  find(identifier: number): number {
    const slot = identifier & this.mask
    return this.#state.stamps[slot] !== 0 && this.#state.identifiers[slot] === identifier ? slot : -1
  }

  /** Whether the controller is asked for the command in `slot`: it is not free, and not waiting to be sent again. */
  isUsed(slot: number): boolean {
    return this.#state.stamps[slot] !== 0
  }

  /** The command was completed, or given up. A slot whose abort is under way waits for its answer. */
  free(slot: number): void {
    this.#state.stamps[slot] = 0
    this.outstanding--
    if (this.#state.marks[slot] === MARK_ABORTING) {
      this.#held[this.#heldCount++] = slot
      return
    }
    this.#state.marks[slot] = MARK_NONE
    this.#free[this.#top++] = slot
  }

  #release(): void {
    let kept = 0
    for (let i = 0; i < this.#heldCount; i++) {
      const slot = this.#held[i]
      if (Atomics.load(this.#state.marks, slot) === MARK_ABORTING) this.#held[kept++] = slot
      else {
        this.#state.marks[slot] = MARK_NONE
        this.#free[this.#top++] = slot
      }
    }
    this.#heldCount = kept
  }
}
