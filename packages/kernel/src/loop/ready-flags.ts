import { ParakernelError } from '@parakernel/hal'

const BITS = 5
const WIDTH = 1 << BITS
/** Most flags: one bit of the summary word stands for each word of flags. */
export const MAX_READY_FLAGS = WIDTH * WIDTH
/** The summary has a cache line of its own. */
const FIRST_WORD = 32

/** Shared memory for {@link ReadyFlags}. @throws EINVAL for more than 1,024 flags */
export function readyFlagsBuffer(count: number): SharedArrayBuffer {
  if (!Number.isInteger(count) || count < 1 || count > MAX_READY_FLAGS) {
    throw new ParakernelError('EINVAL', `${count} flags are not 1 to ${MAX_READY_FLAGS}`, { subject: 'ready flags' })
  }
  return new SharedArrayBuffer((FIRST_WORD + Math.ceil(count / WIDTH)) * 4)
}

/**
 * A bitmap by which whoever makes work for a pollable says so, in this thread or another, and its summary, by which the loop
 * finds the raised flags among a thousand by looking at one word.
 */
export class ReadyFlags {
  readonly count: number
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer)
    this.count = (this.#words.length - FIRST_WORD) * WIDTH
  }

  /** After the work is there for others to see. Both words are written always: another writer may have died between them. */
  raise(index: number): void {
    Atomics.or(this.#words, FIRST_WORD + (index >> BITS), 1 << (index & (WIDTH - 1)))
    Atomics.or(this.#words, 0, 1 << (index >> BITS))
  }

  /** Whether a flag may be raised. */
  get any(): boolean {
    return Atomics.load(this.#words, 0) !== 0
  }

  /**
   * Takes the raised flags down and adds them to `into`, one bit a flag; a flag raised meanwhile is taken the next time. Returns
   * one bit for each word of `into` that may have flags now.
   */
  take(into: Int32Array): number {
    // The summary first: whoever raises a flag after it was taken raises the summary again.
    let summary = Atomics.exchange(this.#words, 0, 0)
    let taken = 0
    while (summary !== 0) {
      const word = lowestBit(summary)
      summary &= summary - 1
      // The summary may be wrong where another process writes it.
      if (word >= into.length) break
      into[word] |= Atomics.exchange(this.#words, FIRST_WORD + word, 0)
      taken |= 1 << word
    }
    return taken
  }
}

export function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}
