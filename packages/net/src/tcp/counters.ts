import { Counters } from '@parakernel/hal'

/**
 * Counters of the TCP core as `group.name`, in the order of the indices below. Group `tcp` carries the names of RFC
 * 4022, `tcpExt` what that MIB has no object for, `tcpDrop` says of each segment that was not taken, wholly or in part,
 * why. One set for all connections of a stack.
 */
export const TCP_COUNTERS = [
  'tcp.tcpActiveOpens',
  'tcp.tcpPassiveOpens',
  'tcp.tcpAttemptFails',
  'tcp.tcpEstabResets',
  'tcp.tcpInSegs',
  'tcp.tcpOutSegs',
  'tcp.tcpRetransSegs',
  'tcp.tcpInErrs',
  'tcp.tcpOutRsts',
  'tcpExt.HeaderPredictedAcks',
  'tcpExt.HeaderPredictedData',
  'tcpExt.DelayedAcks',
  'tcpExt.PureAcks',
  'tcpExt.DuplicateAcksSent',
  'tcpExt.WindowUpdates',
  'tcpExt.ChallengeAcks',
  'tcpExt.ChallengeAcksSkipped',
  'tcpExt.OutOfOrder',
  'tcpExt.Duplicates',
  'tcpExt.Timeouts',
  'tcpExt.TailLossProbes',
  'tcpExt.WindowProbes',
  'tcpExt.KeepAlives',
  'tcpExt.SynRetransmissions',
  'tcpExt.AbortOnTimeout',
  'tcpExt.AbortOnKeepAlive',
  'tcpExt.AbortOnUserTimeout',
  'tcpExt.AbortOnLinger',
  'tcpExt.AbortOnData',
  'tcpExt.AbortOnClose',
  'tcpExt.AbortOnFinWait2',
  'tcpExt.SimultaneousOpens',
  'tcpExt.TimeWaitReused',
  'tcpExt.EcnEchoes',
  'tcpExt.EcnFallbacks',
  'tcpExt.CongestionMarks',
  'tcpExt.UrgentIgnored',
  'tcpExt.WindowShrunk',
  'tcpExt.MtuReductions',
  'tcpExt.MtuPostponed',
  'tcpExt.BlackHoles',
  'tcpExt.MtuProbes',
  'tcpExt.MtuProbeSuccesses',
  'tcpExt.MtuProbeFailures',
  'tcpExt.IcmpOutOfWindow',
  'tcpExt.Renegings',
  'tcpDrop.Closed',
  'tcpDrop.SynSentBadAck',
  'tcpDrop.SynSentBadReset',
  'tcpDrop.SynSentNoSyn',
  'tcpDrop.Paws',
  'tcpDrop.NoTimestamp',
  'tcpDrop.OutsideWindow',
  'tcpDrop.ResetOutsideWindow',
  'tcpDrop.ResetNotExact',
  'tcpDrop.ResetInTimeWait',
  'tcpDrop.SynInWindow',
  'tcpDrop.SynRepeated',
  'tcpDrop.NoAck',
  'tcpDrop.AckTooOld',
  'tcpDrop.AckOfUnsent',
  'tcpDrop.SynReceivedBadAck',
  'tcpDrop.DataBeyondWindow',
  'tcpDrop.DataAfterFin',
  'tcpDrop.DataAfterClose',
  'tcpDrop.DataNoMemory',
  'tcpDrop.DataDuplicate',
  'tcpDrop.FinBad',
  'tcpDrop.InTimeWait',
] as const

export type TcpCounterName = (typeof TCP_COUNTERS)[number]
export type TcpCounters = Counters<TcpCounterName>

export function tcpCounters(buffer?: SharedArrayBuffer): TcpCounters {
  return new Counters(TCP_COUNTERS, buffer)
}

