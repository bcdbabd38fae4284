import { type NetBurst, SEGMENT_TCP4, SEGMENT_TCP6, SEGMENT_UDP } from '@parakernel/hal'
import type { MemoryKernel } from '../memory/memory-kernel.ts'
import type { NetworkMemory } from '../shared/network-memory.ts'
import {
  ETHERNET_HEADER,
  ETHERTYPE_AT,
  ETHERTYPE_IPV4,
  ETHERTYPE_VLAN,
  type Headers,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  VLAN_TAG,
} from './headers.ts'
import { checksumVerdict, fold16, pseudoHeaderSum, transportSum } from './transport-checksum.ts'

const TCP_FIN = 0x01
const TCP_PSH = 0x08
const TCP_CWR = 0x80
const TCP_CHECKSUM = 16
const UDP_CHECKSUM = 6

/**
 * Cuts a super-frame into packets of `segmentSize` payload bytes, as TSO and USO do. What the sender wrote into the lengths,
 * the IPv4 checksum and the transport checksum of the super-frame does not matter.
 */
export class Segmenter {
  /** Packets that the super-frame makes. */
  count = 0
  /** Bytes of headers that each repeats, and of payload in all but the last. */
  headerLength = 0
  segmentSize = 0
  payload = 0
  readonly #memory: NetworkMemory
  readonly #kernel: MemoryKernel
  readonly #headers: Headers

  constructor(memory: NetworkMemory, kernel: MemoryKernel, headers: Headers) {
    this.#memory = memory
    this.#kernel = kernel
    this.#headers = headers
  }

  /**
   * Looks at entry `i` of the burst, whose packet was gathered at `at` in the network's memory, and corrects its IP length.
   * False when its headers are not what its flags say.
   */
  prepare(burst: NetBurst, i: number, at: number, length: number): boolean {
    const { view } = this.#memory
    const headers = this.#headers
    const type = burst.flags[i]
    const headerLength = burst.headerLength[i]
    const tagged = view.getUint16(at + ETHERTYPE_AT) === ETHERTYPE_VLAN
    const network = tagged ? ETHERNET_HEADER + VLAN_TAG : ETHERNET_HEADER
    if (headerLength < network + 20 || length - network > 0xffff) return false
    const family = view.getUint16(at + network - 2) === ETHERTYPE_IPV4 ? 4 : 6
    if (family === 4) view.setUint16(at + network + 2, length - network)
    else view.setUint16(at + network + 4, length - network - 40)
    headers.parse(view, at, length)
    if (headers.fragment || !headers.ports || headers.family !== family) return false
    if ((type & SEGMENT_TCP4 && family !== 4) || (type & SEGMENT_TCP6 && family !== 6)) return false
    if (headers.protocol !== (type & SEGMENT_UDP ? PROTOCOL_UDP : PROTOCOL_TCP)) return false
    const transport = at + headers.transport
    const transportHeader = headers.protocol === PROTOCOL_UDP ? 8 : (view.getUint8(transport + 12) >> 4) * 4
    if (headerLength !== headers.transport + transportHeader) return false
    this.headerLength = headerLength
    this.segmentSize = burst.segmentSize[i]
    this.payload = length - headerLength
    this.count = Math.ceil(this.payload / this.segmentSize)
    return true
  }

  /** Payload bytes of the packet number `index`. */
  payloadOf(index: number): number {
    return index < this.count - 1 ? this.segmentSize : this.payload - index * this.segmentSize
  }

  /**
   * Corrects the copied headers of a packet at `at`.
   * @param index number of the segment; with `whole` the super-frame is passed on as it is
   * @param partial leave only the pseudo-header's sum in the checksum field
   */
  finish(at: number, index: number, payload: number, whole: boolean, partial: boolean): void {
    const { view } = this.#memory
    const headers = this.#headers
    const network = at + headers.network
    const transport = at + headers.transport
    const length = this.headerLength - headers.transport + payload
    const tcp = headers.protocol === PROTOCOL_TCP
    if (headers.family === 4) {
      view.setUint16(network + 2, this.headerLength - headers.network + payload)
      view.setUint16(network + 4, view.getUint16(network + 4) + index)
      view.setUint16(network + 10, 0)
      const sum = this.#kernel.sum(network, headers.transport - headers.network)
      view.setUint16(network + 10, ~sum, true)
    } else {
      view.setUint16(network + 4, this.headerLength - headers.network - 40 + payload)
    }
    if (tcp) {
      view.setUint32(transport + 4, view.getUint32(transport + 4) + index * this.segmentSize)
      let flags = view.getUint8(transport + 13)
      if (!whole && index < this.count - 1) flags &= ~(TCP_FIN | TCP_PSH)
      // RFC 3168, section 6.1.2: the window reduction is told once.
      if (index > 0) flags &= ~TCP_CWR
      view.setUint8(transport + 13, flags)
    } else {
      view.setUint16(transport + 4, length)
    }
    const field = transport + (tcp ? TCP_CHECKSUM : UDP_CHECKSUM)
    if (partial) {
      const pseudo = pseudoHeaderSum(this.#kernel, headers.family, network, headers.protocol, length)
      view.setUint16(field, pseudo, true)
      return
    }
    view.setUint16(field, 0)
    const sum = ~fold16(transportSum(this.#kernel, headers, at, length)) & 0xffff
    // RFC 768: a sum of 0 is sent as all ones.
    view.setUint16(field, sum === 0 && !tcp ? 0xffff : sum, true)
  }

  /** What a device that verifies says of a packet that `finish` made: only its length differs from the super-frame's. */
  verdict(at: number, payload: number): number {
    const headers = this.#headers
    const whole = headers.transportLength
    headers.transportLength = this.headerLength - headers.transport + payload
    const verdict = checksumVerdict(this.#kernel, this.#memory.view, headers, at)
    headers.transportLength = whole
    return verdict
  }

  /** Where the transport checksum is, from the start of the transport header. */
  get checksumOffset(): number {
    return this.#headers.protocol === PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM
  }
}
