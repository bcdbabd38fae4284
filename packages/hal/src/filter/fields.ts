import type { FilterBase, FilterField } from './expression.ts'

export const PROTOCOL_ICMP = 1
export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17
export const PROTOCOL_ICMPV6 = 58

/** Facts about a packet that are found while its headers are looked for. */
export type FilterFact = 'etherType' | 'vlan' | 'version' | 'protocol'

export interface FieldPlace {
  readonly base: FilterBase
  readonly offset: number
  readonly width: 1 | 2 | 4
  readonly shift: number
  readonly mask: number
  /** The IP version whose header it is in; 0 for either. */
  readonly version: 0 | 4 | 6
  /** Protocols in IP whose header it is in; any when empty. */
  readonly protocols: readonly number[]
}

/** What a name stands for: bits of a header, or a fact. */
export type FieldMeaning = { readonly fact: FilterFact } | FieldPlace

const at = (base: FilterBase, offset: number, width: 1 | 2 | 4, more: Partial<FieldPlace> = {}): FieldPlace => ({
  base,
  offset,
  width,
  shift: 0,
  mask: width === 4 ? 0xffff_ffff : width === 2 ? 0xffff : 0xff,
  version: 0,
  protocols: [],
  ...more,
})

const v4 = { version: 4 } as const
const v6 = { version: 6 } as const
const udp = { protocols: [PROTOCOL_UDP] }
const tcp = { protocols: [PROTOCOL_TCP] }
const ports = { protocols: [PROTOCOL_TCP, PROTOCOL_UDP] }

/** RFC 791 section 3.1, RFC 8200 section 3, RFC 768, RFC 9293 section 3.1, RFC 792. */
export const FILTER_FIELDS: Readonly<Record<FilterField, FieldMeaning>> = {
  'ethernet.type': { fact: 'etherType' },
  'vlan.id': { fact: 'vlan' },
  'ip.version': { fact: 'version' },
  'ip.protocol': { fact: 'protocol' },
  'ipv4.source': at('network', 12, 4, v4),
  'ipv4.destination': at('network', 16, 4, v4),
  'ipv4.ttl': at('network', 8, 1, v4),
  'ipv4.dscp': at('network', 1, 1, { ...v4, shift: 2, mask: 0x3f }),
  'ipv6.source.0': at('network', 8, 4, v6),
  'ipv6.source.1': at('network', 12, 4, v6),
  'ipv6.source.2': at('network', 16, 4, v6),
  'ipv6.source.3': at('network', 20, 4, v6),
  'ipv6.destination.0': at('network', 24, 4, v6),
  'ipv6.destination.1': at('network', 28, 4, v6),
  'ipv6.destination.2': at('network', 32, 4, v6),
  'ipv6.destination.3': at('network', 36, 4, v6),
  'ipv6.hopLimit': at('network', 7, 1, v6),
  'udp.sourcePort': at('transport', 0, 2, udp),
  'udp.destinationPort': at('transport', 2, 2, udp),
  'tcp.sourcePort': at('transport', 0, 2, tcp),
  'tcp.destinationPort': at('transport', 2, 2, tcp),
  'tcp.flags': at('transport', 13, 1, tcp),
  'port.source': at('transport', 0, 2, ports),
  'port.destination': at('transport', 2, 2, ports),
  'icmp.type': at('transport', 0, 1, { protocols: [PROTOCOL_ICMP, PROTOCOL_ICMPV6] }),
}
