import { formatIp, formatIpv4, parseIp, type SocketAddress } from '@parakernel/queue'
import { AF_INET, AF_INET6 } from './linux-names.ts'

/** Reads a `sockaddr_in` or `sockaddr_in6`. Undefined for others. */
export function decodeAddress(bytes: Uint8Array): SocketAddress | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const family = bytes.length >= 8 ? view.getUint16(0, true) : 0
  if (family === AF_INET) return { address: formatIpv4(view.getInt32(4)), port: view.getUint16(2) }
  if (family !== AF_INET6 || bytes.length < 24) return undefined
  const words = Int32Array.from({ length: 4 }, (_, i) => view.getInt32(8 + 4 * i))
  // An IPv6 socket is told mapped addresses as they are.
  const mapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff
  return { address: mapped ? `::ffff:${formatIpv4(words[3])}` : formatIp(words), port: view.getUint16(2) }
}

export function encodeAddress({ address, port }: SocketAddress, family: number): Uint8Array {
  const words = parseIp(address)
  const bytes = new Uint8Array(family === AF_INET ? 16 : 28)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, family, true)
  view.setUint16(2, port)
  if (family === AF_INET) view.setInt32(4, words[3])
  else for (let i = 0; i < 4; i++) view.setInt32(8 + 4 * i, words[i])
  return bytes
}
