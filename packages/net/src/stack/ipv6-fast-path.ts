import type { IpWords } from '@parakernel/queue'
import * as ipv6 from '../ipv6/wire.ts'
import type { NetInterface } from './interface.ts'

/** First word of `::`, `::1` and mapped addresses; no global or link-local address begins so. */
const RESERVED = 0

/**
 * Whether the packet at `at` is plain IPv6 from another host to one of the interface's own addresses: no extension headers but `next`
 * itself at once, whole, with addresses that need no second look. Everything else, what is wrong included, is the slow path's.
 * @param room bytes that the frame holds from there
 */
export function isPlainIpv6(view: DataView, at: number, room: number, next: number, iface: NetInterface): boolean {
  const word1 = view.getInt32(at + 4)
  const sourceHigh = view.getInt32(at + ipv6.SOURCE)
  return (
    view.getInt32(at) >>> 28 === 6 &&
    ((word1 >>> 8) & 0xff) === next &&
    ipv6.HEADER_LENGTH + (word1 >>> 16) <= room &&
    sourceHigh !== RESERVED &&
    sourceHigh >>> 24 !== 0xff &&
    isOneOf(view, at + ipv6.DESTINATION, iface.addresses6) &&
    !isOneOf(view, at + ipv6.SOURCE, iface.addresses6)
  )
}

/** Whether the address at `at` is one of some. */
function isOneOf(view: DataView, at: number, addresses: readonly IpWords[]): boolean {
  for (let i = 0; i < addresses.length; i++) if (ipv6.isAddressAt(view, at, addresses[i])) return true
  return false
}
