/** Bytes that tell where they belong; `length` is a multiple of 4. */
export function pattern(length: number, seed: number): Uint8Array {
  const words = new Int32Array(length / 4)
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(seed + 1, 0x9e37_79b1) + i
  return new Uint8Array(words.buffer)
}
