/** Bytes of an Ethernet header without tags, and of an 802.1Q tag. */
export const ETHERNET_HEADER = 14
export const VLAN_TAG = 4
/** Longest super-frame: an IP packet of 65535 bytes behind its Ethernet header. */
export const LONGEST_FRAME = ETHERNET_HEADER + 65_535
