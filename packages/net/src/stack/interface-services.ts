import type { ArpService } from './arp-service.ts'
import type { DhcpService } from './dhcp-service.ts'
import type { GroupFilter } from './group-filter.ts'
import type { MembershipService } from './igmp-service.ts'
import type { NetInterface } from './interface.ts'
import type { Ipv6Host } from './ipv6-host.ts'

/** The protocols that each interface speaks by itself. The loopback interface needs none of them. */
export interface InterfaceServices {
  readonly interface: NetInterface
  readonly arp: ArpService | undefined
  readonly membership: MembershipService | undefined
  readonly filter: GroupFilter | undefined
  /** There when IPv6 is spoken. */
  readonly ipv6: Ipv6Host | undefined
  /** There when the interface's IPv4 address is a server's to give. */
  dhcp: DhcpService | undefined
}
