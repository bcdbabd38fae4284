import { type IpWords, isMulticast, isUnicastHost } from '../ipv6/address.ts'
import { isExtension } from '../ipv6/extension-headers.ts'
import * as fragment from '../ipv6/fragment.ts'
import * as ipv6 from '../ipv6/wire.ts'
import * as icmpv6 from './wire.ts'

const source = new Int32Array(4) as IpWords
const destination = new Int32Array(4) as IpWords

/**
 * Whether an ICMPv6 error may be sent about the packet at `at` (RFC 4443 section 2.4 e): not about an ICMPv6 error or
 * a redirect, not about what went to a group of either layer, and only to a single host.
 * @param length bytes of the packet that are at hand
 * @param linkGroup it came to a link-layer group address
 * @param evenToGroup packet too big, and parameter problems about options of action 10, are allowed about groups too
 */
export function mayReport(
  view: DataView,
  at: number,
  length: number,
  linkGroup: boolean,
  evenToGroup: boolean,
): boolean {
  if (length < ipv6.HEADER_LENGTH) return false
  ipv6.readAddress(view, at + ipv6.SOURCE, source)
  ipv6.readAddress(view, at + ipv6.DESTINATION, destination)
  if (!isUnicastHost(source)) return false
  if ((linkGroup || isMulticast(destination)) && !evenToGroup) return false
  // To the upper layer, past whatever is wrong on the way.
  const end = at + length
  let next = ipv6.nextHeader(view, at)
  let header = at + ipv6.HEADER_LENGTH
  while (isExtension(next) && header + 8 <= end) {
    const isFragment = next === ipv6.NEXT_FRAGMENT
    next = view.getUint8(header)
    // What a later fragment is of does not show: it might be of an error.
    if (isFragment && (fragment.field(view, header) & fragment.OFFSET_MASK) !== 0) return next !== ipv6.NEXT_ICMPV6
    header += isFragment ? fragment.HEADER_LENGTH : (view.getUint8(header + 1) + 1) << 3
  }
  if (next !== ipv6.NEXT_ICMPV6) return true
  // A message too short to show its type might be an error.
  if (header >= end) return false
  const type = icmpv6.type(view, header)
  return !icmpv6.isError(type) && type !== icmpv6.REDIRECT
}
