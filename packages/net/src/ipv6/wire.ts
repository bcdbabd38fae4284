import type { IpWords } from '@parakernel/queue'

/**
 * IPv6 header (RFC 8200 section 3), 40 bytes.
 *
 *      0                                4                6             7           8        24
 *     | version, traffic class, flow   | payload length | next header | hop limit | source | destination |
 */
export const HEADER_LENGTH = 40
/** Of what follows the header: longer ones are jumbograms (RFC 2675), which we neither send nor take. */
export const MAX_PAYLOAD = 65_535
/** Every link carries packets of this length (RFC 8200 section 5). */
export const LEAST_MTU = 1280

export const NEXT_HOP_BY_HOP = 0
export const NEXT_TCP = 6
export const NEXT_UDP = 17
export const NEXT_ROUTING = 43
export const NEXT_FRAGMENT = 44
export const NEXT_ICMPV6 = 58
export const NEXT_NONE = 59
export const NEXT_DESTINATION = 60

/** Offsets that parameter problems point at. */
export const PAYLOAD_LENGTH = 4
export const NEXT_HEADER = 6
export const SOURCE = 8
export const DESTINATION = 24

export const version = (view: DataView, at: number): number => view.getUint8(at) >>> 4
/** DSCP in the upper six bits, ECN in the lower two. */
export const trafficClass = (view: DataView, at: number): number => (view.getUint16(at) >>> 4) & 0xff
export const flowLabel = (view: DataView, at: number): number => view.getInt32(at) & 0xf_ffff
export const payloadLength = (view: DataView, at: number): number => view.getUint16(at + PAYLOAD_LENGTH)
export const nextHeader = (view: DataView, at: number): number => view.getUint8(at + NEXT_HEADER)
export const hopLimit = (view: DataView, at: number): number => view.getUint8(at + 7)

export function readAddress(view: DataView, at: number, into: IpWords): void {
  into[0] = view.getInt32(at)
  into[1] = view.getInt32(at + 4)
  into[2] = view.getInt32(at + 8)
  into[3] = view.getInt32(at + 12)
}

export function writeAddress(view: DataView, at: number, from: IpWords): void {
  view.setInt32(at, from[0])
  view.setInt32(at + 4, from[1])
  view.setInt32(at + 8, from[2])
  view.setInt32(at + 12, from[3])
}

/** Whether the 16 bytes at `at` are `address`. */
export function isAddressAt(view: DataView, at: number, address: IpWords): boolean {
  return (
    view.getInt32(at + 12) === address[3] &&
    view.getInt32(at + 8) === address[2] &&
    view.getInt32(at + 4) === address[1] &&
    view.getInt32(at) === address[0]
  )
}

/**
 * Writes all 40 bytes.
 * @param payload bytes that follow, extension headers included
 */
export function emit(
  view: DataView,
  at: number,
  traffic: number,
  flow: number,
  payload: number,
  next: number,
  hops: number,
  from: IpWords,
  to: IpWords,
): void {
  view.setInt32(at, 0x6000_0000 | (traffic << 20) | flow)
  view.setInt32(at + 4, (payload << 16) | (next << 8) | hops)
  writeAddress(view, at + SOURCE, from)
  writeAddress(view, at + DESTINATION, to)
}

/**
 * Both addresses of a pseudo-header (RFC 8200 section 8.1), not folded: add the upper layer's length and its number.
 * Less than 2^20.
 */
export function addressSum(from: IpWords, to: IpWords): number {
  let sum = 0
  for (let i = 0; i < 4; i++) {
    const a = from[i]
    const b = to[i]
    sum += (a >>> 16) + (a & 0xffff) + (b >>> 16) + (b & 0xffff)
  }
  return sum
}

/** The same of the packet at `at`, read from its header. */
export function addressSumAt(view: DataView, at: number): number {
  let sum = 0
  for (let i = at + SOURCE; i < at + HEADER_LENGTH; i += 4) {
    const word = view.getInt32(i)
    sum += (word >>> 16) + (word & 0xffff)
  }
  return sum
}
