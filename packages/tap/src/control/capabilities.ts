import {
  COLUMN_CHECKSUM,
  COLUMN_SEGMENT,
  type NetCapabilities,
  SEGMENT_TCP4,
  SEGMENT_TCP6,
  SEGMENT_UDP,
} from '@parakernel/hal'
import { TUN_F_CSUM, TUN_F_TSO_ECN, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4, TUN_F_USO6 } from '@parakernel/linux'
import { ETHERNET_HEADER, LONGEST_FRAME } from '../ethernet.ts'
import type { TapOffloads } from '../options.ts'

/** Entries of one packet: what a default burst holds. */
export const MOST_ENTRIES = 32

/** What the kernel is told that we do ourselves (`TUN_F_*`), for each choice. */
export const OFFLOAD_BITS: Readonly<Record<TapOffloads, number>> = {
  none: 0,
  checksum: TUN_F_CSUM,
  tcp: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN,
  all: TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
}

const TCP = SEGMENT_TCP4 | SEGMENT_TCP6
/** Super-frames of UDP are taken from us whenever those of TCP are: it is receiving them that a libOS has to know of. */
const TRANSMIT: Readonly<Record<TapOffloads, number>> = {
  none: 0,
  checksum: 0,
  tcp: TCP | SEGMENT_UDP,
  all: TCP | SEGMENT_UDP,
}
const RECEIVE: Readonly<Record<TapOffloads, number>> = { none: 0, checksum: 0, tcp: TCP, all: TCP | SEGMENT_UDP }

export interface TapFeatures {
  readonly mtu: number
  readonly ringSize: number
  readonly offloads: TapOffloads
  /** The kernel knows super-frames of UDP. */
  readonly segmentsUdp: boolean
  readonly steering: boolean
}

export function tapCapabilities({ mtu, ringSize, offloads, segmentsUdp, steering }: TapFeatures): NetCapabilities {
  const undone = offloads !== 'none'
  const known = segmentsUdp ? TCP | SEGMENT_UDP : TCP
  const transmitSegmentation = TRANSMIT[offloads] & known
  const maxPacket = mtu + ETHERNET_HEADER
  return {
    columns: (undone ? COLUMN_CHECKSUM : 0) | (transmitSegmentation !== 0 ? COLUMN_SEGMENT : 0),
    checksum: { verifies: false, computes: undone },
    partialChecksums: undone ? 'marked' : 'never',
    transmitSegmentation,
    receiveSegmentation: RECEIVE[offloads] & known,
    maxChain: MOST_ENTRIES,
    transmitAlignment: 1,
    maxPacket,
    maxSuperPacket: transmitSegmentation !== 0 ? LONGEST_FRAME : maxPacket,
    ringSize,
    steering,
    // Without rules the kernel sends a flow to the queue that last sent in that flow.
    rss: 'device',
    receiveFilter: true,
    attach: 'worker',
    regions: ['plain', 'memfd'],
  }
}
