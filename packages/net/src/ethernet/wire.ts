/**
 * Ethernet II (IEEE 802.3) with an optional 802.1Q tag.
 *
 *      0               6               12      14
 *     | destination    | source        | type  | payload ...          untagged
 *     | destination    | source        | 8100  | TCI | type | ...     tagged: payload at 18
 *
 * A MAC address is a pair of integers: `high`, its first four bytes as an int32, and `low`, its last two.
 */
export const SOURCE = 6
export const HEADER_LENGTH = 14
export const TAG_LENGTH = 4

export const TYPE_IPV4 = 0x0800
export const TYPE_ARP = 0x0806
export const TYPE_VLAN = 0x8100
export const TYPE_IPV6 = 0x86dd

/** First four bytes of an IPv4 group's MAC address 01:00:5e:..., with the group's bits 16 to 22 (RFC 1112 section 6.4). */
export const MULTICAST_HIGH = 0x01005e00
/** First four bytes of an IPv6 group's MAC address 33:33:..., with the group's bits 96 to 111 (RFC 2464 section 7). */
export const MULTICAST6_HIGH = 0x3333_0000
export const BROADCAST_HIGH = -1
export const BROADCAST_LOW = 0xffff

/** Identifier in a tag control information field; 0 is a tag that carries a priority and no VLAN. */
export const vlanId = (tci: number): number => tci & 0x0fff

export const destinationHigh = (view: DataView, at: number): number => view.getInt32(at)
export const destinationLow = (view: DataView, at: number): number => view.getUint16(at + 4)
export const sourceHigh = (view: DataView, at: number): number => view.getInt32(at + 6)
export const sourceLow = (view: DataView, at: number): number => view.getUint16(at + 10)
export const type = (view: DataView, at: number): number => view.getUint16(at + 12)
/** Tag control information of a tagged frame. */
export const tci = (view: DataView, at: number): number => view.getUint16(at + 14)
/** Type of what follows the tag. */
export const taggedType = (view: DataView, at: number): number => view.getUint16(at + 16)

/** Group bit (IEEE 802.3): broadcast and multicast addresses. */
export const isGroup = (high: number): boolean => (high & 0x0100_0000) !== 0

export function setDestination(view: DataView, at: number, high: number, low: number): void {
  view.setInt32(at, high)
  view.setUint16(at + 4, low)
}

export function setSource(view: DataView, at: number, high: number, low: number): void {
  view.setInt32(at + 6, high)
  view.setUint16(at + 10, low)
}

export function setType(view: DataView, at: number, value: number): void {
  view.setUint16(at + 12, value)
}

export function setTag(view: DataView, at: number, tagControl: number, payloadType: number): void {
  view.setUint16(at + 12, TYPE_VLAN)
  view.setUint16(at + 14, tagControl)
  view.setUint16(at + 16, payloadType)
}

/** The MAC address of an IPv4 group: its first four bytes. */
export const multicastHigh = (group: number): number => MULTICAST_HIGH | ((group >>> 16) & 0x7f)
/** Its last two. */
export const multicastLow = (group: number): number => group & 0xffff

/** The MAC address of an IPv6 group, by the last word of the group: its first four bytes. */
export const multicast6High = (lastWord: number): number => MULTICAST6_HIGH | (lastWord >>> 16)
/** Its last two. */
export const multicast6Low = (lastWord: number): number => lastWord & 0xffff
