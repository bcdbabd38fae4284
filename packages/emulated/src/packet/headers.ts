export const ETHERTYPE_AT = 12
export const ETHERTYPE_IPV4 = 0x0800
export const ETHERTYPE_IPV6 = 0x86dd
export const ETHERTYPE_VLAN = 0x8100
export const ETHERNET_HEADER = 14
export const VLAN_TAG = 4
export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17

const IPV6_HEADER = 40
const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const DESTINATION_OPTIONS = 60

/**
 * What the hardware's parser finds in a packet. One object a queue, filled anew for each packet; offsets are from the start
 * of the packet. A packet that ends within a header counts as having no more than the headers before it.
 */
export class Headers {
  /** An 802.1Q tag is in the packet, with this control information. */
  tagged = false
  tag = 0
  /** 4, 6 or 0. */
  family = 0
  network = 0
  /** Transport protocol, 0 where none was reached. */
  protocol = 0
  transport = 0
  /** Bytes from the transport header to the end of the IP packet; less than the frame's where that is padded. */
  transportLength = 0
  /** A fragment: the ports are not those of every part, so neither ports nor checksum are looked at. */
  fragment = false
  /** UDP or TCP ports are there. */
  ports = false

  parse(view: DataView, at: number, length: number): void {
    this.tagged = false
    this.tag = 0
    this.family = 0
    this.protocol = 0
    this.transport = 0
    this.transportLength = 0
    this.fragment = false
    this.ports = false
    let network = ETHERNET_HEADER
    let type = view.getUint16(at + ETHERTYPE_AT)
    if (type === ETHERTYPE_VLAN && length >= ETHERNET_HEADER + VLAN_TAG) {
      this.tagged = true
      this.tag = view.getUint16(at + 14)
      type = view.getUint16(at + 16)
      network = ETHERNET_HEADER + VLAN_TAG
    }
    this.network = network
    if (type === ETHERTYPE_IPV4) this.#parse4(view, at, length)
    else if (type === ETHERTYPE_IPV6) this.#parse6(view, at, length)
    this.ports =
      !this.fragment &&
      (this.protocol === PROTOCOL_UDP || this.protocol === PROTOCOL_TCP) &&
      this.transportLength >= (this.protocol === PROTOCOL_UDP ? 8 : 20)
  }

  #parse4(view: DataView, at: number, length: number): void {
    const network = this.network
    if (length < network + 20) return
    const first = view.getUint8(at + network)
    const header = (first & 15) * 4
    const total = view.getUint16(at + network + 2)
    if (first >> 4 !== 4 || header < 20 || total < header || network + total > length) return
    this.family = 4
    this.protocol = view.getUint8(at + network + 9)
    this.transport = network + header
    this.transportLength = total - header
    // RFC 791: more fragments, or an offset.
    this.fragment = (view.getUint16(at + network + 6) & 0x3fff) !== 0
  }

  #parse6(view: DataView, at: number, length: number): void {
    const network = this.network
    if (length < network + IPV6_HEADER || view.getUint8(at + network) >> 4 !== 6) return
    const end = network + IPV6_HEADER + view.getUint16(at + network + 4)
    if (end > length) return
    this.family = 6
    let next = view.getUint8(at + network + 6)
    let offset = network + IPV6_HEADER
    while (next === HOP_BY_HOP || next === ROUTING || next === DESTINATION_OPTIONS || next === FRAGMENT) {
      if (offset + 8 > end) return
      // A fragment header whose offset and more-flag are both 0 is a whole packet (RFC 6946).
      if (next === FRAGMENT) this.fragment = (view.getUint16(at + offset + 2) & 0xfff9) !== 0
      const size = next === FRAGMENT ? 8 : 8 + view.getUint8(at + offset + 1) * 8
      next = view.getUint8(at + offset)
      offset += size
      if (offset > end) return
    }
    this.protocol = next
    this.transport = offset
    this.transportLength = end - offset
  }
}

/** Bytes of the two addresses of an IP header, and where they start in it. */
export function addressesAt(family: number): number {
  return family === 4 ? 12 : 8
}

export function addressesLength(family: number): number {
  return family === 4 ? 8 : 32
}
