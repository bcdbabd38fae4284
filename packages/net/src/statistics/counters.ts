import { Counters } from '@parakernel/hal'

/**
 * Every counter of the stack as `group.name`, in the order of the indices below. Groups `ip` (RFC 4293), `icmp` (RFC 1213) and
 * `udp` (RFC 4113) carry MIB names; `arp` and `igmp` have no such MIB objects and follow their manner; `drop` says of each
 * packet that was not delivered or sent why, beside the MIB counter that it belongs to.
 */
export const STACK_COUNTERS = [
  'ip.ipSystemStatsInReceives',
  'ip.ipSystemStatsInHdrErrors',
  'ip.ipSystemStatsInAddrErrors',
  'ip.ipSystemStatsInUnknownProtos',
  'ip.ipSystemStatsInTruncatedPkts',
  'ip.ipSystemStatsInDiscards',
  'ip.ipSystemStatsInDelivers',
  'ip.ipSystemStatsInMcastPkts',
  'ip.ipSystemStatsInBcastPkts',
  'ip.ipSystemStatsReasmReqds',
  'ip.ipSystemStatsReasmOKs',
  'ip.ipSystemStatsReasmFails',
  'ip.ipSystemStatsOutRequests',
  'ip.ipSystemStatsOutNoRoutes',
  'ip.ipSystemStatsOutDiscards',
  'ip.ipSystemStatsOutMcastPkts',
  'ip.ipSystemStatsOutBcastPkts',
  'ip.ipSystemStatsOutFragReqds',
  'ip.ipSystemStatsOutFragOKs',
  'ip.ipSystemStatsOutFragFails',
  'ip.ipSystemStatsOutFragCreates',
  'icmp.icmpInMsgs',
  'icmp.icmpInErrors',
  'icmp.icmpInDestUnreachs',
  'icmp.icmpInTimeExcds',
  'icmp.icmpInParmProbs',
  'icmp.icmpInSrcQuenchs',
  'icmp.icmpInRedirects',
  'icmp.icmpInEchos',
  'icmp.icmpInEchoReps',
  'icmp.icmpOutMsgs',
  'icmp.icmpOutErrors',
  'icmp.icmpOutDestUnreachs',
  'icmp.icmpOutTimeExcds',
  'icmp.icmpOutEchos',
  'icmp.icmpOutEchoReps',
  'udp.udpInDatagrams',
  'udp.udpNoPorts',
  'udp.udpInErrors',
  'udp.udpOutDatagrams',
  'arp.arpInRequests',
  'arp.arpInReplies',
  'arp.arpInErrors',
  'arp.arpOutRequests',
  'arp.arpOutReplies',
  'arp.arpOutAnnouncements',
  'arp.arpConflicts',
  'arp.arpResolved',
  'arp.arpFailed',
  'arp.arpEvicted',
  'arp.arpLearnedFromSiblings',
  'igmp.igmpInQueries',
  'igmp.igmpInReports',
  'igmp.igmpInErrors',
  'igmp.igmpOutReports',
  'igmp.igmpOutLeaves',
  'drop.linkRuntFrame',
  'drop.linkForeignDestination',
  'drop.linkForeignVlan',
  'drop.linkUnknownEtherType',
  'drop.linkChainTooLong',
  'drop.linkNoFrame',
  'drop.ipTruncated',
  'drop.ipBadVersion',
  'drop.ipBadHeaderLength',
  'drop.ipBadTotalLength',
  'drop.ipBadChecksum',
  'drop.ipBadOption',
  'drop.ipBadSource',
  'drop.ipForeignDestination',
  'drop.ipLinkBroadcastUnicast',
  'drop.ipSourceRoute',
  'drop.ipUnknownProtocol',
  'drop.ipNotMember',
  'drop.ipFragmentMisaligned',
  'drop.ipFragmentTiny',
  'drop.ipFragmentOverlap',
  'drop.ipFragmentTooLong',
  'drop.ipFragmentExhausted',
  'drop.ipFragmentTimeout',
  'drop.ipReassembledTooLong',
  'drop.udpTruncated',
  'drop.udpBadLength',
  'drop.udpBadChecksum',
  'drop.udpPortClosed',
  'drop.udpOtherPartition',
  'drop.udpNotPeer',
  'drop.udpQueueFull',
  'drop.udpPoolLow',
  'drop.icmpTruncated',
  'drop.icmpBadChecksum',
  'drop.icmpNotOurs',
  'drop.icmpRateLimited',
  'drop.icmpForbidden',
  'drop.icmpUnknownType',
  'drop.icmpBroadcastEcho',
  'drop.arpMalformed',
  'drop.arpBadSender',
  'drop.igmpMalformed',
  'drop.outBacklogFull',
  'drop.outRefused',
  'drop.outNoFrame',
  'drop.outNeighborQueueFull',
  'drop.outNeighborUnreachable',
  'drop.outNoRoute',
  'drop.outInvalid',
  'drop.icmpErrorQueueFull',
  'drop.linkHandOffTooLong',
  'drop.linkHandOffLost',
  'udp.copiedOut',
] as const

