import { parseMac } from '@parakernel/hal'

interface Ends {
  readonly guestMac: string
  readonly guestAddress: string
  readonly hostMac: string
  readonly hostAddress: string
}

/** A port that nobody listens at: the kernel answers with a reset. */
const CLOSED_PORT = 9

const address = (text: string) => Uint8Array.from(text.split('.'), Number)

/** A TCP segment that asks for a connection (RFC 9293, section 3.1), in IPv4 in Ethernet. */
export function synPacket(ends: Ends, sourcePort: number, sequence: number): Uint8Array {
  const { guestMac, guestAddress, hostMac, hostAddress } = ends
  const packet = new Uint8Array(60)
  const view = new DataView(packet.buffer)
  packet.set(parseMac(hostMac), 0)
  packet.set(parseMac(guestMac), 6)
  view.setUint16(12, 0x0800)
  view.setUint16(14, 0x4500)
  view.setUint16(16, 40)
  view.setUint16(22, 64 * 256 + 6)
  packet.set(address(guestAddress), 26)
  packet.set(address(hostAddress), 30)
  view.setUint16(24, checksum(view, 14, 20, 0))
  view.setUint16(34, sourcePort)
  view.setUint16(36, CLOSED_PORT)
  view.setUint32(38, sequence)
  // Five words of header, SYN.
  view.setUint16(46, 0x5002)
  view.setUint16(48, 1024)
  // The pseudo-header: both addresses, the protocol, the length.
  view.setUint16(50, checksum(view, 26, 28, 6 + 20))
  return packet
}

/** Our port of the connection that the other side refused in answer to a `sequence`, or -1 for another packet. */
export function refusedPort(packet: DataView, sequence: number): number {
  if (packet.byteLength < 54 || packet.getUint16(12) !== 0x0800 || packet.getUint8(23) !== 6) return -1
  const reset = (packet.getUint8(47) & 4) !== 0 && packet.getUint16(34) === CLOSED_PORT
  return reset && packet.getUint32(42) === sequence + 1 ? packet.getUint16(36) : -1
}

function checksum(view: DataView, from: number, length: number, start: number): number {
  let sum = start
  for (let at = from; at < from + length; at += 2) sum += view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
