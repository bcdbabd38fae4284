/** Bytes of an Ethernet header without tags. */
export const ETHERNET_HEADER = 14
