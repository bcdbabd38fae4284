import type { IpWords } from '@parakernel/queue'
import { same } from '../ipv6/address.ts'
import { MOMENT_HEARD } from '../tcp/timers.ts'
import type { NetInterface } from './interface.ts'
import type { TcpContext } from './tcp-context.ts'

/**
 * Whether a connection by way of an IPv6 neighbour has heard its peer in the last `within` nanoseconds, and is not
 * waiting for a retransmission: then the neighbour passes on what we send (RFC 4861 section 7.3.1). Looks at every
 * connection, and is asked once in a while: so segments need not tell.
 */
export function hasProgress(tcp: TcpContext, iface: NetInterface, neighbor: IpWords, within: number): boolean {
  for (const endpoint of tcp.endpoints.slots) {
    if (endpoint === undefined) continue
    const { path, connection } = endpoint
    if (path.family !== 6 || path.interface !== iface || !same(path.nextHop, neighbor)) continue
    if (connection.recovery.backoffs === 0 && connection.timers.since(MOMENT_HEARD, tcp.now) < within) return true
  }
  return false
}
