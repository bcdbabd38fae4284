import type { ErrorCode } from '@parakernel/hal'
import * as ethernet from '../ethernet/wire.ts'
import type { LocalAddress } from './address-table.ts'
import type { Link } from './interface.ts'
import type { Path } from './path.ts'
import type { Slices } from './transmit-queue.ts'

/** A neighbour's link-layer address, as the data path uses it: an entry of ARP's cache or of neighbour discovery's. */
export interface LinkNeighbor {
  /** MAC address in two parts (see `ethernet/wire.ts`); meaningful when `usable`. */
  readonly high: number
  readonly low: number
  /** A packet can be sent to it now. */
  readonly usable: boolean
  /** It is being asked for, and packets wait for its answer. Neither usable nor incomplete: it does not answer. */
  readonly incomplete: boolean
  /** Whether it can be used without asking its cache: nothing is due. The time is passed in an array, which is never boxed. */
  isFresh(now: Float64Array): boolean
}

/** An entry of a neighbour cache, as of `ip neighbour`. */
export interface NeighborInfo {
  readonly interface: string
  readonly address: string
  /** Undefined while it is not known. */
  readonly mac: string | undefined
  /** RFC 4861 section 7.3.2; `failed` is one that does not answer. */
  readonly state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'failed'
  /** It said that it is a router (IPv6). */
  readonly router: boolean
}

/** What a path needs of the protocol that finds MAC addresses on an interface: ARP, or neighbour discovery. */
export interface NeighborResolver {
  /** The entry of the path's next hop: created and asked for if unknown, asked for again if old. */
  lookUp(path: Path): LinkNeighbor
  /** Lets a packet wait until the path's next hop answers; reports it lost, or the one that gives way to it. */
  wait(path: Path, packet: WaitingPacket): void
  /** Every entry, for a listing. */
  list(): Iterable<NeighborInfo>
  /** Whether another packet would push an older one out. */
  isFull(path: Path): boolean
}

/** A frame that is complete but for its destination MAC address; or a chain of them that begins with it. */
export interface WaitingPacket {
  readonly link: Link
  readonly frame: number
  readonly offset: number
  readonly length: number
  /** What follows the first entry. */
  readonly rest: Slices
  readonly flags: number
  readonly checksumStart: number
  readonly checksumOffset: number
  readonly segmentSize: number
  readonly headerLength: number
  /** Of the push that it belongs to, 0 for none. */
  readonly token: number
}

/** What becomes of packets that waited. */
export interface WaitingPackets {
  /** `packet` went out. */
  sent(packet: WaitingPacket): void
  /** `packet` was lost; its frames are released. */
  lost(packet: WaitingPacket, code: ErrorCode): void
  /** An address of ours is another host's, and not used any more. */
  addressLost(address: LocalAddress): void
}

export const NO_SLICES: Slices = {
  frame: new Int32Array(0),
  address: new Int32Array(0),
  length: new Int32Array(0),
  count: 0,
}

export function copySlices({ frame, address, length, count }: Slices): Slices {
  return { frame: frame.slice(0, count), address: address.slice(0, count), length: length.slice(0, count), count }
}

/** Sends a packet that has waited to the MAC address that was found; takes over its frames. False when it could not. */
export function sendWaiting(packet: WaitingPacket, high: number, low: number): boolean {
  const { link, frame, offset, length, rest, flags, checksumStart, checksumOffset, segmentSize, headerLength } = packet
  const { pool, memory } = link.interface
  ethernet.setDestination(memory.view, pool.address(frame) + offset, high, low)
  const { tx } = link
  return tx.pushChain(frame, offset, length, rest, flags, checksumStart, checksumOffset, segmentSize, headerLength)
}

export function releaseWaiting({ link, frame, rest }: WaitingPacket): void {
  const { pool } = link.interface
  pool.release(frame)
  for (let i = 0; i < rest.count; i++) pool.release(rest.frame[i])
}
