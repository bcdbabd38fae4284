import { bitWords, hasBit, setBits } from '../space/bits.ts'

/** Which clusters something was found to use. Nothing gets a cluster twice, and so no walk over a damaged volume is endless. */
export class Claims {
  readonly words: Int32Array

  constructor(clusters: number) {
    this.words = bitWords(clusters)
  }

  /** Claims a run up to the first cluster that is taken; returns how many that are. */
  claim(from: number, length: number): number {
    let free = 0
    while (free < length && !hasBit(this.words, from + free)) free++
    setBits(this.words, from, free)
    return free
  }
}
