import type { MacAddress } from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'
import type { NeighborLimits } from './arp/neighbor-cache.ts'
import type { MembershipOptions } from './igmp/membership.ts'
import type { ReassemblyLimits } from './ipv4/reassembly.ts'
import type { Ipv6Settings } from './ipv6/settings.ts'
import type { TcpLimitConfig } from './options/tcp-limits.ts'
import type { RandomSource } from './random.ts'
import type { HandOffShare } from './stack/hand-off.ts'
import type { TcpSettings } from './tcp/settings.ts'
import type { EphemeralRange } from './udp/ports.ts'

/** Who computes and checks UDP checksums. */
export type ChecksumPolicy = 'device' | 'software' | 'omit'

/** How much of IPv6 an interface speaks: all of it, no more than it was told, or nothing. */
export type Ipv6Mode = 'auto' | 'static' | 'off'

/** An address of ours to be, of either family: IPv4 as `::ffff:a.b.c.d`, `prefix` in bits of its own family. */
export interface InterfaceAddress {
  readonly words: IpWords
  readonly prefix: number
}

export interface InterfaceRoute {
  readonly destination: IpWords
  readonly prefix: number
  /** Undefined: on the link. */
  readonly gateway: IpWords | undefined
  readonly metric: number
}

/** One interface's settings, checked. */
export interface InterfaceConfig {
  /** In the order given: the first one of a family is its primary address. */
  readonly addresses: readonly InterfaceAddress[]
  /** An IPv4 address is asked for by DHCP. */
  readonly dhcp: boolean
  /** Told to the DHCP server. */
  readonly hostName: string | undefined
  readonly routes: readonly InterfaceRoute[]
  readonly metric: number
  readonly ipv6: Ipv6Mode
  readonly mac: MacAddress | undefined
  /** 802.1Q identifier, 1 to 4094. */
  readonly vlan: number | undefined
  readonly checksum: ChecksumPolicy
}

/** A stack's settings, checked, with times in nanoseconds. Made from options by `resolveOptions`. */
export interface NetConfig {
  /** Of the first interface; others come with `LibOSContext.interfaces`. */
  readonly interface: InterfaceConfig
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
  readonly ipv6: Ipv6Settings
  readonly sockets: number
  readonly receiveQueue: number
  readonly tcp: TcpSettings
  readonly tcpLimits: TcpLimitConfig
  readonly siblings: SharedArrayBuffer | undefined
  readonly handOff: HandOffShare | undefined
}
