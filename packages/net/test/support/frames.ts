import { parseMac } from '@parakernel/hal'
import { parseIpv4 } from '@parakernel/queue'
import { packetMemory } from '../../src/index.ts'

export const CLIENT_MAC = '02:00:00:00:00:02'
export const SERVER_MAC = '02:00:00:00:00:01'
export const BROADCAST = 'ff:ff:ff:ff:ff:ff'

/** Bytes from hexadecimal text; blanks are for the reader. */
export function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s/g, '')
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16))
}

/** The checksum of some bytes, computed the slow way: 16 bits at a time (RFC 1071 section 4.1). */
export function slowChecksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000)
  return ~sum & 0xffff
}

export interface Ipv4Fields {
  readonly source?: string
  readonly destination?: string
  readonly protocol?: number
  readonly ttl?: number
  readonly identifier?: number
  /** Flags and fragment offset as on the wire. */
  readonly fragment?: number
  readonly options?: Uint8Array
  /** Instead of the right ones. */
  readonly firstByte?: number
  readonly totalLength?: number
  readonly checksum?: number
}

export interface FrameFields extends Ipv4Fields {
  readonly to?: string
  readonly from?: string
  readonly type?: number
  /** Tag control information of an in-band tag. */
  readonly tag?: number
}

export interface UdpFields extends FrameFields {
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly payload?: Uint8Array
  /** Instead of the right ones. */
  readonly udpLength?: number
  readonly udpChecksum?: number
}

export function ipv4Packet(payload: Uint8Array, fields: Ipv4Fields = {}): Uint8Array {
  const options = fields.options ?? new Uint8Array(0)
  const header = 20 + options.length
  const packet = new Uint8Array(header + payload.length)
  const view = new DataView(packet.buffer)
  view.setUint8(0, fields.firstByte ?? 0x40 | (header / 4))
  view.setUint16(2, fields.totalLength ?? packet.length)
  view.setUint16(4, fields.identifier ?? 0)
  view.setUint16(6, fields.fragment ?? 0)
  view.setUint8(8, fields.ttl ?? 64)
  view.setUint8(9, fields.protocol ?? 17)
  view.setInt32(12, parseIpv4(fields.source ?? '10.0.0.2'))
  view.setInt32(16, parseIpv4(fields.destination ?? '10.0.0.1'))
  packet.set(options, 20)
  packet.set(payload, header)
  view.setUint16(10, fields.checksum ?? slowChecksum(packet.subarray(0, header)))
  return packet
}

export function ethernetFrame(payload: Uint8Array, fields: FrameFields = {}): Uint8Array {
  const tag = fields.tag === undefined ? [] : [0x81, 0x00, fields.tag >> 8, fields.tag & 255]
  const type = fields.type ?? 0x0800
  return Uint8Array.of(
    ...parseMac(fields.to ?? SERVER_MAC),
    ...parseMac(fields.from ?? CLIENT_MAC),
    ...tag,
    type >> 8,
    type & 255,
    ...payload,
  )
}

export function udpDatagram(fields: UdpFields = {}): Uint8Array {
  const payload = fields.payload ?? new Uint8Array(0)
  const datagram = new Uint8Array(8 + payload.length)
  const view = new DataView(datagram.buffer)
  view.setUint16(0, fields.sourcePort ?? 4000)
  view.setUint16(2, fields.destinationPort ?? 7)
  view.setUint16(4, fields.udpLength ?? datagram.length)
  datagram.set(payload, 8)
  view.setUint16(6, fields.udpChecksum ?? udpChecksumOf(datagram, fields))
  return datagram
}

/** With the pseudo-header laid out before it. */
function udpChecksumOf(datagram: Uint8Array, { source, destination }: Ipv4Fields): number {
  const pseudo = new Uint8Array(12)
  const view = new DataView(pseudo.buffer)
  view.setInt32(0, parseIpv4(source ?? '10.0.0.2'))
  view.setInt32(4, parseIpv4(destination ?? '10.0.0.1'))
  view.setUint16(8, 17)
  view.setUint16(10, datagram.length)
  return slowChecksum(Uint8Array.of(...pseudo, ...datagram)) || 0xffff
}

export function udpFrame(fields: UdpFields = {}): Uint8Array {
  return ethernetFrame(ipv4Packet(udpDatagram(fields), fields), fields)
}

export function icmpMessage(
  type: number,
  code: number,
  rest: number,
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const message = new Uint8Array(8 + data.length)
  const view = new DataView(message.buffer)
  message[0] = type
  message[1] = code
  view.setInt32(4, rest)
  message.set(data, 8)
  view.setUint16(2, slowChecksum(message))
  return message
}

export function arpPacket(
  operation: number,
  sender: { mac: string; address: string },
  target: { mac?: string; address: string },
): Uint8Array {
  const packet = new Uint8Array(28)
  const view = new DataView(packet.buffer)
  view.setInt32(0, 0x0001_0800)
  view.setUint16(4, 0x0604)
  view.setUint16(6, operation)
  packet.set(parseMac(sender.mac), 8)
  view.setInt32(14, parseIpv4(sender.address))
  packet.set(parseMac(target.mac ?? '00:00:00:00:00:00'), 18)
  view.setInt32(24, parseIpv4(target.address))
  return packet
}

/** Shared memory that holds some bytes from `at` on. */
export function memoryOf(bytes: Uint8Array, at = 0) {
  const memory = packetMemory(new SharedArrayBuffer((at + bytes.length + 7) & ~7))
  memory.bytes.set(bytes, at)
  return memory
}
