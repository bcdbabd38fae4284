/**
 * IPv4 header (RFC 791 section 3.1), 20 bytes and up to 40 of options.
 *
 *      0             1     2              4            6                    8     9          10
 *     | version, IHL | TOS | total length | identifier | flags, fragment /8 | TTL | protocol | checksum |
 *      12              16            20
 *     | source         | destination | options ...
 */
export const HEADER_LENGTH = 20
export const MAX_LENGTH = 65_535

export const PROTOCOL_ICMP = 1
export const PROTOCOL_IGMP = 2
export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17

/** Version 4 with a header of five words, in its first byte. */
export const VERSION_4_IHL_5 = 0x45
export const DONT_FRAGMENT = 0x4000
export const MORE_FRAGMENTS = 0x2000
/** Fragment offset in units of 8 bytes. */
export const OFFSET_MASK = 0x1fff

export const version = (view: DataView, at: number): number => view.getUint8(at) >>> 4
/** In bytes. */
export const headerLength = (view: DataView, at: number): number => (view.getUint8(at) & 15) << 2
export const typeOfService = (view: DataView, at: number): number => view.getUint8(at + 1)
export const totalLength = (view: DataView, at: number): number => view.getUint16(at + 2)
export const identifier = (view: DataView, at: number): number => view.getUint16(at + 4)
/** Flags and fragment offset as they stand. */
export const fragment = (view: DataView, at: number): number => view.getUint16(at + 6)
export const timeToLive = (view: DataView, at: number): number => view.getUint8(at + 8)
export const protocol = (view: DataView, at: number): number => view.getUint8(at + 9)
export const checksum = (view: DataView, at: number): number => view.getUint16(at + 10)
export const source = (view: DataView, at: number): number => view.getInt32(at + 12)
export const destination = (view: DataView, at: number): number => view.getInt32(at + 16)

export function setChecksum(view: DataView, at: number, value: number): void {
  view.setUint16(at + 10, value)
}

/**
 * Writes a header of 20 bytes with its checksum, computed from the values and not read back.
 * @param tos DSCP and ECN
 * @param fragmentField flags and offset, as on the wire
 */
export function emit(
  view: DataView,
  at: number,
  tos: number,
  length: number,
  id: number,
  fragmentField: number,
  ttl: number,
  protocolNumber: number,
  from: number,
  to: number,
): void {
  const lifeAndProtocol = (ttl << 8) | protocolNumber
  const first = 0x4500 | tos
  let sum =
    first +
    length +
    id +
    fragmentField +
    lifeAndProtocol +
    (from >>> 16) +
    (from & 0xffff) +
    (to >>> 16) +
    (to & 0xffff)
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  view.setInt32(at, (first << 16) | length)
  view.setInt32(at + 4, (id << 16) | fragmentField)
  view.setInt32(at + 8, (lifeAndProtocol << 16) | (~sum & 0xffff))
  view.setInt32(at + 12, from)
  view.setInt32(at + 16, to)
}
