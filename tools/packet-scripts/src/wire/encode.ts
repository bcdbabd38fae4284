import { checksum, concat, viewOf } from './bytes.ts'
import { pseudoHeader } from './decode.ts'
import { ECN_NAMES, FLAG_BITS, PROTOCOL_FRAGMENT, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from './packet.ts'

export interface IpFields {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly ttl: number
  readonly ecn: (typeof ECN_NAMES)[number]
  readonly df: boolean
  /** Bytes of the payload that go into this fragment, from and to. */
  readonly fragment: { readonly from: number; readonly to: number } | undefined
  /** The same for the fragments of one datagram. */
  readonly identifier: number
}

/** An IP packet around a transport's packet, or the fragment of it that is asked for. */
export function ipPacket(fields: IpFields, protocol: number, payload: Uint8Array): Uint8Array {
  return fields.source.length === 4 ? ipv4(fields, protocol, payload) : ipv6(fields, protocol, payload)
}

function ipv4(fields: IpFields, protocol: number, whole: Uint8Array): Uint8Array {
  const { fragment } = fields
  const payload = fragment === undefined ? whole : whole.slice(fragment.from, fragment.to)
  const header = new Uint8Array(20)
  const view = viewOf(header)
  header[0] = 0x45
  header[1] = ECN_NAMES.indexOf(fields.ecn)
  view.setUint16(2, 20 + payload.length)
  view.setUint16(4, fields.identifier)
  const more = fragment !== undefined && fragment.to < whole.length ? 0x2000 : 0
  view.setUint16(6, (fields.df ? 0x4000 : 0) | more | ((fragment?.from ?? 0) >> 3))
  header[8] = fields.ttl
  header[9] = protocol
  header.set(fields.source, 12)
  header.set(fields.destination, 16)
  view.setUint16(10, checksum(header))
  return concat(header, payload)
}

function ipv6(fields: IpFields, protocol: number, whole: Uint8Array): Uint8Array {
  const { fragment } = fields
  const extension = new Uint8Array(fragment === undefined ? 0 : 8)
  if (fragment !== undefined) {
    extension[0] = protocol
    viewOf(extension).setUint16(2, fragment.from | (fragment.to < whole.length ? 1 : 0))
    viewOf(extension).setUint32(4, fields.identifier)
  }
  const payload = fragment === undefined ? whole : whole.slice(fragment.from, fragment.to)
  const header = new Uint8Array(40)
  header[0] = 0x60
  header[1] = ECN_NAMES.indexOf(fields.ecn) << 4
  viewOf(header).setUint16(4, extension.length + payload.length)
  header[6] = fragment === undefined ? protocol : PROTOCOL_FRAGMENT
  header[7] = fields.ttl
  header.set(fields.source, 8)
  header.set(fields.destination, 24)
  return concat(header, extension, payload)
}

export interface TcpFields {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgment: number
  readonly flags: string
  readonly window: number
  readonly urgent: number
  readonly dataOffset: number | undefined
  /** Padded to words. */
  readonly options: Uint8Array
  readonly data: Uint8Array
}

export function tcpSegment(ip: IpFields, fields: TcpFields): Uint8Array {
  const segment = concat(new Uint8Array(20), fields.options, fields.data)
  const view = viewOf(segment)
  view.setUint16(0, fields.sourcePort)
  view.setUint16(2, fields.destinationPort)
  view.setUint32(4, fields.sequence)
  view.setUint32(8, fields.acknowledgment)
  segment[12] = (fields.dataOffset ?? 5 + fields.options.length / 4) << 4
  for (const letter of fields.flags) segment[13] |= FLAG_BITS[letter]
  view.setUint16(14, fields.window)
  view.setUint16(18, fields.urgent)
  view.setUint16(16, checksum(pseudoHeader({ ...ip, payload: segment }, PROTOCOL_TCP), segment))
  return segment
}

export function udpDatagram(
  ip: IpFields,
  sourcePort: number,
  destinationPort: number,
  data: Uint8Array,
  { length = 8 + data.length, sum = true }: { readonly length?: number; readonly sum?: boolean } = {},
): Uint8Array {
  const datagram = concat(new Uint8Array(8), data)
  const view = viewOf(datagram)
  view.setUint16(0, sourcePort)
  view.setUint16(2, destinationPort)
  view.setUint16(4, length)
  if (sum) view.setUint16(6, checksum(pseudoHeader({ ...ip, payload: datagram }, PROTOCOL_UDP), datagram) || 0xffff)
  return datagram
}

export function icmpMessage(ip: IpFields, type: number, code: number, rest: number, data: Uint8Array): Uint8Array {
  const message = concat(new Uint8Array(8), data)
  const view = viewOf(message)
  message[0] = type
  message[1] = code
  view.setUint32(4, rest)
  const pseudo =
    ip.source.length === 16 ? pseudoHeader({ ...ip, payload: message }, PROTOCOL_ICMPV6) : new Uint8Array(0)
  view.setUint16(2, checksum(pseudo, message))
  return message
}
