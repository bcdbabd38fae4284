/** One step of mulberry32 over a word of a typed array: 32 bits as a small integer's pattern, no allocation. */
export function draw(words: Int32Array, at: number): number {
  const state = (words[at] + 0x6d2b79f5) | 0
  words[at] = state
  let bits = Math.imul(state ^ (state >>> 15), state | 1)
  bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
  return (bits ^ (bits >>> 14)) | 0
}

/** A start for `draw`, so that neighbouring seeds and queues begin far apart. */
export function scatter(seed: number, stream: number): number {
  return Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(stream + 1, 0xc2b2_ae35)
}
