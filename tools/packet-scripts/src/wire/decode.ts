import { checksum, viewOf } from './bytes.ts'
import {
  ECN_NAMES,
  FLAG_BITS,
  FLAG_ORDER,
  type Packet,
  PROTOCOL_FRAGMENT,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  type Transport,
} from './packet.ts'
import { decodeOptions } from './tcp-options.ts'

/** Takes an IP packet apart, and looks at everything that can be wrong in it. @throws for what is no IP packet */
export function decode(bytes: Uint8Array): Packet {
  switch (bytes[0] >> 4) {
    case 4:
      return decodeIpv4(bytes)
    case 6:
      return decodeIpv6(bytes)
    default:
      throw new Error(`not an IP packet: it begins with ${bytes[0]}`)
  }
}

type Ip = Omit<Packet, 'transport' | 'defects'>

function decodeIpv4(bytes: Uint8Array): Packet {
  const view = viewOf(bytes)
  const defects: string[] = []
  const header = (bytes[0] & 15) * 4
  const total = view.getUint16(2)
  if (header < 20 || total < header || total > bytes.length) {
    throw new Error(`IPv4 packet of ${bytes.length} bytes with header ${header} and total length ${total}`)
  }
  if (total !== bytes.length) defects.push(`${bytes.length - total} bytes after the IPv4 packet`)
  if (checksum(bytes.subarray(0, header)) !== 0) defects.push('wrong IPv4 header checksum')
  const flags = view.getUint16(6)
  const offset = (flags & 0x1fff) * 8
  const more = (flags & 0x2000) !== 0
  const ip: Ip = {
    family: 4,
    bytes,
    source: bytes.slice(12, 16),
    destination: bytes.slice(16, 20),
    ttl: bytes[8],
    ecn: ECN_NAMES[bytes[1] & 3],
    df: (flags & 0x4000) !== 0,
    protocol: bytes[9],
    fragment: more || offset > 0 ? { offset, more } : undefined,
    payload: bytes.slice(header, total),
  }
  return { ...ip, transport: transportOf(ip, defects), defects }
}

/** Of extension headers only the fragment header is looked into. */
function decodeIpv6(bytes: Uint8Array): Packet {
  const view = viewOf(bytes)
  const defects: string[] = []
  const total = 40 + view.getUint16(4)
  if (total > bytes.length) throw new Error(`IPv6 packet of ${bytes.length} bytes with length ${total}`)
  if (total !== bytes.length) defects.push(`${bytes.length - total} bytes after the IPv6 packet`)
  const fragmented = bytes[6] === PROTOCOL_FRAGMENT
  const field = fragmented ? view.getUint16(42) : 0
  const ip: Ip = {
    family: 6,
    bytes,
    source: bytes.slice(8, 24),
    destination: bytes.slice(24, 40),
    ttl: bytes[7],
    ecn: ECN_NAMES[(bytes[1] >> 4) & 3],
    df: true,
    protocol: fragmented ? bytes[40] : bytes[6],
    fragment: fragmented ? { offset: field & 0xfff8, more: (field & 1) !== 0 } : undefined,
    payload: bytes.slice(fragmented ? 48 : 40, total),
  }
  return { ...ip, transport: transportOf(ip, defects), defects }
}

function transportOf(ip: Ip, defects: string[]): Transport {
  // Ports and checksum of a fragment are those of the whole datagram, which nobody has here.
  if (ip.fragment !== undefined) return { kind: 'other' }
  switch (ip.protocol) {
    case PROTOCOL_TCP:
      return decodeTcp(ip, defects)
    case PROTOCOL_UDP:
      return decodeUdp(ip, defects)
    case ip.family === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6:
      return decodeIcmp(ip, defects)
    default:
      return { kind: 'other' }
  }
}

function decodeTcp(ip: Ip, defects: string[]): Transport {
  const { payload } = ip
  const view = viewOf(payload)
  const header = payload.length < 20 ? 0 : (payload[12] >> 4) * 4
  if (header < 20 || header > payload.length) {
    defects.push(`TCP header of ${header} bytes in ${payload.length}`)
    return { kind: 'other' }
  }
  if (checksum(pseudoHeader(ip, PROTOCOL_TCP), payload) !== 0) defects.push('wrong TCP checksum')
  if ((payload[12] & 15) !== 0) defects.push('reserved bits of the TCP header are set')
  const options = decodeOptions(payload.subarray(20, header))
  if (options === undefined) defects.push('malformed TCP options')
  return {
    kind: 'tcp',
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    sequence: view.getUint32(4),
    acknowledgment: view.getUint32(8),
    flags: [...FLAG_ORDER].filter((letter) => (payload[13] & FLAG_BITS[letter]) !== 0).join(''),
    window: view.getUint16(14),
    urgent: view.getUint16(18),
    options: options ?? [],
    data: payload.slice(header),
  }
}

function decodeUdp(ip: Ip, defects: string[]): Transport {
  const { payload } = ip
  const view = viewOf(payload)
  if (payload.length < 8 || view.getUint16(4) !== payload.length) {
    defects.push(`UDP length field is wrong for ${payload.length} bytes`)
    return { kind: 'other' }
  }
  const sum = view.getUint16(6)
  if (sum === 0 && ip.family === 6) defects.push('UDP without a checksum over IPv6')
  if (sum !== 0 && checksum(pseudoHeader(ip, PROTOCOL_UDP), payload) !== 0) defects.push('wrong UDP checksum')
  return {
    kind: 'udp',
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    data: payload.slice(8),
    checksum: sum,
  }
}

function decodeIcmp(ip: Ip, defects: string[]): Transport {
  const { payload } = ip
  if (payload.length < 8) {
    defects.push(`ICMP message of ${payload.length} bytes`)
    return { kind: 'other' }
  }
  const pseudo = ip.family === 6 ? pseudoHeader(ip, PROTOCOL_ICMPV6) : new Uint8Array(0)
  if (checksum(pseudo, payload) !== 0) defects.push('wrong ICMP checksum')
  return {
    kind: 'icmp',
    type: payload[0],
    code: payload[1],
    rest: viewOf(payload).getUint32(4),
    data: payload.slice(8),
  }
}

/** RFC 9293 section 3.1, RFC 8200 section 8.1: the sum is the same with 32-bit length and next header in either family. */
export function pseudoHeader(
  ip: { readonly source: Uint8Array; readonly destination: Uint8Array; readonly payload: Uint8Array },
  protocol: number,
): Uint8Array {
  const size = ip.source.length
  const pseudo = new Uint8Array(2 * size + 8)
  pseudo.set(ip.source)
  pseudo.set(ip.destination, size)
  viewOf(pseudo).setUint32(2 * size, ip.payload.length)
  pseudo[2 * size + 7] = protocol
  return pseudo
}
