import { Counters } from '@parakernel/hal'

/** Under the names of RFC 4113 and RFC 4022. What the host's kernel drops, only the host's kernel can count. */
export const HOST_COUNTERS = [
  'udp.udpInDatagrams',
  'udp.udpInErrors',
  'udp.udpOutDatagrams',
  'drop.udpQueueFull',
  'drop.udpPoolLow',
  'drop.udpTooLongToServe',
  'drop.outRefused',
  'tcp.tcpActiveOpens',
  'tcp.tcpPassiveOpens',
  'tcp.tcpAttemptFails',
  'tcp.tcpEstabResets',
  'tcp.tcpCurrEstab',
  'drop.tcpBacklogFull',
  'drop.tcpEchoRefused',
] as const

export const IN_DATAGRAMS = 0
/** Sum of the drops of received datagrams below. */
export const IN_ERRORS = 1
export const OUT_DATAGRAMS = 2
/** The socket's receive queue was full. */
export const QUEUE_FULL = 3
/** The pool had no frames for it. */
export const POOL_LOW = 4
/** A handler gets each datagram in one frame; this one was longer. */
export const TOO_LONG_TO_SERVE = 5
/** A reply, or a datagram of a burst, that the host's kernel would not send. */
export const OUT_REFUSED = 6

export const ACTIVE_OPENS = 7
export const PASSIVE_OPENS = 8
/** Connections that were not opened, for whatever reason but a cancel. */
export const ATTEMPT_FAILS = 9
/** Connections that ended by a reset, or because the peer was silent. */
export const ESTABLISHED_RESETS = 10
/** A gauge: connections of which our half is open. */
export const CURRENT_ESTABLISHED = 11
/** A connection that came while the backlog was full of others; it was reset. */
export const BACKLOG_FULL = 12
/** Bytes that a handler wanted echoed on a stream whose half was ended: entries of a burst. */
export const ECHO_REFUSED = 13

export class HostCounters extends Counters<(typeof HOST_COUNTERS)[number]> {
  constructor() {
    super(HOST_COUNTERS)
  }

  byGroup(): Record<string, Record<string, number>> {
    const groups: Record<string, Record<string, number>> = {}
    for (const [i, name] of HOST_COUNTERS.entries()) {
      const [group, counter] = name.split('.')
      groups[group] ??= {}
      groups[group][counter] = this.values[i]
    }
    return groups
  }
}
