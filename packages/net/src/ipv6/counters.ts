import { Counters } from '@parakernel/hal'

/**
 * Every IPv6 counter of the stack as `group.name`, in the order of the indices below. Group `ip6` has the names of
 * RFC 4293, `icmp6` those of RFC 2466; `nd` has no such MIB objects and follows their manner; `drop` says of each
 * packet that was not delivered or sent why, beside the MIB counter that it belongs to. Four of `icmp6` count what
 * only routers send, and have no index.
 */
export const IPV6_COUNTERS = [
  'ip6.ipSystemStatsInReceives',
  'ip6.ipSystemStatsInHdrErrors',
  'ip6.ipSystemStatsInAddrErrors',
  'ip6.ipSystemStatsInUnknownProtos',
  'ip6.ipSystemStatsInTruncatedPkts',
  'ip6.ipSystemStatsInDiscards',
  'ip6.ipSystemStatsInDelivers',
  'ip6.ipSystemStatsInMcastPkts',
  'ip6.ipSystemStatsReasmReqds',
  'ip6.ipSystemStatsReasmOKs',
  'ip6.ipSystemStatsReasmFails',
  'ip6.ipSystemStatsOutRequests',
  'ip6.ipSystemStatsOutNoRoutes',
  'ip6.ipSystemStatsOutDiscards',
  'ip6.ipSystemStatsOutMcastPkts',
  'ip6.ipSystemStatsOutFragReqds',
  'ip6.ipSystemStatsOutFragOKs',
  'ip6.ipSystemStatsOutFragFails',
  'ip6.ipSystemStatsOutFragCreates',
  'icmp6.ipv6IfIcmpInMsgs',
  'icmp6.ipv6IfIcmpInErrors',
  'icmp6.ipv6IfIcmpInDestUnreachs',
  'icmp6.ipv6IfIcmpInTimeExcds',
  'icmp6.ipv6IfIcmpInParmProblems',
  'icmp6.ipv6IfIcmpInPktTooBigs',
  'icmp6.ipv6IfIcmpInEchos',
  'icmp6.ipv6IfIcmpInEchoReplies',
  'icmp6.ipv6IfIcmpInRouterSolicits',
  'icmp6.ipv6IfIcmpInRouterAdvertisements',
  'icmp6.ipv6IfIcmpInNeighborSolicits',
  'icmp6.ipv6IfIcmpInNeighborAdvertisements',
  'icmp6.ipv6IfIcmpInRedirects',
  'icmp6.ipv6IfIcmpInGroupMembQueries',
  'icmp6.ipv6IfIcmpInGroupMembResponses',
  'icmp6.ipv6IfIcmpInGroupMembReductions',
  'icmp6.ipv6IfIcmpOutMsgs',
  'icmp6.ipv6IfIcmpOutErrors',
  'icmp6.ipv6IfIcmpOutDestUnreachs',
  'icmp6.ipv6IfIcmpOutTimeExcds',
  'icmp6.ipv6IfIcmpOutParmProblems',
  'icmp6.ipv6IfIcmpOutPktTooBigs',
  'icmp6.ipv6IfIcmpOutEchos',
  'icmp6.ipv6IfIcmpOutEchoReplies',
  'icmp6.ipv6IfIcmpOutRouterSolicits',
  'icmp6.ipv6IfIcmpOutRouterAdvertisements',
  'icmp6.ipv6IfIcmpOutNeighborSolicits',
  'icmp6.ipv6IfIcmpOutNeighborAdvertisements',
  'icmp6.ipv6IfIcmpOutRedirects',
  'icmp6.ipv6IfIcmpOutGroupMembQueries',
  'icmp6.ipv6IfIcmpOutGroupMembResponses',
  'icmp6.ipv6IfIcmpOutGroupMembReductions',
  'nd.ndResolved',
  'nd.ndFailed',
  'nd.ndEvicted',
  'nd.ndDuplicates',
  'nd.ndDefended',
  'drop.ip6Truncated',
  'drop.ip6BadVersion',
  'drop.ip6BadSource',
  'drop.ip6BadDestination',
  'drop.ip6ForeignDestination',
  'drop.ip6NotMember',
  'drop.ip6LinkGroupUnicast',
  'drop.ip6HopByHopNotFirst',
  'drop.ip6BadExtension',
  'drop.ip6TooManyHeaders',
  'drop.ip6TooManyOptions',
  'drop.ip6BadPadding',
  'drop.ip6UnknownOption',
  'drop.ip6RoutingHeader',
  'drop.ip6UnknownProtocol',
  'drop.ip6NoNextHeader',
  'drop.ip6FragmentIncomplete',
  'drop.ip6FragmentMisaligned',
  'drop.ip6FragmentTooLong',
  'drop.ip6FragmentOverlap',
  'drop.ip6FragmentExhausted',
  'drop.ip6FragmentTimeout',
  'drop.icmp6Truncated',
  'drop.icmp6BadChecksum',
  'drop.icmp6NotOurs',
  'drop.icmp6RateLimited',
  'drop.icmp6Forbidden',
  'drop.icmp6UnknownType',
  'drop.ndBadHopLimit',
  'drop.ndBadSource',
  'drop.ndBadDestination',
  'drop.ndBadTarget',
  'drop.ndMalformed',
  'drop.ndFragmented',
  'drop.ndNotOurs',
  'drop.ndBadRedirect',
  'drop.mldMalformed',
  'drop.mldBadSource',
  'drop.out6NoFrame',
  'drop.out6NeighborQueueFull',
  'drop.out6NeighborUnreachable',
  'drop.out6NoRoute',
  'drop.out6Invalid',
] as const

