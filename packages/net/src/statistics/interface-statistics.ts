import {
  Counters,
  RX_BYTES,
  RX_DROPPED_FAULT,
  RX_DROPPED_FILTER,
  RX_DROPPED_NO_FRAME,
  RX_DROPPED_RING_FULL,
  RX_DROPPED_TOO_LONG,
  RX_PACKETS,
  TX_BYTES,
  TX_DROPPED,
  TX_INVALID_DESCRIPTORS,
  TX_PACKETS,
  TX_TOO_LONG,
  TX_UNSUPPORTED,
} from '@parakernel/hal'
import type { NetInterface } from '../stack/interface.ts'

/** What the stack counts of an interface, beside what its device counts: none of it on the fast path. */
export const INTERFACE_COUNTERS = [
  'ifInMulticastPkts',
  'ifInBroadcastPkts',
  'ifInUnknownProtos',
  'ifOutMulticastPkts',
  'ifOutBroadcastPkts',
] as const

export const IF_IN_MULTICAST_PKTS = 0
export const IF_IN_BROADCAST_PKTS = 1
export const IF_IN_UNKNOWN_PROTOS = 2
export const IF_OUT_MULTICAST_PKTS = 3
export const IF_OUT_BROADCAST_PKTS = 4

export class InterfaceCounters extends Counters<(typeof INTERFACE_COUNTERS)[number]> {
  constructor() {
    super(INTERFACE_COUNTERS)
  }
}

/**
 * The counters of RFC 2863 section 6 of one interface: what its devices' queues say, and what the stack saw. A unicast packet is one
 * that is to no group and not broadcast; received packets that a device has dropped are told by its counters alone.
 */
export function interfaceStatistics({ links, interfaceCounters }: NetInterface): Readonly<Record<string, number>> {
  const sum = (...indices: readonly number[]) => {
    let total = 0
    for (const { queue } of links) for (const index of indices) total += queue.counters.values[index]
    return total
  }
  const { ifInMulticastPkts, ifInBroadcastPkts, ifInUnknownProtos, ifOutMulticastPkts, ifOutBroadcastPkts } =
    interfaceCounters.snapshot()
  return {
    ifInOctets: sum(RX_BYTES),
    ifInUcastPkts: sum(RX_PACKETS) - ifInMulticastPkts - ifInBroadcastPkts,
    ifInMulticastPkts,
    ifInBroadcastPkts,
    ifInDiscards: sum(RX_DROPPED_NO_FRAME, RX_DROPPED_RING_FULL, RX_DROPPED_FAULT, RX_DROPPED_FILTER),
    ifInErrors: sum(RX_DROPPED_TOO_LONG),
    ifInUnknownProtos,
    ifOutOctets: sum(TX_BYTES),
    ifOutUcastPkts: sum(TX_PACKETS) - ifOutMulticastPkts - ifOutBroadcastPkts,
    ifOutMulticastPkts,
    ifOutBroadcastPkts,
    ifOutDiscards: sum(TX_DROPPED),
    ifOutErrors: sum(TX_INVALID_DESCRIPTORS, TX_TOO_LONG, TX_UNSUPPORTED),
  }
}
