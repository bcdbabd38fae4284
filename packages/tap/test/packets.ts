import { parseMac } from '@parakernel/hal'
import { parseAddress } from '@parakernel/linux'

/** Bytes of an Ethernet frame with a transport segment, for tests: only what devices and kernels look at. */
export interface SegmentFields {
  readonly protocol: 'tcp' | 'udp'
  readonly sourceMac: string
  readonly destinationMac: string
  readonly source: string
  readonly destination: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly payload: number
  readonly flags?: number
}

export interface BuiltSegment {
  readonly bytes: Uint8Array
  /** Where the transport header starts, and bytes of all headers. */
  readonly start: number
  readonly headers: number
  /** Where the checksum is, from `start`. */
  readonly checksum: number
}

/** The checksum field holds the sum of the pseudo-header, as for a device that computes the rest. */
export function buildSegment(fields: SegmentFields): BuiltSegment {
  const { protocol, payload, sourcePort = 5001, destinationPort = 5002, flags = 0x10 } = fields
  const source = parseAddress(fields.source) as Uint8Array
  const destination = parseAddress(fields.destination) as Uint8Array
  const v6 = source.length === 16
  const start = v6 ? 54 : 34
  const headers = start + (protocol === 'tcp' ? 20 : 8)
  const bytes = new Uint8Array(headers + payload)
  const view = new DataView(bytes.buffer)
  bytes.set(parseMac(fields.destinationMac), 0)
  bytes.set(parseMac(fields.sourceMac), 6)
  view.setUint16(12, v6 ? 0x86dd : 0x0800)
  const number = protocol === 'tcp' ? 6 : 17
  const length = bytes.length - start
  if (v6) {
    view.setUint8(14, 0x60)
    view.setUint16(18, length)
    view.setUint8(20, number)
    view.setUint8(21, 64)
    bytes.set(source, 22)
    bytes.set(destination, 38)
  } else {
    view.setUint8(14, 0x45)
    view.setUint16(16, bytes.length - 14)
    view.setUint8(22, 64)
    view.setUint8(23, number)
    bytes.set(source, 26)
    bytes.set(destination, 30)
    view.setUint16(24, ~sum(bytes, 14, 34) & 0xffff)
  }
  view.setUint16(start, sourcePort)
  view.setUint16(start + 2, destinationPort)
  if (protocol === 'tcp') {
    view.setUint32(start + 4, 1_000_000)
    view.setUint8(start + 12, 0x50)
    view.setUint8(start + 13, flags)
    view.setUint16(start + 14, 4000)
  } else view.setUint16(start + 4, length)
  for (let i = headers; i < bytes.length; i++) bytes[i] = (i * 7) & 0xff
  const checksum = protocol === 'tcp' ? 16 : 6
  view.setUint16(start + checksum, pseudoSum(bytes, start, number))
  return { bytes, start, headers, checksum }
}

/** Whether the transport checksum of a frame is right, and the IPv4 header's where there is one. */
export function checksumHolds(bytes: Uint8Array): boolean {
  const v6 = bytes[12] === 0x86
  const start = v6 ? 54 : 34
  const number = bytes[v6 ? 20 : 23]
  if (!v6 && sum(bytes, 14, 34) !== 0xffff) return false
  return fold(pseudoSum(bytes, start, number) + sum(bytes, start, bytes.length)) === 0xffff
}

function pseudoSum(bytes: Uint8Array, start: number, protocol: number): number {
  const addresses = start === 54 ? sum(bytes, 22, 54) : sum(bytes, 26, 34)
  return fold(addresses + protocol + bytes.length - start)
}

function sum(bytes: Uint8Array, from: number, to: number): number {
  let total = 0
  for (let i = from; i < to; i += 2) total += (bytes[i] << 8) | (i + 1 < to ? bytes[i + 1] : 0)
  return fold(total)
}

function fold(total: number): number {
  let folded = total
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000)
  return folded
}
