import {
  DROP_OUT6_INVALID,
  DROP_OUT6_NEIGHBOR_UNREACHABLE,
  DROP_OUT6_NO_FRAME,
  DROP_OUT6_NO_ROUTE,
  type Ipv6Counters,
} from '../ipv6/counters.ts'
import {
  DROP_OUT_INVALID,
  DROP_OUT_NEIGHBOR_UNREACHABLE,
  DROP_OUT_NO_FRAME,
  DROP_OUT_NO_ROUTE,
  type StackCounters,
} from './counters.ts'

/** Counts a packet that is not sent, under the reason of its family. @param reason one of IPv4's */
export function dropOutgoing(
  { counters, counters6 }: { readonly counters: StackCounters; readonly counters6: Ipv6Counters },
  family: 4 | 6,
  reason: number,
): void {
  if (family === 4) counters.drop(reason)
  else counters6.drop(ofIpv6(reason))
}

function ofIpv6(reason: number): number {
  switch (reason) {
    case DROP_OUT_NO_ROUTE:
      return DROP_OUT6_NO_ROUTE
    case DROP_OUT_NEIGHBOR_UNREACHABLE:
      return DROP_OUT6_NEIGHBOR_UNREACHABLE
    case DROP_OUT_NO_FRAME:
      return DROP_OUT6_NO_FRAME
    case DROP_OUT_INVALID:
      return DROP_OUT6_INVALID
    default:
      throw new RangeError(`no such reason: ${reason}`)
  }
}
