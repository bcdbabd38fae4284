import type { IpWords } from '@parakernel/queue'
import type { PacketMemory } from '../packet-memory.ts'
import type { Link, NetInterface } from './interface.ts'

/**
 * The packet that is being received, of either family: what its link, its IP header and its device say, as numbers. One object,
 * refilled for every packet; it ends with `frame` released unless a step passed the frame on and set it to -1.
 */
export interface Incoming {
  memory: PacketMemory
  /** Frame that holds the packet, or -1: it stands elsewhere (reassembled, or a chain), or its frame was passed on. */
  frame: number
  /** Address of the Ethernet header, or -1 for a packet without one: reassembled, or from ourselves. */
  ethernet: number
  /** Address of the IP header. */
  packet: number
  /** Bytes from there: to the end of the frame at first, of the packet once its IP header has been read. */
  length: number
  /** Flags of its burst entry. */
  flags: number
  /** Payload bytes a segment of a super-frame, 0 elsewhere. */
  segmentSize: number
  /** Sent to a link-layer group address. */
  linkGroup: boolean
  /** It came from ourselves. */
  loopback: boolean
  interface: NetInterface
  link: Link

  // Of the IP header, once that has been checked.

  family: 4 | 6
  /** Reused arrays; IPv4 addresses stand in them as `::ffff:a.b.c.d`. */
  readonly source: IpWords
  readonly destination: IpWords
  /** The destination is a group or a broadcast address, and not ours alone. */
  group: boolean
  /** TOS or traffic class: DSCP in the upper six bits, ECN in the lower two (RFC 2474, RFC 3168). */
  trafficClass: number
  /** TTL or hop limit that was left. */
  hopLimit: number
  /** IP protocol of what follows the header and its options or extension headers. */
  protocol: number
  /** Address of the transport header. */
  transport: number
  /** Bytes from there to the end of the packet. */
  transportLength: number
}

/** ECN field of the packet: 0 not capable, 1 ECT(1), 2 ECT(0), 3 congestion experienced (RFC 3168 section 5). */
export function ecnOf(incoming: Incoming): number {
  return incoming.trafficClass & 3
}

/** What takes packets of one transport protocol, of both families. May pass the frame on. */
export interface TransportInput {
  receive(incoming: Incoming, at: number, length: number): void
}

export function createIncoming(memory: PacketMemory, iface: NetInterface): Incoming {
  return {
    memory,
    frame: -1,
    ethernet: -1,
    packet: 0,
    length: 0,
    flags: 0,
    segmentSize: 0,
    linkGroup: false,
    loopback: false,
    interface: iface,
    link: iface.link,
    family: 4,
    source: new Int32Array(4),
    destination: new Int32Array(4),
    group: false,
    trafficClass: 0,
    hopLimit: 0,
    protocol: 0,
    transport: 0,
    transportLength: 0,
  }
}

/** Writes an IPv4 address in its mapped form. */
export function setMapped(words: IpWords, address: number): void {
  words[0] = 0
  words[1] = 0
  words[2] = 0xffff
  words[3] = address
}
