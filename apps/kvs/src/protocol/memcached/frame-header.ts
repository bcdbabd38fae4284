/*
 * memcached's UDP frame: eight bytes before the text of every datagram, four u16 in network order (protocol.txt, "UDP
 * protocol"): request id (the client's, echoed), sequence number of this datagram, datagrams in the message, reserved (0).
 */

export const FRAME_HEADER_BYTES = 8
/** memcached's own choice (UDP_MAX_PAYLOAD_SIZE): header and text of one datagram. */
export const MAX_DATAGRAM_BYTES = 1400

export function requestIdOf(view: DataView, at: number): number {
  return view.getUint16(at)
}

/** Datagrams that a message consists of; servers take requests of 1 only. */
export function totalOf(view: DataView, at: number): number {
  return view.getUint16(at + 4)
}

export function writeFrameHeader(view: DataView, at: number, id: number, sequence: number, total: number): void {
  view.setUint16(at, id)
  view.setUint16(at + 2, sequence)
  view.setUint16(at + 4, total)
  view.setUint16(at + 6, 0)
}
