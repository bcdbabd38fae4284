import type { Family } from '../language/script.ts'
import type { TcpOption } from './tcp-options.ts'

export const PROTOCOL_ICMP = 1
export const PROTOCOL_IGMP = 2
export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17
export const PROTOCOL_FRAGMENT = 44
export const PROTOCOL_ICMPV6 = 58

export const ECN_NAMES = ['notect', 'ect1', 'ect0', 'ce'] as const

/** A packet that a subject sent, taken apart. */
export interface Packet {
  readonly family: Family
  readonly bytes: Uint8Array
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly ttl: number
  readonly ecn: (typeof ECN_NAMES)[number]
  readonly df: boolean
  readonly protocol: number
  /** Byte offset in the IP payload, and whether more follow; undefined for a whole packet. */
  readonly fragment: { readonly offset: number; readonly more: boolean } | undefined
  readonly payload: Uint8Array
  readonly transport: Transport
  /** What is wrong with it, as sentences: a checksum, a length. */
  readonly defects: readonly string[]
}

export type Transport =
  | TcpSegment
  | {
      readonly kind: 'udp'
      readonly sourcePort: number
      readonly destinationPort: number
      readonly data: Uint8Array
      readonly checksum: number
    }
  | {
      readonly kind: 'icmp'
      readonly type: number
      readonly code: number
      readonly rest: number
      readonly data: Uint8Array
    }
  | { readonly kind: 'other' }

export interface TcpSegment {
  readonly kind: 'tcp'
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgment: number
  /** As in a script: some of `SFRPUEW.`, in this order. */
  readonly flags: string
  readonly window: number
  readonly urgent: number
  readonly options: readonly TcpOption[]
  readonly data: Uint8Array
}

/** Flag letters by bit, from FIN up. */
export const FLAG_BITS: Readonly<Record<string, number>> = {
  F: 0x01,
  S: 0x02,
  R: 0x04,
  P: 0x08,
  '.': 0x10,
  U: 0x20,
  E: 0x40,
  W: 0x80,
}
export const FLAG_ORDER = 'SFRPUEW.'
