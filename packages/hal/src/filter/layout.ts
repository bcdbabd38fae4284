import { PROTOCOL_TCP, PROTOCOL_UDP } from './fields.ts'

const ETHERNET_HEADER = 14
const TYPE_VLAN = 0x8100
const TYPE_SERVICE_VLAN = 0x88a8
const TYPE_IPV4 = 0x0800
const TYPE_IPV6 = 0x86dd
const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const DESTINATION_OPTIONS = 60
/** IPv6 extension headers that are walked; behind more, the transport header counts as absent. */
export const MAX_EXTENSION_HEADERS = 4

/**
 * Where the headers of a packet lie, and what they say of one another; -1 for what is absent. Found once, then read by every part
 * of an expression. One tag of a VLAN is looked behind.
 */
export class PacketLayout {
  frame = -1
  network = -1
  transport = -1
  payload = -1
  /** Behind the last byte of the frame, and of the packet in it (an IP header may say that the rest is padding). */
  frameEnd = 0
  end = 0
  etherType = -1
  vlan = -1
  version = -1
  protocol = -1

  /** An element that is its payload alone: a datagram, a record. */
  ofPayload(start: number, length: number): void {
    this.#reset()
    this.payload = start
    this.frameEnd = start + length
    this.end = this.frameEnd
  }

  /** An Ethernet frame at `start` in `bytes`. */
  ofFrame(bytes: Uint8Array, start: number, length: number): void {
    this.#reset()
    this.frame = start
    this.frameEnd = start + length
    this.end = this.frameEnd
    if (length < ETHERNET_HEADER) return
    let type = (bytes[start + 12] << 8) | bytes[start + 13]
    let network = start + ETHERNET_HEADER
    if (type === TYPE_VLAN || type === TYPE_SERVICE_VLAN) {
      if (network + 4 > this.frameEnd) return
      this.vlan = ((bytes[network] << 8) | bytes[network + 1]) & 0xfff
      type = (bytes[network + 2] << 8) | bytes[network + 3]
      network += 4
    }
    this.etherType = type
    if (type === TYPE_IPV4) this.#ipv4(bytes, network)
    else if (type === TYPE_IPV6) this.#ipv6(bytes, network)
  }

  #reset(): void {
    this.frame = -1
    this.network = -1
    this.transport = -1
    this.payload = -1
    this.etherType = -1
    this.vlan = -1
    this.version = -1
    this.protocol = -1
  }

  #ipv4(bytes: Uint8Array, at: number): void {
    if (at + 20 > this.frameEnd || bytes[at] >> 4 !== 4) return
    const headerLength = (bytes[at] & 0xf) * 4
    const totalLength = (bytes[at + 2] << 8) | bytes[at + 3]
    if (headerLength < 20 || totalLength < headerLength) return
    if (at + headerLength > this.frameEnd) return
    this.network = at
    this.version = 4
    if (at + totalLength < this.end) this.end = at + totalLength
    this.protocol = bytes[at + 9]
    const isLaterFragment = (((bytes[at + 6] << 8) | bytes[at + 7]) & 0x1fff) !== 0
    if (!isLaterFragment) this.#transport(bytes, at + headerLength)
  }

  #ipv6(bytes: Uint8Array, at: number): void {
    if (at + 40 > this.frameEnd || bytes[at] >> 4 !== 6) return
    const payloadLength = (bytes[at + 4] << 8) | bytes[at + 5]
    this.network = at
    this.version = 6
    if (at + 40 + payloadLength < this.end) this.end = at + 40 + payloadLength
    let next = bytes[at + 6]
    let behind = at + 40
    for (let i = 0; i < MAX_EXTENSION_HEADERS; i++) {
      if (next !== HOP_BY_HOP && next !== ROUTING && next !== FRAGMENT && next !== DESTINATION_OPTIONS) break
      if (behind + 8 > this.end) {
        this.protocol = next
        return
      }
      const isFragment = next === FRAGMENT
      const isLaterFragment = isFragment && (((bytes[behind + 2] << 8) | bytes[behind + 3]) & 0xfff8) !== 0
      next = bytes[behind]
      behind += isFragment ? 8 : (bytes[behind + 1] + 1) * 8
      if (isLaterFragment) {
        this.protocol = next
        return
      }
    }
    this.protocol = next
    this.#transport(bytes, behind)
  }

  /** Its first 8 bytes must be there: ports, or the type and code of ICMP. */
  #transport(bytes: Uint8Array, at: number): void {
    if (at + 8 > this.end) return
    this.transport = at
    if (this.protocol === PROTOCOL_UDP) this.payload = at + 8
    else if (this.protocol === PROTOCOL_TCP && at + 20 <= this.end) {
      const headerLength = (bytes[at + 12] >> 4) * 4
      if (headerLength >= 20 && at + headerLength <= this.end) this.payload = at + headerLength
    }
  }
}
