import { parseMac } from '@parakernel/hal'
import { parseIpv6 } from '@parakernel/queue'
import { packetMemory } from '../../../src/index.ts'
import { CLIENT_MAC, SERVER_MAC, slowChecksum } from '../../support/frames.ts'

export interface Ipv6Fields {
  readonly source?: string
  readonly destination?: string
  readonly nextHeader?: number
  readonly hopLimit?: number
  readonly trafficClass?: number
  /** Instead of the right ones. */
  readonly firstByte?: number
  readonly payloadLength?: number
}

export interface Frame6Fields extends Ipv6Fields {
  readonly to?: string
  readonly from?: string
}

export const HOST = '2001:db8::1'
export const PEER = '2001:db8::2'

export function addressBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  parseIpv6(text).forEach((word, i) => {
    view.setInt32(4 * i, word)
  })
  return bytes
}

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

export function ipv6Packet(payload: Uint8Array, fields: Ipv6Fields = {}): Uint8Array {
  const packet = concat(
    [fields.firstByte ?? 0x60 | ((fields.trafficClass ?? 0) >> 4), ((fields.trafficClass ?? 0) & 15) << 4, 0, 0],
    u16(fields.payloadLength ?? payload.length),
    [fields.nextHeader ?? 17, fields.hopLimit ?? 64],
    addressBytes(fields.source ?? PEER),
    addressBytes(fields.destination ?? HOST),
    payload,
  )
  return packet
}

/** Checksum over a pseudo-header laid out before the bytes (RFC 8200 section 8.1). */
export function checksum6(bytes: Uint8Array, next: number, source = PEER, destination = HOST): number {
  return slowChecksum(
    concat(addressBytes(source), addressBytes(destination), u32(bytes.length), [0, 0, 0, next], bytes),
  )
}

export function icmpv6Message(
  type: number,
  code: number,
  body: Uint8Array | readonly number[],
  { source, destination }: Ipv6Fields = {},
): Uint8Array {
  const message = concat([type, code, 0, 0], body)
  const sum = checksum6(message, 58, source, destination)
  message[2] = sum >> 8
  message[3] = sum & 255
  return message
}

export function udp6(payload: Uint8Array, fields: Ipv6Fields & { sourcePort?: number; destinationPort?: number } = {}) {
  const { sourcePort = 4000, destinationPort = 7, source, destination } = fields
  const datagram = concat(u16(sourcePort), u16(destinationPort), u16(payload.length + 8), [0, 0], payload)
  const sum = checksum6(datagram, 17, source, destination) || 0xffff
  datagram[6] = sum >> 8
  datagram[7] = sum & 255
  return datagram
}

export function frame6(packet: Uint8Array, { to = SERVER_MAC, from = CLIENT_MAC }: Frame6Fields = {}): Uint8Array {
  return concat(parseMac(to), parseMac(from), [0x86, 0xdd], packet)
}

/** A fragment header (RFC 8200 section 4.5). `offset` in bytes. */
export function fragmentHeader(next: number, offset: number, more: boolean, id: number): Uint8Array {
  return concat([next, 0], u16(offset | (more ? 1 : 0)), u32(id))
}

/** A hop-by-hop or destination options header around options that are already padded to 8n + 6 bytes. */
export function optionsHeader(next: number, options: readonly number[]): Uint8Array {
  return concat([next, (options.length + 2) / 8 - 1], options)
}

export function u16(value: number): number[] {
  return [value >> 8, value & 255]
}

export function u32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
}

/** A link-layer address option. */
export function linkLayerOption(type: 1 | 2, mac: string): Uint8Array {
  return concat([type, 1], parseMac(mac))
}

/** Shared memory that holds some bytes from `at` on. */
export function memoryAt(bytes: Uint8Array, at = 0) {
  const memory = packetMemory(new SharedArrayBuffer((at + bytes.length + 7) & ~7))
  memory.bytes.set(bytes, at)
  return memory
}

/** Fields of an IPv6 packet, for comparison. */
export function readIpv6(packet: Uint8Array) {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  return {
    trafficClass: (view.getUint16(0) >>> 4) & 0xff,
    next: packet[6],
    hopLimit: packet[7],
    source: textAt(packet, 8),
    destination: textAt(packet, 24),
    payload: packet.slice(40, 40 + view.getUint16(4)),
  }
}

export function textAt(bytes: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[at + 2 * i] << 8) | bytes[at + 2 * i + 1]).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
