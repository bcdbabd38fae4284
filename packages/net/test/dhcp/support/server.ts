import * as dhcp from '../../../src/dhcp/message.ts'
import type { MacParts } from '../../../src/ethernet/mac.ts'
import { parseIpv4 } from '../../../src/ipv4/address.ts'

export interface Reply {
  readonly type: number
  readonly transaction: number
  readonly mac: MacParts
  readonly server: number
  /** 10.0.0.7 */
  readonly address?: string
  /** Seconds; 3600. */
  readonly duration?: number
  /** Further options, or others in place of ours, by code. */
  readonly options?: Readonly<Record<number, readonly number[]>>
}

/** A server's message, spelled out by byte. */
export function reply({
  type,
  transaction,
  mac,
  server,
  address = '10.0.0.7',
  duration = 3600,
  options,
}: Reply): Uint8Array {
  const bytes = new Uint8Array(240)
  const view = new DataView(bytes.buffer)
  bytes.set([2, 1, 6])
  view.setUint32(4, transaction)
  view.setInt32(16, type === dhcp.NAK ? 0 : parseIpv4(address))
  view.setInt32(28, mac.high)
  view.setUint16(32, mac.low)
  view.setUint32(236, 0x63825363)
  const word = (value: number) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
  const all: Record<number, readonly number[]> = {
    [dhcp.MESSAGE_TYPE]: [type],
    [dhcp.SERVER_IDENTIFIER]: word(server),
    [dhcp.LEASE_TIME]: word(duration),
    [dhcp.SUBNET_MASK]: [255, 255, 255, 0],
    [dhcp.ROUTER]: [10, 0, 0, 1],
    [dhcp.DNS_SERVERS]: [10, 0, 0, 53],
    [dhcp.DOMAIN_NAME]: [...new TextEncoder().encode('example.org')],
    ...options,
  }
  return Uint8Array.from([
    ...bytes,
    ...Object.entries(all).flatMap(([code, data]) => [Number(code), data.length, ...data]),
    255,
  ])
}
