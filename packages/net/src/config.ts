import type { MacAddress } from '@parakernel/hal'
import type { NeighborLimits } from './arp/neighbor-cache.ts'
import type { MembershipOptions } from './igmp/membership.ts'
import type { Ipv4Address, Ipv4Network } from './ipv4/address.ts'
import type { ReassemblyLimits } from './ipv4/reassembly.ts'
import type { RandomSource } from './random.ts'
import type { EphemeralRange } from './udp/ports.ts'

/** Who computes and checks UDP checksums. */
export type ChecksumPolicy = 'device' | 'software' | 'omit'

/** A stack's settings, checked, with times in nanoseconds. Made from options by `resolveOptions`. */
export interface NetConfig {
  readonly network: Ipv4Network
  readonly gateway: Ipv4Address | undefined
  readonly mac: MacAddress | undefined
  /** 802.1Q identifier, 1 to 4094. */
  readonly vlan: number | undefined
  readonly checksum: ChecksumPolicy
  readonly random: RandomSource
  readonly burst: number
  readonly transmitBacklog: number
  readonly ephemeral: EphemeralRange
  readonly neighbors: NeighborLimits
  readonly probeAddress: boolean
  readonly announceAddress: boolean
  readonly defendAddress: boolean
  readonly reassembly: ReassemblyLimits
  readonly icmpRate: number
  readonly icmpBurst: number
  readonly igmp: MembershipOptions
  readonly sockets: number
  readonly receiveQueue: number
  readonly siblings: SharedArrayBuffer | undefined
}
