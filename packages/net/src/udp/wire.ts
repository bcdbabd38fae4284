/**
 * UDP header (RFC 768).
 *
 *      0             2                  4        6          8
 *     | source port | destination port | length | checksum | payload ...
 */
export const HEADER_LENGTH = 8
/** Offset of the checksum in the header: what `checksumOffset` of a burst is set to. */
export const CHECKSUM = 6
/** Longest payload in an IPv4 datagram without options. */
export const MAX_PAYLOAD = 65_535 - 20 - 8
/** The same of IPv6 without extension headers: its header does not count. */
export const MAX_PAYLOAD6 = 65_535 - 8

export const sourcePort = (view: DataView, at: number): number => view.getUint16(at)
export const destinationPort = (view: DataView, at: number): number => view.getUint16(at + 2)
/** Header included. */
export const length = (view: DataView, at: number): number => view.getUint16(at + 4)
/** 0: the sender computed none. */
export const checksum = (view: DataView, at: number): number => view.getUint16(at + 6)

export function emit(view: DataView, at: number, from: number, to: number, datagramLength: number, sum: number): void {
  view.setInt32(at, (from << 16) | to)
  view.setInt32(at + 4, (datagramLength << 16) | sum)
}