export type Ipv6Counter = (typeof IPV6_COUNTERS)[number]

export class Ipv6Counters extends Counters<Ipv6Counter> {
  constructor() {
    super(IPV6_COUNTERS)
  }

  /** Counts a packet that goes no further: under its reason, and under the MIB counter that the reason belongs to. */
  drop(reason: number): void {
    this.values[reason]++
    const mib = MIB_OF_DROP[reason - FIRST_DROP]
    if (mib >= 0) this.values[mib]++
  }
}

export const IP6_IN_RECEIVES = 0
export const IP6_IN_HDR_ERRORS = 1
export const IP6_IN_ADDR_ERRORS = 2
export const IP6_IN_UNKNOWN_PROTOS = 3
export const IP6_IN_TRUNCATED_PKTS = 4
export const IP6_IN_DISCARDS = 5
export const IP6_IN_DELIVERS = 6
export const IP6_IN_MCAST_PKTS = 7
export const IP6_REASM_REQDS = 8
export const IP6_REASM_OKS = 9
export const IP6_REASM_FAILS = 10
export const IP6_OUT_REQUESTS = 11
export const IP6_OUT_NO_ROUTES = 12
export const IP6_OUT_DISCARDS = 13
export const IP6_OUT_MCAST_PKTS = 14
export const IP6_OUT_FRAG_REQDS = 15
export const IP6_OUT_FRAG_OKS = 16
export const IP6_OUT_FRAG_FAILS = 17
export const IP6_OUT_FRAG_CREATES = 18
export const ICMP6_IN_MSGS = 19
export const ICMP6_IN_ERRORS = 20
export const ICMP6_IN_DEST_UNREACHS = 21
export const ICMP6_IN_TIME_EXCDS = 22
export const ICMP6_IN_PARM_PROBLEMS = 23
export const ICMP6_IN_PKT_TOO_BIGS = 24
export const ICMP6_IN_ECHOS = 25
export const ICMP6_IN_ECHO_REPLIES = 26
export const ICMP6_IN_ROUTER_SOLICITS = 27
export const ICMP6_IN_ROUTER_ADVERTISEMENTS = 28
export const ICMP6_IN_NEIGHBOR_SOLICITS = 29
export const ICMP6_IN_NEIGHBOR_ADVERTISEMENTS = 30
export const ICMP6_IN_REDIRECTS = 31
export const ICMP6_IN_GROUP_MEMB_QUERIES = 32
export const ICMP6_IN_GROUP_MEMB_RESPONSES = 33
export const ICMP6_IN_GROUP_MEMB_REDUCTIONS = 34
export const ICMP6_OUT_MSGS = 35
export const ICMP6_OUT_ERRORS = 36
export const ICMP6_OUT_DEST_UNREACHS = 37
export const ICMP6_OUT_TIME_EXCDS = 38
export const ICMP6_OUT_PARM_PROBLEMS = 39
export const ICMP6_OUT_ECHOS = 41
export const ICMP6_OUT_ECHO_REPLIES = 42
export const ICMP6_OUT_ROUTER_SOLICITS = 43
export const ICMP6_OUT_NEIGHBOR_SOLICITS = 45
export const ICMP6_OUT_NEIGHBOR_ADVERTISEMENTS = 46
export const ICMP6_OUT_GROUP_MEMB_RESPONSES = 49
export const ICMP6_OUT_GROUP_MEMB_REDUCTIONS = 50
export const ND_RESOLVED = 51
export const ND_FAILED = 52
export const ND_EVICTED = 53
export const ND_DUPLICATES = 54
export const ND_DEFENDED = 55

