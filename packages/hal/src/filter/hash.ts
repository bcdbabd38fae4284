/** FNV-1a over bytes, its upper half folded into the lower once, so that the low bits are as good as the others. */
export function filterHash(bytes: Uint8Array, at: number, length: number, seed: number): number {
  let hash = (0x811c_9dc5 ^ seed) | 0
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ bytes[at + i], 0x0100_0193)
  return (hash ^ (hash >>> 16)) >>> 0
}
