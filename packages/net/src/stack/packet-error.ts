import type { ErrorCode } from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'

/** An ICMP error of either family about a packet of ours: what it says, and what it quotes. One object, refilled. */
export class PacketError {
  family: 4 | 6 = 4
  /** Of the message. */
  type = 0
  code = 0
  /** Who sent it: the destination, or a router on the way. */
  readonly offender: IpWords = new Int32Array(4)
  /** What it means to a socket; undefined for what is a hint only (RFC 1122 section 3.2.2.1). */
  meaning: ErrorCode | undefined = undefined
  /** The packet was too long, and the path takes so much; 0 for every other error. */
  mtu = 0

  // Of the packet in question.

  readonly source: IpWords = new Int32Array(4)
  readonly destination: IpWords = new Int32Array(4)
  sourcePort = 0
  destinationPort = 0
  /** The four bytes after the ports: TCP's sequence number. */
  sequence = 0
  /** Bytes of the IP packet. */
  length = 0
}

/** Whom an ICMP error may concern. Each says whether it is about something that may have been sent just now (RFC 5927 section 4). */
export interface PacketErrorListeners {
  udp(error: PacketError): boolean
  tcp(error: PacketError): boolean
}
