import * as icmpv6 from '../icmpv6/wire.ts'
import { isMulticast, isUnspecified } from '../ipv6/address.ts'
import {
  DROP_IP6_BAD_SOURCE,
  DROP_IP6_FOREIGN_DESTINATION,
  DROP_IP6_FRAGMENT_EXHAUSTED,
  DROP_IP6_FRAGMENT_TIMEOUT,
  DROP_IP6_LINK_GROUP_UNICAST,
  DROP_IP6_NO_NEXT_HEADER,
  DROP_IP6_NOT_MEMBER,
  DROP_IP6_UNKNOWN_PROTOCOL,
  IP6_IN_DELIVERS,
  IP6_IN_MCAST_PKTS,
  IP6_IN_RECEIVES,
  IP6_REASM_OKS,
  IP6_REASM_REQDS,
  ND_DUPLICATES,
} from '../ipv6/counters.ts'
import { CHAIN_OK, HeaderChain, walkHeaders } from '../ipv6/extension-headers.ts'
import { checkAddresses, checkHeader, HEADER_OK } from '../ipv6/header-check.ts'
import { FRAGMENT_COMPLETE, FRAGMENT_KEPT, type Ipv6Reassembly } from '../ipv6/reassembly.ts'
import * as ipv6 from '../ipv6/wire.ts'
import { type PacketMemory, packetMemory } from '../packet-memory.ts'
import { type AddressTable, isUsable } from './address-table.ts'
import type { StackContext } from './context.ts'
import type { Incoming, TransportInput } from './incoming.ts'
import type { InterfaceServices } from './interface-services.ts'
import type { Icmpv6Input } from './ipv6-icmp-input.ts'
import type { Icmpv6Output } from './ipv6-icmp-output.ts'

/** The layers above and beside IPv6. */
export interface Ipv6Layers {
  readonly addresses: AddressTable
  /** By index of the interface. */
  readonly services: readonly InterfaceServices[]
  readonly reassembly: Ipv6Reassembly
  readonly icmpInput: Icmpv6Input
  readonly icmpOutput: Icmpv6Output
  readonly udp: TransportInput
  /** Undefined without streams. */
  readonly tcp: TransportInput | undefined
}

/** The slow path of IPv6: every packet, checked in order, from its header up (RFC 8200). */
export class Ipv6Input {
  readonly #context: StackContext
  readonly #layers: Ipv6Layers
  readonly #chain = new HeaderChain()
  /** Where the quotation of an expired datagram stands for a moment. */
  #scratch: PacketMemory | undefined

  constructor(context: StackContext, layers: Ipv6Layers) {
    this.#context = context
    this.#layers = layers
  }

