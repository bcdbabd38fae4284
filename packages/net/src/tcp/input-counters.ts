import { Counters } from '@parakernel/hal'

/**
 * What the stack counts of segments before and beside any connection, as `group.name`, in the order of the indices below: in
 * the groups of the core's counters, which they extend.
 */
export const TCP_INPUT_COUNTERS = [
  'tcpExt.SynsReceived',
  'tcpExt.SynAcksRetransmitted',
  'tcpExt.SynCookiesSent',
  'tcpExt.SynCookiesAccepted',
  'tcpExt.SynCookiesFailed',
  'tcpExt.TimeWaits',
  'tcpExt.TimeWaitEvictions',
  'tcpExt.PeakConnections',
  'tcpExt.SuperSegmentsReceived',
  'tcpExt.SuperSegmentsSent',
  'tcpExt.TransmitBlocked',
  'tcpExt.TransmitNoFrame',
  'tcpExt.ReceiveCompactions',
  'tcpExt.PathErrors',
  'tcpDrop.Truncated',
  'tcpDrop.BadHeaderLength',
  'tcpDrop.BadChecksum',
  'tcpDrop.BadPort',
  'tcpDrop.BadOption',
  'tcpDrop.GroupDestination',
  'tcpDrop.PortClosed',
  'tcpDrop.OtherPartition',
  'tcpDrop.ListenBadFlags',
  'tcpDrop.ListenBacklogFull',
  'tcpDrop.ListenAcceptFull',
  'tcpDrop.ListenNoConnection',
  'tcpDrop.SynReceivedReset',
  'tcpDrop.SynReceivedExpired',
  'tcpDrop.SynReceivedBadAck',
  'tcpDrop.SynReceivedOutside',
  'tcpDrop.PoolLow',
  'tcpDrop.ListenReset',
] as const

export type TcpInputCounterName = (typeof TCP_INPUT_COUNTERS)[number]
export type TcpInputCounters = Counters<TcpInputCounterName>

export function tcpInputCounters(): TcpInputCounters {
  return new Counters(TCP_INPUT_COUNTERS)
}

export const EXT_SYNS_RECEIVED = 0
export const EXT_SYN_ACKS_RETRANSMITTED = 1
export const EXT_SYN_COOKIES_SENT = 2
export const EXT_SYN_COOKIES_ACCEPTED = 3
export const EXT_SYN_COOKIES_FAILED = 4
export const EXT_TIME_WAITS = 5
export const EXT_TIME_WAIT_EVICTIONS = 6
export const EXT_PEAK_CONNECTIONS = 7
export const EXT_SUPER_SEGMENTS_RECEIVED = 8
export const EXT_SUPER_SEGMENTS_SENT = 9
export const EXT_TRANSMIT_BLOCKED = 10
export const EXT_TRANSMIT_NO_FRAME = 11
export const EXT_RECEIVE_COMPACTIONS = 12
export const EXT_PATH_ERRORS = 13

export const DROP_TCP_TRUNCATED = 14
export const DROP_TCP_BAD_HEADER_LENGTH = 15
export const DROP_TCP_BAD_CHECKSUM = 16
export const DROP_TCP_BAD_PORT = 17
export const DROP_TCP_BAD_OPTION = 18
export const DROP_TCP_GROUP_DESTINATION = 19
export const DROP_TCP_PORT_CLOSED = 20
export const DROP_TCP_OTHER_PARTITION = 21
export const DROP_TCP_LISTEN_BAD_FLAGS = 22
export const DROP_TCP_LISTEN_BACKLOG_FULL = 23
export const DROP_TCP_LISTEN_ACCEPT_FULL = 24
export const DROP_TCP_LISTEN_NO_CONNECTION = 25
export const DROP_TCP_SYN_RECEIVED_RESET = 26
export const DROP_TCP_SYN_RECEIVED_EXPIRED = 27
export const DROP_TCP_SYN_RECEIVED_BAD_ACK = 28
export const DROP_TCP_SYN_RECEIVED_OUTSIDE = 29
export const DROP_TCP_POOL_LOW = 30
export const DROP_TCP_LISTEN_RESET = 31
