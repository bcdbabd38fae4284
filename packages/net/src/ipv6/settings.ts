import type { ListenerOptions } from '../mld/listener.ts'
import type { Neighbor6Limits } from '../ndp/neighbor.ts'
import type { Ipv6ReassemblyLimits } from './reassembly.ts'

/** Settings of IPv6 that all interfaces share, checked, with times in nanoseconds. */
export interface Ipv6Settings {
  readonly neighbors: Neighbor6Limits
  /** DupAddrDetectTransmits (RFC 4862 section 5.1). */
  readonly duplicateProbes: number
  /** Temporary addresses (RFC 8981) beside the stable ones. */
  readonly temporary: boolean
  readonly temporaryValid: number
  readonly temporaryPreferred: number
  /** Of stable interface identifiers (RFC 7217 section 5). */
  readonly secret: Uint8Array
  readonly reassembly: Ipv6ReassemblyLimits
  readonly listener: ListenerOptions
}