const FIRST_DROP = 56
export const DROP_IP6_TRUNCATED = 56
export const DROP_IP6_BAD_VERSION = 57
export const DROP_IP6_BAD_SOURCE = 58
export const DROP_IP6_BAD_DESTINATION = 59
export const DROP_IP6_FOREIGN_DESTINATION = 60
export const DROP_IP6_NOT_MEMBER = 61
export const DROP_IP6_LINK_GROUP_UNICAST = 62
export const DROP_IP6_HOP_BY_HOP_NOT_FIRST = 63
export const DROP_IP6_BAD_EXTENSION = 64
export const DROP_IP6_TOO_MANY_HEADERS = 65
export const DROP_IP6_TOO_MANY_OPTIONS = 66
export const DROP_IP6_BAD_PADDING = 67
export const DROP_IP6_UNKNOWN_OPTION = 68
export const DROP_IP6_ROUTING_HEADER = 69
export const DROP_IP6_UNKNOWN_PROTOCOL = 70
export const DROP_IP6_NO_NEXT_HEADER = 71
export const DROP_IP6_FRAGMENT_INCOMPLETE = 72
export const DROP_IP6_FRAGMENT_MISALIGNED = 73
export const DROP_IP6_FRAGMENT_TOO_LONG = 74
export const DROP_IP6_FRAGMENT_OVERLAP = 75
export const DROP_IP6_FRAGMENT_EXHAUSTED = 76
export const DROP_IP6_FRAGMENT_TIMEOUT = 77
export const DROP_ICMP6_TRUNCATED = 78
export const DROP_ICMP6_BAD_CHECKSUM = 79
export const DROP_ICMP6_NOT_OURS = 80
export const DROP_ICMP6_RATE_LIMITED = 81
export const DROP_ICMP6_FORBIDDEN = 82
export const DROP_ICMP6_UNKNOWN_TYPE = 83
export const DROP_ND_BAD_HOP_LIMIT = 84
export const DROP_ND_BAD_SOURCE = 85
export const DROP_ND_BAD_DESTINATION = 86
export const DROP_ND_BAD_TARGET = 87
export const DROP_ND_MALFORMED = 88
export const DROP_ND_FRAGMENTED = 89
export const DROP_ND_NOT_OURS = 90
export const DROP_ND_BAD_REDIRECT = 91
export const DROP_MLD_MALFORMED = 92
export const DROP_MLD_BAD_SOURCE = 93
export const DROP_OUT6_NO_FRAME = 94
export const DROP_OUT6_NEIGHBOR_QUEUE_FULL = 95
export const DROP_OUT6_NEIGHBOR_UNREACHABLE = 96
export const DROP_OUT6_NO_ROUTE = 97
export const DROP_OUT6_INVALID = 98

/** MIB counter of each drop reason, -1 where the MIBs have none. */
const MIB_OF_DROP = Int32Array.of(
  IP6_IN_TRUNCATED_PKTS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_ADDR_ERRORS,
  IP6_IN_ADDR_ERRORS,
  IP6_IN_ADDR_ERRORS,
  IP6_IN_ADDR_ERRORS,
  IP6_IN_ADDR_ERRORS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_HDR_ERRORS,
  IP6_IN_UNKNOWN_PROTOS,
  IP6_IN_DISCARDS,
  IP6_REASM_FAILS,
  IP6_REASM_FAILS,
  IP6_REASM_FAILS,
  IP6_REASM_FAILS,
  IP6_REASM_FAILS,
  IP6_REASM_FAILS,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  -1,
  -1,
  -1,
  -1,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  -1,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  ICMP6_IN_ERRORS,
  IP6_OUT_DISCARDS,
  IP6_OUT_DISCARDS,
  IP6_OUT_DISCARDS,
  IP6_OUT_NO_ROUTES,
  IP6_OUT_DISCARDS,
)