  /** The packet whose header begins at `incoming.packet`. May pass the frame on. */
  receive(incoming: Incoming): void {
    const { memory, packet, loopback, interface: iface, source, destination } = incoming
    const { view } = memory
    const { counters6 } = this.#context
    const { values } = counters6
    if (this.#layers.services[iface.index].ipv6 === undefined && !loopback) {
      counters6.drop(DROP_IP6_FOREIGN_DESTINATION)
      return
    }
    values[IP6_IN_RECEIVES]++
    const wrong = checkHeader(view, packet, incoming.length)
    if (wrong !== HEADER_OK) {
      counters6.drop(wrong)
      return
    }
    ipv6.readAddress(view, packet + ipv6.SOURCE, source)
    ipv6.readAddress(view, packet + ipv6.DESTINATION, destination)
    incoming.family = 6
    incoming.length = ipv6.HEADER_LENGTH + ipv6.payloadLength(view, packet)
    incoming.trafficClass = ipv6.trafficClass(view, packet)
    incoming.hopLimit = ipv6.hopLimit(view, packet)
    const foreign = loopback ? HEADER_OK : checkAddresses(source, destination)
    if (foreign !== HEADER_OK) {
      counters6.drop(foreign)
      return
    }
    if (!loopback && this.#isOwnSource(incoming)) return
    incoming.group = isMulticast(destination)
    if (incoming.group) {
      if (!this.#isMember(incoming)) {
        counters6.drop(DROP_IP6_NOT_MEMBER)
        return
      }
      values[IP6_IN_MCAST_PKTS]++
    } else {
      const owner = this.#layers.addresses.ownerOf(destination)
      // We never forward, and an address belongs to one interface.
      if (owner === undefined || (owner !== iface && !loopback)) {
        counters6.drop(DROP_IP6_FOREIGN_DESTINATION)
        return
      }
      if (incoming.linkGroup) {
        counters6.drop(DROP_IP6_LINK_GROUP_UNICAST)
        return
      }
    }
    this.#headers(incoming, false)
  }

  /** Reports datagrams whose fragments did not all come in time (RFC 8200 section 4.5, time exceeded, code 1). */
  expireFragments(now: number): void {
    this.#layers.reassembly.expire(now, (datagram) => {
      this.#context.counters6.drop(DROP_IP6_FRAGMENT_TIMEOUT)
      const { quoteLength, quote, linkGroup, source, destination } = datagram
      // Without the first fragment nothing is sent.
      if (quoteLength === 0) return
      this.#scratch ??= packetMemory(new SharedArrayBuffer(ipv6.LEAST_MTU))
      this.#scratch.bytes.set(quote.subarray(0, quoteLength))
      const { icmpOutput } = this.#layers
      const { TIME_EXCEEDED, REASSEMBLY_TIME } = icmpv6
      icmpOutput.reportQuoted(
        this.#scratch,
        quoteLength,
        linkGroup,
        source,
        destination,
        TIME_EXCEEDED,
        REASSEMBLY_TIME,
      )
    })
  }

  /**
   * Somebody else sends from an address of ours, and is not heard; but an advertisement of it says that he has it
   * too, which duplicate detection is to know (RFC 4862 section 5.4.4).
   */
  #isOwnSource({ memory: { view }, packet, length, source }: Incoming): boolean {
    const { counters6 } = this.#context
    const own = this.#layers.addresses.find(source)
    // One that turned out to be another host's is not ours.
    if (own === undefined || own.state === 'duplicate') return false
    const message = packet + ipv6.HEADER_LENGTH
    const isAdvertisement =
      length > ipv6.HEADER_LENGTH &&
      ipv6.nextHeader(view, packet) === ipv6.NEXT_ICMPV6 &&
      icmpv6.type(view, message) === icmpv6.NEIGHBOR_ADVERTISEMENT
    if (isAdvertisement) {
      if (isUsable(own)) counters6.values[ND_DUPLICATES]++
      return false
    }
    counters6.drop(DROP_IP6_BAD_SOURCE)
    return true
  }

  #isMember({ interface: iface, loopback, destination }: Incoming): boolean {
    const { services } = this.#layers
    if (!loopback) return services[iface.index].ipv6?.listener.isMember(destination) === true
    return services.some(({ ipv6: host }) => host?.listener.isMember(destination) === true)
  }

  #headers(incoming: Incoming, reassembled: boolean): void {
    const { memory, packet, length, group, source } = incoming
    const { counters6 } = this.#context
    const { icmpOutput } = this.#layers
    const chain = this.#chain
    const end = packet + length
    const wrong = walkHeaders(memory.view, packet, end, group, chain)
    if (wrong !== CHAIN_OK) {
      counters6.drop(wrong)
      icmpOutput.reportProblem(incoming, chain)
      return
    }
    // Nobody has no address: only the messages of hosts that look for one come from there.
    if (isUnspecified(source) && chain.protocol !== ipv6.NEXT_ICMPV6) counters6.drop(DROP_IP6_BAD_SOURCE)
    else if (chain.protocol === ipv6.NEXT_FRAGMENT) this.#fragment(incoming, end)
    else this.#transport(incoming, chain.at, end - chain.at, reassembled || chain.fragmented)
  }

  #fragment(incoming: Incoming, end: number): void {
    const { counters6, time, pool } = this.#context
    const { reassembly, icmpOutput } = this.#layers
    const { values } = counters6
    values[IP6_REASM_REQDS]++
    const { displaced } = reassembly
    const chain = this.#chain
    const result = reassembly.insert(incoming.memory, incoming.packet, end, chain, incoming.linkGroup, time[0])
    if (reassembly.displaced !== displaced) counters6.drop(DROP_IP6_FRAGMENT_EXHAUSTED)
    if (result === FRAGMENT_KEPT) return
    if (result !== FRAGMENT_COMPLETE) {
      counters6.drop(result)
      icmpOutput.reportProblem(incoming, chain)
      return
    }
    values[IP6_REASM_OKS]++
    const { complete } = reassembly
    if (incoming.frame >= 0) pool.release(incoming.frame)
    incoming.frame = -1
    incoming.memory = complete.memory
    incoming.ethernet = -1
    incoming.packet = complete.packet
    incoming.length = complete.length
    incoming.trafficClass = ipv6.trafficClass(complete.memory.view, complete.packet)
    // A device has seen only fragments: its word about a checksum is about one of those.
    incoming.flags = 0
    incoming.segmentSize = 0
    incoming.linkGroup = complete.linkGroup
    this.#headers(incoming, true)
  }

  #transport(incoming: Incoming, at: number, length: number, fragmented: boolean): void {
    const { counters6 } = this.#context
    const { udp, tcp, icmpInput, icmpOutput } = this.#layers
    const { protocol, nextHeaderAt, routerAlert } = this.#chain
    incoming.protocol = protocol
    incoming.transport = at
    incoming.transportLength = length
    const { values } = counters6
    if (protocol === ipv6.NEXT_UDP) {
      values[IP6_IN_DELIVERS]++
      udp.receive(incoming, at, length)
    } else if (protocol === ipv6.NEXT_TCP && tcp !== undefined) {
      values[IP6_IN_DELIVERS]++
      tcp.receive(incoming, at, length)
    } else if (protocol === ipv6.NEXT_ICMPV6) {
      values[IP6_IN_DELIVERS]++
      icmpInput.receive(incoming, at, length, routerAlert, fragmented)
    } else if (protocol === ipv6.NEXT_NONE) {
      // RFC 8200 section 4.7: what follows is ignored.
      counters6.drop(DROP_IP6_NO_NEXT_HEADER)
    } else {
      counters6.drop(DROP_IP6_UNKNOWN_PROTOCOL)
      const pointer = nextHeaderAt - incoming.packet
      icmpOutput.report(incoming, icmpv6.PARAMETER_PROBLEM, icmpv6.UNKNOWN_NEXT_HEADER, pointer)
    }
  }
}
