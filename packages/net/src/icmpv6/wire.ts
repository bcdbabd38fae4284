/**
 * ICMPv6 (RFC 4443).
 *
 *      0      1      2          4                    8
 *     | type | code | checksum | rest of header     | data ...
 *
 * Errors have types below 128; the rest of their header is unused, an MTU (packet too big) or a pointer (parameter
 * problem), and their data is the packet in question. The checksum covers a pseudo-header.
 */
export const HEADER_LENGTH = 8
export const CHECKSUM = 2

export const DESTINATION_UNREACHABLE = 1
export const PACKET_TOO_BIG = 2
export const TIME_EXCEEDED = 3
export const PARAMETER_PROBLEM = 4
/** The first type that is no error (RFC 4443 section 2.1). */
export const INFORMATIONAL = 128
export const ECHO_REQUEST = 128
export const ECHO_REPLY = 129
export const MLD_QUERY = 130
export const MLD_V1_REPORT = 131
export const MLD_V1_DONE = 132
export const ROUTER_SOLICITATION = 133
export const ROUTER_ADVERTISEMENT = 134
export const NEIGHBOR_SOLICITATION = 135
export const NEIGHBOR_ADVERTISEMENT = 136
export const REDIRECT = 137
export const MLD_V2_REPORT = 143

/** Codes of destination unreachable (RFC 4443 section 3.1). */
export const NO_ROUTE = 0
export const ADMINISTRATIVELY_PROHIBITED = 1
export const BEYOND_SCOPE = 2
export const ADDRESS_UNREACHABLE = 3
export const PORT_UNREACHABLE = 4
export const POLICY_FAILED = 5
export const ROUTE_REJECTED = 6

/** Code of time exceeded (section 3.3): a datagram's fragments did not all come in time. */
export const REASSEMBLY_TIME = 1

/** Codes of parameter problem (section 3.4; RFC 7112 section 5 for the last). */
export const HEADER_FIELD = 0
export const UNKNOWN_NEXT_HEADER = 1
export const UNKNOWN_OPTION = 2
export const INCOMPLETE_CHAIN = 3

export const type = (view: DataView, at: number): number => view.getUint8(at)
export const code = (view: DataView, at: number): number => view.getUint8(at + 1)
export const checksum = (view: DataView, at: number): number => view.getUint16(at + CHECKSUM)
export const identifier = (view: DataView, at: number): number => view.getUint16(at + 4)
export const sequence = (view: DataView, at: number): number => view.getUint16(at + 6)
/** Of packet too big; as unsigned 32 bits. */
export const mtu = (view: DataView, at: number): number => view.getUint32(at + 4)

export const isError = (typeNumber: number): boolean => typeNumber < INFORMATIONAL

/** Writes type, code, a zero checksum and the rest of the header; the caller sums when the data is in place. */
export function emit(view: DataView, at: number, typeNumber: number, codeNumber: number, rest: number): void {
  view.setInt32(at, (typeNumber << 24) | (codeNumber << 16))
  view.setInt32(at + 4, rest)
}

export function setChecksum(view: DataView, at: number, value: number): void {
  view.setUint16(at + CHECKSUM, value)
}
