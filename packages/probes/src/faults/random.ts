/** Decisions, each with a stream of its own, so that turning one fault on does not change when another strikes. */
export const LOSS = 0
export const DUPLICATE = 1
export const REORDER = 2
export const CORRUPT = 3
export const CORRUPT_AT = 4
export const JITTER = 5
const STREAMS = 6

/** Seeded random streams (mulberry32), kept as int32 state in a typed array so that drawing allocates nothing. */
export class RandomStreams {
  readonly #state = new Int32Array(STREAMS)

  constructor(seed: number, queue: number, direction: number) {
    for (let stream = 0; stream < STREAMS; stream++) {
      let state = Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(queue + 1, 0x85ebca6b)
      state ^= Math.imul(direction + 1, 0xc2b2ae35) ^ Math.imul(stream + 1, 0x27d4eb2f)
      this.#state[stream] = state
      // Neighbouring seeds start far apart.
      for (let i = 0; i < 4; i++) this.#state[stream] ^= this.draw(stream)
    }
  }

  /** The next 31 random bits of a stream: a small integer. */
  draw(stream: number): number {
    const state = (this.#state[stream] + 0x6d2b79f5) | 0
    this.#state[stream] = state
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return (bits ^ (bits >>> 14)) >>> 1
  }
}

/** One more than the greatest draw. */
export const DRAWS = 0x8000_0000

/** The bound below which a draw happens with this probability. 0 is never, 1 always. */
export function threshold(probability: number): number {
  return Math.round(probability * DRAWS)
}
