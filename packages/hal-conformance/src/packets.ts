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

/** The folded sum of big-endian words, an odd last byte padded with zero (RFC 1071). */
export function internetSum(bytes: Uint8Array, offset: number, length: number): number {
  return fold(sum(bytes, offset, length))
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
