import { parseIpAddress, parseMac } from '@parakernel/hal'

/** Packets built slowly and plainly, to hold the device's fast paths against. Sums are formed byte by byte, big-endian. */
export interface PacketSpec {
  readonly from: string
  readonly to: string
  readonly protocol?: 'udp' | 'tcp'
  readonly source?: string
  readonly destination?: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly payload?: Uint8Array
  readonly vlan?: number
  readonly id?: number
  readonly sequence?: number
  readonly tcpFlags?: number
  /** Bytes of TCP options, of IPv4 options: multiples of 4. */
  readonly tcpOptions?: number
  readonly ipOptions?: number
}

export function payloadOf(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 31 + (i >> 8)) & 0xff)
}

export function sum(bytes: Uint8Array): number {
  let total = 0
  for (let i = 0; i < bytes.length; i++) total += i % 2 ? bytes[i] : bytes[i] * 256
  while (total > 0xffff) total = (total % 0x10000) + Math.floor(total / 0x10000)
  return total
}

const word = (value: number) => [(value >> 8) & 0xff, value & 0xff]

/** Checksum of a transport segment whose checksum field is zero. */
function transportChecksum(addresses: readonly number[], protocol: number, segment: Uint8Array): number {
  return ~sum(Uint8Array.from([...addresses, 0, protocol, ...word(segment.length), ...segment])) & 0xffff
}

export interface Built {
  readonly bytes: Uint8Array
  readonly network: number
  readonly transport: number
  /** Where the payload starts. */
  readonly headers: number
}

export function build(spec: PacketSpec): Built {
  const { protocol = 'udp', sourcePort = 1000, destinationPort = 2000, payload = payloadOf(26), id = 7 } = spec
  const source = [...parseIpAddress(spec.source ?? '10.0.0.1')]
  const destination = [...parseIpAddress(spec.destination ?? '10.0.0.2')]
  const six = source.length === 16
  const number = protocol === 'udp' ? 17 : 6
  const { tcpOptions = 0, ipOptions = 0, sequence = 0x1000, tcpFlags = 0x10 } = spec
  const tcp = [
    ...[...word(sourcePort), ...word(destinationPort), ...word(sequence >>> 16), ...word(sequence & 0xffff)],
    ...[0, 0, 0, 1, (5 + tcpOptions / 4) << 4, tcpFlags, 0x10, 0, 0, 0, 0, 0, ...new Array<number>(tcpOptions).fill(1)],
  ]
  const udp = [...word(sourcePort), ...word(destinationPort), ...word(8 + payload.length), 0, 0]
  const segment = Uint8Array.from([...(protocol === 'udp' ? udp : tcp), ...payload])
  const checksum = transportChecksum([...source, ...destination], number, segment)
  segment.set(word(protocol === 'udp' && checksum === 0 ? 0xffff : checksum), protocol === 'udp' ? 6 : 16)
  const options = new Array<number>(ipOptions).fill(1)
  const ip4 = Uint8Array.from([
    ...[0x40 | (5 + ipOptions / 4), 0, ...word(20 + ipOptions + segment.length), ...word(id), 0x40, 0],
    ...[64, number, 0, 0, ...source, ...destination, ...options],
  ])
  ip4.set(word(~sum(ip4)), 10)
  const ip6 = [0x60, 0, 0, 0, ...word(segment.length), number, 64, ...source, ...destination]
  const tag = spec.vlan === undefined ? [] : [0x81, 0, ...word(spec.vlan)]
  const ethernet = [...parseMac(spec.to), ...parseMac(spec.from), ...tag, ...(six ? [0x86, 0xdd] : [8, 0])]
  const transport = ethernet.length + (six ? 40 : ip4.length)
  return {
    bytes: Uint8Array.from([...ethernet, ...(six ? ip6 : ip4), ...segment]),
    network: ethernet.length,
    transport,
    headers: transport + segment.length - payload.length,
  }
}

/** The packets that a sender without segmentation offload would have sent instead of a super-frame. */
export function cut(spec: PacketSpec & { readonly payload: Uint8Array }, size: number): Uint8Array[] {
  const { payload, id = 7, sequence = 0x1000, tcpFlags = 0x10 } = spec
  const packets: Uint8Array[] = []
  for (let at = 0, index = 0; at < payload.length; at += size, index++) {
    const last = at + size >= payload.length
    const flags = (last ? tcpFlags : tcpFlags & ~0x09) & (index === 0 ? 0xff : ~0x80)
    const part = payload.subarray(at, at + size)
    const built = build({
      ...spec,
      payload: part,
      id: (id + index) & 0xffff,
      sequence: (sequence + at) >>> 0,
      tcpFlags: flags,
    })
    packets.push(built.bytes)
  }
  return packets
}
