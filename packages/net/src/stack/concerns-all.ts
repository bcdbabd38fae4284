import * as ethernet from '../ethernet/wire.ts'
import * as icmp from '../icmp/wire.ts'
import * as icmpv6 from '../icmpv6/wire.ts'
import * as ipv4 from '../ipv4/wire.ts'
import * as ipv6 from '../ipv6/wire.ts'

/**
 * Whether a packet is one that every partition of an address wants to hear of, though a device brings it to one queue only. What asks
 * for an answer (echo requests, neighbour solicitations) is not: one answer is enough. Looks at no more than the kind of packet;
 * who has no use for it finds that out by himself.
 * @param linkGroup it came to a link-layer group address
 * @param length bytes from `at`, where the IP header begins
 */
export function concernsAll(view: DataView, at: number, length: number, type: number, linkGroup: boolean): boolean {
  if (type === ethernet.TYPE_IPV4) {
    if (length < ipv4.HEADER_LENGTH) return false
    const protocol = ipv4.protocol(view, at)
    if (linkGroup) return protocol === ipv4.PROTOCOL_UDP || protocol === ipv4.PROTOCOL_IGMP
    const message = at + ipv4.headerLength(view, at)
    if (protocol !== ipv4.PROTOCOL_ICMP || message >= at + length) return false
    const kind = icmp.type(view, message)
    return kind === icmp.ECHO_REPLY || icmp.isError(kind)
  }
  if (type !== ethernet.TYPE_IPV6 || length <= ipv6.HEADER_LENGTH) return false
  const next = ipv6.nextHeader(view, at)
  if (next === ipv6.NEXT_ICMPV6) {
    const kind = icmpv6.type(view, at + ipv6.HEADER_LENGTH)
    return icmpv6.isError(kind) || ALL_WANT.includes(kind)
  }
  // MLD stands behind a hop-by-hop header.
  return linkGroup && (next === ipv6.NEXT_UDP || next === ipv6.NEXT_FRAGMENT || next === ipv6.NEXT_HOP_BY_HOP)
}

const ALL_WANT = [icmpv6.ECHO_REPLY, icmpv6.ROUTER_ADVERTISEMENT, icmpv6.NEIGHBOR_ADVERTISEMENT, icmpv6.REDIRECT]