// RFC 4022
export const TCP_ACTIVE_OPENS = 0
export const TCP_PASSIVE_OPENS = 1
export const TCP_ATTEMPT_FAILS = 2
export const TCP_ESTAB_RESETS = 3
export const TCP_IN_SEGS = 4
export const TCP_OUT_SEGS = 5
export const TCP_RETRANS_SEGS = 6
export const TCP_IN_ERRS = 7
export const TCP_OUT_RSTS = 8

// As in Linux's TcpExt, where it counts the same
export const EXT_PREDICTED_ACKS = 9
export const EXT_PREDICTED_DATA = 10
export const EXT_DELAYED_ACKS = 11
export const EXT_PURE_ACKS = 12
export const EXT_DUPLICATE_ACKS_SENT = 13
export const EXT_WINDOW_UPDATES = 14
export const EXT_CHALLENGE_ACKS = 15
export const EXT_CHALLENGE_ACKS_SKIPPED = 16
export const EXT_OUT_OF_ORDER = 17
export const EXT_DUPLICATES = 18
export const EXT_TIMEOUTS = 19
export const EXT_TAIL_LOSS_PROBES = 20
export const EXT_WINDOW_PROBES = 21
export const EXT_KEEP_ALIVES = 22
export const EXT_SYN_RETRANSMISSIONS = 23
export const EXT_ABORT_ON_TIMEOUT = 24
export const EXT_ABORT_ON_KEEP_ALIVE = 25
export const EXT_ABORT_ON_USER_TIMEOUT = 26
export const EXT_ABORT_ON_LINGER = 27
export const EXT_ABORT_ON_DATA = 28
export const EXT_ABORT_ON_CLOSE = 29
export const EXT_ABORT_ON_FIN_WAIT_2 = 30
export const EXT_SIMULTANEOUS_OPENS = 31
export const EXT_TIME_WAIT_REUSED = 32
export const EXT_ECN_ECHOES = 33
export const EXT_ECN_FALLBACKS = 34
export const EXT_CONGESTION_MARKS = 35
export const EXT_URGENT_IGNORED = 36
export const EXT_WINDOW_SHRUNK = 37
export const EXT_MTU_REDUCTIONS = 38
export const EXT_MTU_POSTPONED = 39
export const EXT_BLACK_HOLES = 40
export const EXT_MTU_PROBES = 41
export const EXT_MTU_PROBE_SUCCESSES = 42
export const EXT_MTU_PROBE_FAILURES = 43
export const EXT_ICMP_OUT_OF_WINDOW = 44
export const EXT_RENEGINGS = 45

// Why a segment, or a part of it, was not taken
export const DROP_TCP_CLOSED = 46
export const DROP_TCP_SYN_SENT_BAD_ACK = 47
export const DROP_TCP_SYN_SENT_BAD_RESET = 48
export const DROP_TCP_SYN_SENT_NO_SYN = 49
export const DROP_TCP_PAWS = 50
export const DROP_TCP_NO_TIMESTAMP = 51
export const DROP_TCP_OUTSIDE_WINDOW = 52
export const DROP_TCP_RESET_OUTSIDE_WINDOW = 53
export const DROP_TCP_RESET_NOT_EXACT = 54
export const DROP_TCP_RESET_IN_TIME_WAIT = 55
export const DROP_TCP_SYN_IN_WINDOW = 56
export const DROP_TCP_SYN_REPEATED = 57
export const DROP_TCP_NO_ACK = 58
export const DROP_TCP_ACK_TOO_OLD = 59
export const DROP_TCP_ACK_OF_UNSENT = 60
export const DROP_TCP_SYN_RECEIVED_BAD_ACK = 61
export const DROP_TCP_DATA_BEYOND_WINDOW = 62
export const DROP_TCP_DATA_AFTER_FIN = 63
export const DROP_TCP_DATA_AFTER_CLOSE = 64
export const DROP_TCP_DATA_NO_MEMORY = 65
export const DROP_TCP_DATA_DUPLICATE = 66
export const DROP_TCP_FIN_BAD = 67
export const DROP_TCP_IN_TIME_WAIT = 68