export type StackCounter = (typeof STACK_COUNTERS)[number]

export class StackCounters extends Counters<StackCounter> {
  constructor() {
    super(STACK_COUNTERS)
  }

  /** Counts a packet that goes no further: under its reason, and under the MIB counter that the reason belongs to. */
  drop(reason: number): void {
    this.values[reason]++
    const mib = MIB_OF_DROP[reason - FIRST_DROP]
    if (mib >= 0) this.values[mib]++
  }

  /** `{ ip: { ipSystemStatsInReceives: 1, ... }, udp: { ... }, ... }` */
  byGroup(): Record<string, Record<string, number>> {
    const groups: Record<string, Record<string, number>> = {}
    this.names.forEach((name, i) => {
      const [group, counter] = name.split('.')
      groups[group] ??= {}
      groups[group][counter] = this.values[i]
    })
    return groups
  }
}

export const IP_IN_RECEIVES = 0
export const IP_IN_HDR_ERRORS = 1
export const IP_IN_ADDR_ERRORS = 2
export const IP_IN_UNKNOWN_PROTOS = 3
export const IP_IN_TRUNCATED_PKTS = 4
export const IP_IN_DISCARDS = 5
export const IP_IN_DELIVERS = 6
export const IP_IN_MCAST_PKTS = 7
export const IP_IN_BCAST_PKTS = 8
export const IP_REASM_REQDS = 9
export const IP_REASM_OKS = 10
export const IP_REASM_FAILS = 11
export const IP_OUT_REQUESTS = 12
export const IP_OUT_NO_ROUTES = 13
export const IP_OUT_DISCARDS = 14
export const IP_OUT_MCAST_PKTS = 15
export const IP_OUT_BCAST_PKTS = 16
export const IP_OUT_FRAG_REQDS = 17
export const IP_OUT_FRAG_OKS = 18
export const IP_OUT_FRAG_FAILS = 19
export const IP_OUT_FRAG_CREATES = 20
export const ICMP_IN_MSGS = 21
export const ICMP_IN_ERRORS = 22
export const ICMP_IN_DEST_UNREACHS = 23
export const ICMP_IN_TIME_EXCDS = 24
export const ICMP_IN_PARM_PROBS = 25
export const ICMP_IN_SRC_QUENCHS = 26
export const ICMP_IN_REDIRECTS = 27
export const ICMP_IN_ECHOS = 28
export const ICMP_IN_ECHO_REPS = 29
export const ICMP_OUT_MSGS = 30
export const ICMP_OUT_ERRORS = 31
export const ICMP_OUT_DEST_UNREACHS = 32
export const ICMP_OUT_TIME_EXCDS = 33
export const ICMP_OUT_ECHOS = 34
export const ICMP_OUT_ECHO_REPS = 35
export const UDP_IN_DATAGRAMS = 36
export const UDP_NO_PORTS = 37
export const UDP_IN_ERRORS = 38
export const UDP_OUT_DATAGRAMS = 39
export const ARP_IN_REQUESTS = 40
export const ARP_IN_REPLIES = 41
export const ARP_IN_ERRORS = 42
export const ARP_OUT_REQUESTS = 43
export const ARP_OUT_REPLIES = 44
export const ARP_OUT_ANNOUNCEMENTS = 45
export const ARP_CONFLICTS = 46
export const ARP_RESOLVED = 47
export const ARP_FAILED = 48
export const ARP_EVICTED = 49
export const ARP_LEARNED_FROM_SIBLINGS = 50
export const IGMP_IN_QUERIES = 51
export const IGMP_IN_REPORTS = 52
export const IGMP_IN_ERRORS = 53
export const IGMP_OUT_REPORTS = 54
export const IGMP_OUT_LEAVES = 55

