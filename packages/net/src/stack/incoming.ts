import type { PacketMemory } from '../packet-memory.ts'
import type { Link } from './interface.ts'

/**
 * The packet that the slow path works on. One object, refilled for every packet; it ends with `frame` released unless a
 * step passed the frame on and set it to -1.
 */
export interface Incoming {
  memory: PacketMemory
  /** Frame that holds the packet, or -1: it stands elsewhere (reassembled, or a chain), or its frame was passed on. */
  frame: number
  /** Address of the Ethernet header, or -1 for a packet without one. */
  ethernet: number
  /** Address of the IPv4 header. */
  packet: number
  /** Bytes from there to the end of the frame. */
  length: number
  /** Flags of its burst entry. */
  flags: number
  /** Payload bytes a segment of a super-frame, 0 elsewhere. */
  segmentSize: number
  /** Sent to a link-layer group address. */
  linkGroup: boolean
  /** It came from ourselves. */
  loopback: boolean
  link: Link
  now: number
}
