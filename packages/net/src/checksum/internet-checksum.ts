/**
 * RFC 1071. A sum here is the 16-bit one's complement sum in network order, folded to 0..0xffff and not complemented, so
 * that sums of parts can be added before the final complement.
 */
import type { PacketMemory } from '../packet-memory.ts'

/** Brings a sum of 16-bit values (less than 2^32) down to 16 bits, end-around carries included. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once & 0xffff) + (once >>> 16)
}

/** From this many bytes on, a call of the block sum is quicker than the loop over words. */
const LONG = 128

/**
 * Sum of `length` bytes (at most 64 KiB) at any address, by 32-bit words whose halves are added apart: the carries then need
 * no test, and RFC 1071 section 2(B) lets the words be read in the host's order and the result be swapped once.
 */
export function sumBytes(memory: PacketMemory, address: number, length: number): number {
  const { bytes, words, sumBlocks } = memory
  const end = address + length
  let at = address
  let low = 0
  let high = 0
  // A leading odd byte shifts every later one to the other half of its pair; the sum then comes out swapped.
  const odd = (at & 1) !== 0 && length > 0
  if (odd) low += bytes[at++] << 8
  if (sumBlocks !== undefined && end - at >= LONG) {
    const blocks = at + ((end - at) & ~15)
    low += fold(sumBlocks(at, blocks))
    at = blocks
  }
  if ((at & 2) !== 0 && at + 2 <= end) {
    low += bytes[at] | (bytes[at + 1] << 8)
    at += 2
  }
  if ((at & 3) === 0) {
    const last = end >>> 2
    let w = at >>> 2
    for (; w + 4 <= last; w += 4) {
      const a = words[w]
      const b = words[w + 1]
      const c = words[w + 2]
      const d = words[w + 3]
      low += (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff)
      high += (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16)
    }
    for (; w < last; w++) {
      const a = words[w]
      low += a & 0xffff
      high += a >>> 16
    }
    if (last << 2 > at) at = last << 2
  }
  if (at + 2 <= end) {
    low += bytes[at] | (bytes[at + 1] << 8)
    at += 2
  }
  if (at < end) low += bytes[at]
  const sum = fold(low + high)
  return odd ? sum : swap(sum)
}

/** The sum of an IPv4 pseudo-header (RFC 768, RFC 793 section 3.1), not folded. Addresses as int32 in host order. */
export function pseudoHeaderSum(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length
}

/**
 * The Internet checksum of a run of bytes, as it is stored in a header (big-endian) whose checksum field was zero; 0 for a
 * run that contains its own right checksum.
 */
export function internetChecksum(memory: PacketMemory, address: number, length: number): number {
  return ~sumBytes(memory, address, length) & 0xffff
}

/** RFC 1624, equation 3: the new checksum after one 16-bit word of what it covers changed. */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff
}

function swap(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8)
}