const FIRST_DROP = 56
export const DROP_LINK_RUNT_FRAME = 56
export const DROP_LINK_FOREIGN_DESTINATION = 57
export const DROP_LINK_FOREIGN_VLAN = 58
export const DROP_LINK_UNKNOWN_ETHER_TYPE = 59
export const DROP_LINK_CHAIN_TOO_LONG = 60
export const DROP_LINK_NO_FRAME = 61
export const DROP_IP_TRUNCATED = 62
export const DROP_IP_BAD_VERSION = 63
export const DROP_IP_BAD_HEADER_LENGTH = 64
export const DROP_IP_BAD_TOTAL_LENGTH = 65
export const DROP_IP_BAD_CHECKSUM = 66
export const DROP_IP_BAD_OPTION = 67
export const DROP_IP_BAD_SOURCE = 68
export const DROP_IP_FOREIGN_DESTINATION = 69
export const DROP_IP_LINK_BROADCAST_UNICAST = 70
export const DROP_IP_SOURCE_ROUTE = 71
export const DROP_IP_UNKNOWN_PROTOCOL = 72
export const DROP_IP_NOT_MEMBER = 73
export const DROP_IP_FRAGMENT_MISALIGNED = 74
export const DROP_IP_FRAGMENT_TINY = 75
export const DROP_IP_FRAGMENT_OVERLAP = 76
export const DROP_IP_FRAGMENT_TOO_LONG = 77
export const DROP_IP_FRAGMENT_EXHAUSTED = 78
export const DROP_IP_FRAGMENT_TIMEOUT = 79
export const DROP_IP_REASSEMBLED_TOO_LONG = 80
export const DROP_UDP_TRUNCATED = 81
export const DROP_UDP_BAD_LENGTH = 82
export const DROP_UDP_BAD_CHECKSUM = 83
export const DROP_UDP_PORT_CLOSED = 84
export const DROP_UDP_OTHER_PARTITION = 85
export const DROP_UDP_NOT_PEER = 86
export const DROP_UDP_QUEUE_FULL = 87
export const DROP_UDP_POOL_LOW = 88
export const DROP_ICMP_TRUNCATED = 89
export const DROP_ICMP_BAD_CHECKSUM = 90
export const DROP_ICMP_NOT_OURS = 91
export const DROP_ICMP_RATE_LIMITED = 92
export const DROP_ICMP_FORBIDDEN = 93
export const DROP_ICMP_UNKNOWN_TYPE = 94
export const DROP_ICMP_BROADCAST_ECHO = 95
export const DROP_ARP_MALFORMED = 96
export const DROP_ARP_BAD_SENDER = 97
export const DROP_IGMP_MALFORMED = 98
export const DROP_OUT_BACKLOG_FULL = 99
export const DROP_OUT_REFUSED = 100
export const DROP_OUT_NO_FRAME = 101
export const DROP_OUT_NEIGHBOR_QUEUE_FULL = 102
export const DROP_OUT_NEIGHBOR_UNREACHABLE = 103
export const DROP_OUT_NO_ROUTE = 104
export const DROP_OUT_INVALID = 105
export const DROP_ICMP_ERROR_QUEUE_FULL = 106
export const DROP_LINK_HAND_OFF_TOO_LONG = 107
export const DROP_LINK_HAND_OFF_LOST = 108
/** Datagrams that were moved out of their own frames, because frames were few. */
export const UDP_COPIED_OUT = 109

/** MIB counter of each drop reason, -1 where the MIBs have none. */
const MIB_OF_DROP = Int32Array.of(
  -1,
  -1,
  -1,
  -1,
  -1,
  -1,
  IP_IN_TRUNCATED_PKTS,
  IP_IN_HDR_ERRORS,
  IP_IN_HDR_ERRORS,
  IP_IN_HDR_ERRORS,
  IP_IN_HDR_ERRORS,
  IP_IN_HDR_ERRORS,
  IP_IN_ADDR_ERRORS,
  IP_IN_ADDR_ERRORS,
  IP_IN_ADDR_ERRORS,
  IP_IN_ADDR_ERRORS,
  IP_IN_UNKNOWN_PROTOS,
  IP_IN_ADDR_ERRORS,
  IP_REASM_FAILS,
  IP_REASM_FAILS,
  IP_REASM_FAILS,
  IP_REASM_FAILS,
  IP_REASM_FAILS,
  IP_REASM_FAILS,
  IP_IN_DISCARDS,
  UDP_IN_ERRORS,
  UDP_IN_ERRORS,
  UDP_IN_ERRORS,
  UDP_NO_PORTS,
  UDP_NO_PORTS,
  UDP_NO_PORTS,
  UDP_IN_ERRORS,
  UDP_IN_ERRORS,
  ICMP_IN_ERRORS,
  ICMP_IN_ERRORS,
  -1,
  -1,
  -1,
  -1,
  -1,
  ARP_IN_ERRORS,
  ARP_IN_ERRORS,
  IGMP_IN_ERRORS,
  IP_OUT_DISCARDS,
  IP_OUT_DISCARDS,
  IP_OUT_DISCARDS,
  IP_OUT_DISCARDS,
  IP_OUT_DISCARDS,
  IP_OUT_NO_ROUTES,
  IP_OUT_DISCARDS,
  -1,
  -1,
  -1,
)
