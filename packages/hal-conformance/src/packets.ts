import { type MacAddress, parseMac } from '@parakernel/hal'

/** Ethernet + IPv4 + UDP. */
export const HEADERS = 14 + 20 + 8
/** Marks the suite's own packets: other traffic on a wire (neighbour discovery, say) is passed over. */
const MAGIC = 0x706b6366
/** Magic, run and sequence. */
const STAMP = 12
export const SHORTEST = 60

export interface PacketOptions {
  readonly source: { readonly mac: MacAddress; readonly address: string; readonly port: number }
  readonly destination: { readonly mac: MacAddress; readonly address: string; readonly port: number }
  /** Distinguishes the packets of one test from those that an earlier one left on the wire. */
  readonly run: number
  readonly sequence: number
  /** Bytes of the whole frame, at least 60. */
  readonly length: number
  /** TCI of an 802.1Q tag, which makes the frame 4 bytes longer. */
  readonly vlan?: number
  /** What the UDP checksum field holds. Default `full`. */
  readonly checksum?: 'full' | 'partial' | 'wrong'
}

/** An Ethernet frame that carries a stamp and a pattern which follows from it. */
export function buildPacket(options: PacketOptions): Uint8Array {
  const { source, destination, run, sequence, length, vlan, checksum = 'full' } = options
  const shift = vlan === undefined ? 0 : 4
  const packet = new Uint8Array(length + shift)
  const view = new DataView(packet.buffer)
  packet.set(parseMac(destination.mac), 0)
  packet.set(parseMac(source.mac), 6)
  if (vlan !== undefined) {
    view.setUint16(12, 0x8100)
    view.setUint16(14, vlan)
  }
  view.setUint16(12 + shift, 0x0800)
  const ip = 14 + shift
  view.setUint8(ip, 0x45)
  view.setUint16(ip + 2, length - 14)
  view.setUint16(ip + 4, sequence & 0xffff)
  view.setUint16(ip + 6, 0x4000)
  view.setUint8(ip + 8, 64)
  view.setUint8(ip + 9, 17)
  packet.set(parseAddress(source.address), ip + 12)
  packet.set(parseAddress(destination.address), ip + 16)
  view.setUint16(ip + 10, fold(sum(packet, ip, 20)) ^ 0xffff)
  const udp = ip + 20
  const udpLength = length - 34
  view.setUint16(udp, source.port)
  view.setUint16(udp + 2, destination.port)
  view.setUint16(udp + 4, udpLength)
  const data = udp + 8
  view.setUint32(data, MAGIC)
  view.setUint32(data + 4, run)
  view.setUint32(data + 8, sequence)
  for (let i = data + STAMP; i < packet.length; i++) packet[i] = (sequence * 31 + i - shift) & 0xff
  const pseudo = sum(packet, ip + 12, 8) + 17 + udpLength
  const full = fold(pseudo + sum(packet, udp, udpLength)) ^ 0xffff || 0xffff
  // A wrong one differs in one bit and is never 0, which would mean that there is none.
  const wrong = full === 1 ? 3 : full ^ 1
  view.setUint16(udp + 6, checksum === 'full' ? full : checksum === 'wrong' ? wrong : fold(pseudo))
  return packet
}

export interface TcpPacket {
  readonly bytes: Uint8Array
  /** Bytes of headers, Ethernet included. */
  readonly headers: number
  /** Where the TCP header starts. */
  readonly tcp: number
}

/**
 * An Ethernet frame with `payload` bytes of TCP over IPv4 or IPv6 (documentation addresses), its checksum field partial: the
 * sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1).
 */
export function buildTcp(version: 4 | 6, source: MacAddress, destination: MacAddress, payload: number): TcpPacket {
  const ip = 14
  const tcp = ip + (version === 4 ? 20 : 40)
  const headers = tcp + 20
  const bytes = new Uint8Array(headers + payload)
  const view = new DataView(bytes.buffer)
  bytes.set(parseMac(destination), 0)
  bytes.set(parseMac(source), 6)
  view.setUint16(12, version === 4 ? 0x0800 : 0x86dd)
  if (version === 4) {
    view.setUint8(ip, 0x45)
    view.setUint16(ip + 2, bytes.length - ip)
    view.setUint16(ip + 4, 0x1234)
    view.setUint16(ip + 6, 0x4000)
    view.setUint8(ip + 8, 64)
    view.setUint8(ip + 9, 6)
    bytes.set([192, 0, 2, 1, 198, 51, 100, 2], ip + 12)
    view.setUint16(ip + 10, fold(sum(bytes, ip, 20)) ^ 0xffff)
  } else {
    view.setUint8(ip, 0x60)
    view.setUint16(ip + 4, 20 + payload)
    view.setUint8(ip + 6, 6)
    view.setUint8(ip + 7, 64)
    bytes.set([0x20, 0x01, 0x0d, 0xb8], ip + 8)
    bytes[ip + 23] = 1
    bytes.set([0x20, 0x01, 0x0d, 0xb8], ip + 24)
    bytes[ip + 39] = 2
  }
  view.setUint16(tcp, 40_000)
  view.setUint16(tcp + 2, 80)
  view.setUint32(tcp + 4, 0xffff_fe00)
  view.setUint32(tcp + 8, 77)
  view.setUint8(tcp + 12, 0x50)
  // FIN, PSH, ACK
  view.setUint8(tcp + 13, 0x19)
  view.setUint16(tcp + 14, 512)
  for (let i = headers; i < bytes.length; i++) bytes[i] = (i * 13) & 0xff
  view.setUint16(tcp + 16, fold(tcpPseudo(bytes, version) + 20 + payload))
  return { bytes, headers, tcp }
}

/** True when the TCP checksum holds, and the IPv4 header's where there is one. */
export function tcpChecksumHolds(packet: Uint8Array, version: 4 | 6): boolean {
  const tcp = 14 + (version === 4 ? 20 : 40)
  const length = packet.length - tcp
  const header = version === 6 || fold(sum(packet, 14, 20)) === 0xffff
  return header && fold(tcpPseudo(packet, version) + length + sum(packet, tcp, length)) === 0xffff
}

function tcpPseudo(packet: Uint8Array, version: 4 | 6): number {
  return 6 + (version === 4 ? sum(packet, 26, 8) : sum(packet, 22, 32))
}

/** The sequence number of a packet of this run, or -1 for any other traffic. A tag is looked through. */
export function sequenceOf(packet: Uint8Array, run: number): number {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  if (packet.length < HEADERS + STAMP) return -1
  const data = HEADERS + (view.getUint16(12) === 0x8100 ? 4 : 0)
  if (packet.length < data + STAMP || view.getUint32(data) !== MAGIC || view.getUint32(data + 4) !== run) return -1
  return view.getUint32(data + 8)
}

/** True when the checksum of an untagged IPv4 UDP packet is right. */
export function udpChecksumHolds(packet: Uint8Array): boolean {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const udpLength = view.getUint16(38)
  return fold(sum(packet, 26, 8) + 17 + udpLength + sum(packet, 34, udpLength)) === 0xffff
}

function sum(bytes: Uint8Array, offset: number, length: number): number {
  let total = 0
  for (let i = 0; i < length; i++) total += i % 2 === 0 ? bytes[offset + i] * 256 : bytes[offset + i]
  return total
}

function fold(total: number): number {
  let folded = total
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000)
  return folded
}

function parseAddress(text: string): number[] {
  return text.split('.').map(Number)
}
