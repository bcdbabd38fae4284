/**
 * ICMP (RFC 792).
 *
 *      0      1      2          4                    8
 *     | type | code | checksum | rest of header     | data ...
 *
 * Echo: identifier at 4, sequence number at 6. Errors: 4 unused bytes (next-hop MTU at 6 in fragmentation needed, RFC 1191), then
 * the header and at least 8 bytes of the datagram in question.
 */
export const HEADER_LENGTH = 8

export const ECHO_REPLY = 0
export const DESTINATION_UNREACHABLE = 3
export const SOURCE_QUENCH = 4
export const REDIRECT = 5
export const ECHO_REQUEST = 8
export const TIME_EXCEEDED = 11
export const PARAMETER_PROBLEM = 12

/** Codes of destination unreachable (RFC 792, RFC 1122 section 3.2.2.1). */
export const NET_UNREACHABLE = 0
export const HOST_UNREACHABLE = 1
export const PROTOCOL_UNREACHABLE = 2
export const PORT_UNREACHABLE = 3
export const FRAGMENTATION_NEEDED = 4
export const HOST_PROHIBITED = 10
export const ADMINISTRATIVELY_PROHIBITED = 13

/** Code of time exceeded: a datagram's fragments did not all come in time. */
export const REASSEMBLY_TIME = 1

export const type = (view: DataView, at: number): number => view.getUint8(at)
export const code = (view: DataView, at: number): number => view.getUint8(at + 1)
export const checksum = (view: DataView, at: number): number => view.getUint16(at + 2)
export const identifier = (view: DataView, at: number): number => view.getUint16(at + 4)
export const sequence = (view: DataView, at: number): number => view.getUint16(at + 6)
export const nextHopMtu = (view: DataView, at: number): number => view.getUint16(at + 6)

/** Writes type, code, a zero checksum and the rest of the header; the caller sums when the data is in place. */
export function emit(view: DataView, at: number, typeNumber: number, codeNumber: number, rest: number): void {
  view.setUint8(at, typeNumber)
  view.setUint8(at + 1, codeNumber)
  view.setUint16(at + 2, 0)
  view.setInt32(at + 4, rest)
}

export function setChecksum(view: DataView, at: number, value: number): void {
  view.setUint16(at + 2, value)
}

/** The messages that report about another datagram, and about which nothing may be reported (RFC 1122 section 3.2.2). */
export function isError(typeNumber: number): boolean {
  return (
    typeNumber === DESTINATION_UNREACHABLE ||
    typeNumber === SOURCE_QUENCH ||
    typeNumber === REDIRECT ||
    typeNumber === TIME_EXCEEDED ||
    typeNumber === PARAMETER_PROBLEM
  )
}
