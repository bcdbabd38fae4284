/**
 * The 64-bit keyhash as two u32 lanes. Clients compute it and send it along; the store only cuts it up:
 *
 *   tag        bits  0..25   compared in the index before an item is looked at
 *   bucket     bits 26..51   low bits first, as many as the index has
 *   partition  bits 52..63   scaled to the number of partitions
 *
 * The three are disjoint, so keys of one partition still spread over all its buckets, and keys of one bucket over all
 * tags. The hash has no secret: a client that picks colliding keys hurts the buckets it uses. `kernel/mica.c` has the
 * same function.
 */

const MULTIPLY_LO = 0x9e3779b1 | 0
const MULTIPLY_HI = 0x85ebca77 | 0

/**
 * Hashes `length` bytes at `offset` into `out[0]` (low lane) and `out[1]` (high lane). Bytes are read as
 * little-endian words, the last one padded with zeros; the length is mixed in, so "a" and "a\0" differ.
 */
export function keyhash(bytes: Uint8Array, offset: number, length: number, out: Uint32Array | Int32Array): void {
  let lo = Math.imul(length ^ 0x5bd1e995, MULTIPLY_LO)
  let hi = Math.imul(length + 0x27d4eb2f, MULTIPLY_HI)
  let at = offset
  const end = offset + length
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)
    lo = Math.imul(lo ^ word, MULTIPLY_LO)
    lo = (lo << 13) | (lo >>> 19)
    hi = Math.imul(hi ^ ((word << 16) | (word >>> 16)), MULTIPLY_HI)
    hi = (hi << 17) | (hi >>> 15)
  }
  if (at < end) {
    let word = bytes[at]
    if (at + 1 < end) word |= bytes[at + 1] << 8
    if (at + 2 < end) word |= bytes[at + 2] << 16
    lo = Math.imul(lo ^ word, MULTIPLY_LO)
    lo = (lo << 13) | (lo >>> 19)
    hi = Math.imul(hi ^ ((word << 16) | (word >>> 16)), MULTIPLY_HI)
    hi = (hi << 17) | (hi >>> 15)
  }
  lo = (lo + hi) | 0
  hi = (hi + lo) | 0
  lo = Math.imul(lo ^ (lo >>> 16), 0x85ebca6b)
  lo = Math.imul(lo ^ (lo >>> 13), 0xc2b2ae35)
  hi = Math.imul(hi ^ (hi >>> 15), 0x2c1b3c6d)
  hi = Math.imul(hi ^ (hi >>> 12), 0x297a2d39)
  lo ^= hi >>> 15
  hi ^= lo >>> 16
  lo = (lo + hi) | 0
  hi = (hi + lo) | 0
  out[0] = lo ^ (lo >>> 16)
  out[1] = hi ^ (hi >>> 15)
}

/** The partition that owns a key: the hash's top 12 bits scaled to `partitions` (1..4096). */
export function partitionOf(hashHi: number, partitions: number): number {
  return ((hashHi >>> 20) * partitions) >>> 12
}

/** The tag word of an index slot. The top bit is always set: 0 means that the slot is empty. */
export function tagOf(hashLo: number): number {
  return (hashLo & 0x03ffffff) | 0x80000000
}

/** The main bucket of a key, for an index of `bucketMask + 1` buckets. */
export function bucketOf(hashLo: number, hashHi: number, bucketMask: number): number {
  return ((hashLo >>> 26) | (hashHi << 6)) & bucketMask
}
