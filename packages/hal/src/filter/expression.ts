/**
 * A small typed language about one packet, as data: it can be sent to a worker, printed, and compiled by whoever knows
 * how, down to the driver. Values are unsigned 32-bit numbers, or absent: a load beyond the packet's end, a field of a header
 * that is not there. A comparison with something absent is false, its `not` therefore true. No expression has effects, and
 * each ends after a time that its size bounds.
 */
export type FilterExpression =
  | { readonly kind: 'constant'; readonly value: boolean }
  | {
      readonly kind: 'compare'
      readonly operation: FilterComparison
      readonly left: FilterValue
      readonly right: FilterValue
    }
  /** Whether a value is one of a set of up to 1,024. */
  | { readonly kind: 'in'; readonly value: FilterValue; readonly set: readonly number[] }
  /** Whether a value is there at all. */
  | { readonly kind: 'present'; readonly value: FilterValue }
  | { readonly kind: 'all'; readonly of: readonly FilterExpression[] }
  | { readonly kind: 'any'; readonly of: readonly FilterExpression[] }
  | { readonly kind: 'not'; readonly of: FilterExpression }

export type FilterComparison = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'

export type FilterValue =
  | { readonly kind: 'number'; readonly value: number }
  /** Big-endian, `width` bytes at `offset` from where `base` begins. */
  | { readonly kind: 'load'; readonly base: FilterBase; readonly offset: number; readonly width: 1 | 2 | 4 }
  /** A field of a protocol's header by name. */
  | { readonly kind: 'field'; readonly name: FilterField }
  /** Bytes from where `base` begins to the end of the packet, padding of the link not counted. */
  | { readonly kind: 'length'; readonly base: FilterBase }
  /** FNV-1a of up to 64 bytes, folded once; absent where the packet ends before. See `filterHash`. */
  | {
      readonly kind: 'hash'
      readonly base: FilterBase
      readonly offset: number
      readonly length: number
      readonly seed: number
    }
  | {
      readonly kind: 'arithmetic'
      readonly operation: 'and' | 'shiftRight' | 'modulo'
      readonly of: FilterValue
      readonly by: number
    }

/**
 * Where things begin: the Ethernet frame, the IP header, the header of what IP carries (not in later fragments), and what UDP or
 * TCP carry. An element of a queue above a libOS, a datagram say, has a payload alone.
 */
export type FilterBase = 'frame' | 'network' | 'transport' | 'payload'
export const FILTER_BASES: readonly FilterBase[] = ['frame', 'network', 'transport', 'payload']

/** Names after Wireshark's; where they lie is in `FILTER_FIELDS`. */
export type FilterField =
  | 'ethernet.type'
  | 'vlan.id'
  | 'ip.version'
  | 'ip.protocol'
  | 'ipv4.source'
  | 'ipv4.destination'
  | 'ipv4.ttl'
  | 'ipv4.dscp'
  | 'ipv6.source.0'
  | 'ipv6.source.1'
  | 'ipv6.source.2'
  | 'ipv6.source.3'
  | 'ipv6.destination.0'
  | 'ipv6.destination.1'
  | 'ipv6.destination.2'
  | 'ipv6.destination.3'
  | 'ipv6.hopLimit'
  | 'udp.sourcePort'
  | 'udp.destinationPort'
  | 'tcp.sourcePort'
  | 'tcp.destinationPort'
  | 'tcp.flags'
  | 'port.source'
  | 'port.destination'
  | 'icmp.type'

type Operand = FilterValue | number

const asValue = (operand: Operand): FilterValue =>
  typeof operand === 'number' ? { kind: 'number', value: operand } : operand

const comparison =
  (operation: FilterComparison) =>
  (left: Operand, right: Operand): FilterExpression => ({
    kind: 'compare',
    operation,
    left: asValue(left),
    right: asValue(right),
  })

/** What an application writes expressions with: `expr.eq(expr.field('udp.destinationPort'), 53)`. */
export const expr = {
  always: { kind: 'constant', value: true } as FilterExpression,
  never: { kind: 'constant', value: false } as FilterExpression,
  eq: comparison('eq'),
  ne: comparison('ne'),
  lt: comparison('lt'),
  le: comparison('le'),
  gt: comparison('gt'),
  ge: comparison('ge'),
  within: (value: FilterValue, set: Iterable<number>): FilterExpression => ({ kind: 'in', value, set: [...set] }),
  present: (value: FilterValue): FilterExpression => ({ kind: 'present', value }),
  all: (...of: FilterExpression[]): FilterExpression => ({ kind: 'all', of }),
  any: (...of: FilterExpression[]): FilterExpression => ({ kind: 'any', of }),
  not: (of: FilterExpression): FilterExpression => ({ kind: 'not', of }),
  field: (name: FilterField): FilterValue => ({ kind: 'field', name }),
  load: (base: FilterBase, offset: number, width: 1 | 2 | 4): FilterValue => ({ kind: 'load', base, offset, width }),
  length: (base: FilterBase): FilterValue => ({ kind: 'length', base }),
  hash: (base: FilterBase, offset: number, length: number, seed = 0): FilterValue => ({
    kind: 'hash',
    base,
    offset,
    length,
    seed,
  }),
  and: (of: FilterValue, by: number): FilterValue => ({ kind: 'arithmetic', operation: 'and', of, by }),
  shiftRight: (of: FilterValue, by: number): FilterValue => ({ kind: 'arithmetic', operation: 'shiftRight', of, by }),
  modulo: (of: FilterValue, by: number): FilterValue => ({ kind: 'arithmetic', operation: 'modulo', of, by }),
} as const
