import { CHECKSUM_BAD, CHECKSUM_VERIFIED } from '@parakernel/hal'
import type { MemoryKernel } from '../memory/memory-kernel.ts'
import { addressesAt, addressesLength, type Headers, PROTOCOL_UDP } from './headers.ts'

const IPV4_HEADER_WITHOUT_OPTIONS = 20

/** Ones' complement sums in the machine's (little-endian) byte order: network-order numbers are swapped before they join. */
export function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8)
}

export function fold16(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once & 0xffff) + (once >>> 16)
}

/** Sum of the pseudo-header (RFC 768, RFC 9293 section 3.1, RFC 8200 section 8.1) for the IP header at `network`. */
export function pseudoHeaderSum(
  kernel: MemoryKernel,
  family: number,
  network: number,
  protocol: number,
  length: number,
): number {
  const addresses = kernel.sum(network + addressesAt(family), addressesLength(family))
  return fold16(addresses + (protocol << 8) + swap16(length))
}

/**
 * Sum over pseudo-header and segment of `length` bytes: 0xffff when a checksum in it is right.
 * @param at where the packet starts that `headers` describes
 */
export function transportSum(kernel: MemoryKernel, headers: Headers, at: number, length: number): number {
  const { family, protocol } = headers
  const network = at + headers.network
  const transport = at + headers.transport
  // Without options the addresses lie right before the segment: one call for both.
  if (family === 4 && headers.transport - headers.network === IPV4_HEADER_WITHOUT_OPTIONS) {
    return fold16(kernel.sum(network + 12, 8 + length) + (protocol << 8) + swap16(length))
  }
  return fold16(pseudoHeaderSum(kernel, family, network, protocol, length) + kernel.sum(transport, length))
}

/** What a device that verifies says of a packet: `CHECKSUM_VERIFIED`, `CHECKSUM_BAD`, or 0 for what it does not judge. */
export function checksumVerdict(kernel: MemoryKernel, view: DataView, headers: Headers, at: number): number {
  if (!headers.ports) return 0
  let length = headers.transportLength
  if (headers.protocol === PROTOCOL_UDP) {
    const transport = at + headers.transport
    // RFC 768: 0 means that the sender computed none; RFC 8200 forbids that for IPv6.
    if (view.getUint16(transport + 6) === 0) return headers.family === 4 ? 0 : CHECKSUM_BAD
    const stated = view.getUint16(transport + 4)
    if (stated < 8 || stated > length) return CHECKSUM_BAD
    length = stated
  }
  return transportSum(kernel, headers, at, length) === 0xffff ? CHECKSUM_VERIFIED : CHECKSUM_BAD
}
