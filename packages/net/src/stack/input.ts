import {
  COLUMN_SEGMENT,
  COLUMN_VLAN,
  copyBytes,
  type NetBurst,
  packetEntries,
  SEGMENT_ANY,
  VLAN_TAGGED,
} from '@parakernel/hal'
import * as ethernet from '../ethernet/wire.ts'
import * as icmp from '../icmp/wire.ts'
import { type Ipv4Address, isMulticast } from '../ipv4/address.ts'
import { checkHeader, checkSource, HEADER_OK } from '../ipv4/header-check.ts'
import { FRAGMENT_COMPLETE, FRAGMENT_KEPT, type PartialDatagram, type Reassembly } from '../ipv4/reassembly.ts'
import * as ipv4 from '../ipv4/wire.ts'
import { type PacketMemory, packetMemory } from '../packet-memory.ts'
import {
  DROP_IP_BAD_SOURCE,
  DROP_IP_FOREIGN_DESTINATION,
  DROP_IP_FRAGMENT_EXHAUSTED,
  DROP_IP_FRAGMENT_TIMEOUT,
  DROP_IP_LINK_BROADCAST_UNICAST,
  DROP_IP_NOT_MEMBER,
  DROP_IP_UNKNOWN_PROTOCOL,
  DROP_LINK_CHAIN_TOO_LONG,
  DROP_LINK_FOREIGN_DESTINATION,
  DROP_LINK_FOREIGN_VLAN,
  DROP_LINK_HAND_OFF_TOO_LONG,
  DROP_LINK_NO_FRAME,
  DROP_LINK_RUNT_FRAME,
  DROP_LINK_UNKNOWN_ETHER_TYPE,
  IP_IN_BCAST_PKTS,
  IP_IN_DELIVERS,
  IP_IN_MCAST_PKTS,
  IP_IN_RECEIVES,
  IP_REASM_OKS,
  IP_REASM_REQDS,
} from '../statistics/counters.ts'
import { IF_IN_BROADCAST_PKTS, IF_IN_MULTICAST_PKTS, IF_IN_UNKNOWN_PROTOS } from '../statistics/interface-statistics.ts'
import type { AddressTable } from './address-table.ts'
import { concernsAll } from './concerns-all.ts'
import type { StackContext } from './context.ts'
import type { SlowPath } from './fast-path.ts'
import { type HandedPacket, type HandOff, LONGEST_HANDED } from './hand-off.ts'
import type { IcmpInput } from './icmp-input.ts'
import type { IcmpOutput } from './icmp-output.ts'
import { createIncoming, type Incoming, setMapped, type TransportInput } from './incoming.ts'
import type { Link, NetInterface } from './interface.ts'
import type { InterfaceServices } from './interface-services.ts'

/** The longest packet that is gathered from a chain. */
const SCRATCH = 65_536 + ethernet.HEADER_LENGTH + ethernet.TAG_LENGTH

/** The layers that a packet passes through on its way up. */
export interface Layers {
  readonly addresses: AddressTable
  /** To the other partitions of our addresses, if there are any. */
  readonly handOff: HandOff | undefined
  /** By index of the interface. */
  readonly services: readonly InterfaceServices[]
  readonly reassembly: Reassembly
  readonly icmpInput: IcmpInput
  readonly icmpOutput: IcmpOutput
  readonly udp: TransportInput
  /** Undefined without streams. */
  readonly tcp: TransportInput | undefined
  /** Takes the packets of IPv6, whose header begins at `incoming.packet`; undefined without that family. */
  readonly ipv6: { receive(incoming: Incoming): void } | undefined
}

/** The slow path: every packet, checked in order, from Ethernet up. Written for the reader; the fast path does the volume. */
export class Input implements SlowPath {
  readonly #context: StackContext
  readonly #layers: Layers
  readonly #scratch: PacketMemory
  readonly #incoming: Incoming

  constructor(context: StackContext, first: NetInterface, layers: Layers) {
    this.#context = context
    this.#layers = layers
    this.#scratch = packetMemory(new SharedArrayBuffer((SCRATCH + 3) & ~3))
    this.#incoming = createIncoming(context.memory, first)
  }

  packet(burst: NetBurst, i: number, link: Link, now: number): number {
    const { pool, memory, counters } = this.#context
    const entries = packetEntries(burst, i)
    this.#context.timersMoved = true
    const incoming = this.#incoming
    const flags = burst.flags[i]
    incoming.flags = flags
    incoming.segmentSize =
      (flags & SEGMENT_ANY) !== 0 && (burst.columns & COLUMN_SEGMENT) !== 0 ? burst.segmentSize[i] : 0
    incoming.link = link
    incoming.interface = link.interface
    incoming.loopback = link.interface.loopback
    let length = burst.length[i]
    let at: number
    if (entries === 1) {
      incoming.memory = memory
      incoming.frame = burst.frame[i]
      at = pool.address(burst.frame[i]) + burst.offset[i]
    } else {
      incoming.memory = this.#scratch
      incoming.frame = -1
      length = this.#gather(burst, i, entries)
      at = 0
    }
    if (length < 0) counters.drop(DROP_LINK_CHAIN_TOO_LONG)
    else this.#ethernet(incoming, at, length, this.#tagOf(burst, i), now)
    if (incoming.frame >= 0) pool.release(incoming.frame)
    return entries
  }

  /** Reports datagrams whose fragments did not all come in time (RFC 792, time exceeded, code 1). */
  expireFragments(now: number): void {
    this.#layers.reassembly.expire(now, (datagram) => {
      this.#context.counters.drop(DROP_IP_FRAGMENT_TIMEOUT)
      // Without the fragment at offset 0 nothing is sent (RFC 792).
      if (datagram.quoteLength === 0) return
      this.#scratch.bytes.set(datagram.quote.subarray(0, datagram.quoteLength))
      const { quoteLength, linkGroup, destination } = datagram
      const { icmpOutput, addresses } = this.#layers
      const iface = addresses.ownerOfIpv4(destination)
      // Sent to a group, or to an address that is ours no longer.
      if (iface === undefined) return
      icmpOutput.reportQuoted(iface, this.#scratch, quoteLength, linkGroup, icmp.TIME_EXCEEDED, icmp.REASSEMBLY_TIME)
    })
  }

  /** Copies a chain into the scratch memory and releases its frames; the length, or -1 when it is too long. */
  #gather(burst: NetBurst, first: number, entries: number): number {
    const { pool } = this.#context
    let length = 0
    for (let i = first; i < first + entries; i++) {
      const from = pool.address(burst.frame[i]) + burst.offset[i]
      const bytes = burst.length[i]
      if (length >= 0 && length + bytes <= SCRATCH) {
        copyBytes(pool.bytes, from, bytes, this.#scratch.bytes, length)
        length += bytes
      } else {
        length = -1
      }
      pool.release(burst.frame[i])
    }
    return length
  }

  /** The tag that the device took out, or -1. */
  #tagOf(burst: NetBurst, i: number): number {
    return (burst.flags[i] & VLAN_TAGGED) !== 0 && (burst.columns & COLUMN_VLAN) !== 0 ? burst.vlan[i] : -1
  }

  #ethernet(incoming: Incoming, at: number, length: number, tagTaken: number, now: number): void {
    const { view } = incoming.memory
    const { counters, mac, vlanId } = incoming.interface
    if (length < ethernet.HEADER_LENGTH) {
      counters.drop(DROP_LINK_RUNT_FRAME)
      return
    }
    const high = ethernet.destinationHigh(view, at)
    incoming.linkGroup = ethernet.isGroup(high)
    const { values } = incoming.interface.interfaceCounters
    if (incoming.linkGroup) values[high === ethernet.BROADCAST_HIGH ? IF_IN_BROADCAST_PKTS : IF_IN_MULTICAST_PKTS]++
    // A device in promiscuous mode, or a switch that floods, brings what is not ours.
    if (!incoming.linkGroup && (high !== mac.high || ethernet.destinationLow(view, at) !== mac.low)) {
      counters.drop(DROP_LINK_FOREIGN_DESTINATION)
      return
    }
    let type = ethernet.type(view, at)
    let header = ethernet.HEADER_LENGTH
    let tag = tagTaken
    if (type === ethernet.TYPE_VLAN && tagTaken < 0) {
      header += ethernet.TAG_LENGTH
      if (length < header) {
        counters.drop(DROP_LINK_RUNT_FRAME)
        return
      }
      tag = ethernet.tci(view, at)
      type = ethernet.taggedType(view, at)
    }
    // Untagged and priority-tagged frames are of no VLAN.
    if (!incoming.loopback && (tag < 0 ? 0 : ethernet.vlanId(tag)) !== vlanId) {
      counters.drop(DROP_LINK_FOREIGN_VLAN)
      return
    }
    incoming.ethernet = at
    incoming.packet = at + header
    incoming.length = length - header
    this.#tellOthers(incoming, type)
    this.#network(incoming, type, now)
  }

  /** A packet that another partition has received and that concerns all: as if it had come by our own queue. */
  handedOver({ interface: index, type, toHigh, toLow, fromHigh, fromLow, bytes }: HandedPacket, now: number): void {
    const { pool, memory, counters } = this.#context
    const iface = this.#layers.services[index]?.interface
    const frame = iface === undefined ? -1 : pool.allocate()
    const room = pool.frameSize - pool.headroom - ethernet.HEADER_LENGTH
    if (iface === undefined || frame < 0 || bytes.length > room) {
      if (frame >= 0) pool.release(frame)
      counters.drop(DROP_LINK_NO_FRAME)
      return
    }
    const incoming = this.#incoming
    const at = pool.address(frame) + pool.headroom
    ethernet.setDestination(memory.view, at, toHigh, toLow)
    ethernet.setSource(memory.view, at, fromHigh, fromLow)
    ethernet.setType(memory.view, at, type)
    memory.bytes.set(bytes, at + ethernet.HEADER_LENGTH)
    incoming.memory = memory
    incoming.frame = frame
    incoming.flags = 0
    incoming.segmentSize = 0
    incoming.interface = iface
    incoming.link = iface.link
    incoming.loopback = false
    incoming.linkGroup = ethernet.isGroup(toHigh)
    incoming.ethernet = at
    incoming.packet = at + ethernet.HEADER_LENGTH
    incoming.length = bytes.length
    this.#context.timersMoved = true
    this.#network(incoming, type, now)
    if (incoming.frame >= 0) pool.release(incoming.frame)
  }

  /** Hands a packet that concerns every partition to the others. */
  #tellOthers({ memory, packet, length, linkGroup, interface: iface, ethernet: at, loopback }: Incoming, type: number) {
    const { handOff } = this.#layers
    if (handOff === undefined || loopback || !concernsAll(memory.view, packet, length, type, linkGroup)) return
    if (length > LONGEST_HANDED) this.#context.counters.drop(DROP_LINK_HAND_OFF_TOO_LONG)
    else handOff.offer(memory.view, memory.bytes, at, packet, length, iface.index, type)
  }

  #network(incoming: Incoming, type: number, now: number): void {
    const { view } = incoming.memory
    const { counters, interfaceCounters } = incoming.interface
    const { values } = interfaceCounters
    const { services, ipv6 } = this.#layers
    const { arp } = services[incoming.interface.index]
    if (type === ethernet.TYPE_IPV4) this.#ipv4(incoming, now)
    else if (type === ethernet.TYPE_IPV6 && ipv6 !== undefined) ipv6.receive(incoming)
    else if (type === ethernet.TYPE_ARP && arp !== undefined) {
      arp.receive(view, incoming.packet, incoming.length, incoming.link, now)
    } else {
      values[IF_IN_UNKNOWN_PROTOS]++
      counters.drop(DROP_LINK_UNKNOWN_ETHER_TYPE)
    }
  }

  #ipv4(incoming: Incoming, now: number): void {
    const { memory, packet, length, interface: iface, loopback } = incoming
    const { view } = memory
    const { counters } = iface
    const { addresses, services } = this.#layers
    const { arp, membership } = services[iface.index]
    const { values } = counters
    values[IP_IN_RECEIVES]++
    const wrong = checkHeader(memory, packet, length)
    if (wrong !== HEADER_OK) {
      counters.drop(wrong)
      return
    }
    const source = ipv4.source(view, packet)
    const destination = ipv4.destination(view, packet)
    const protocol = ipv4.protocol(view, packet)
    if (!loopback && this.#isBadSource(iface, source, protocol)) {
      counters.drop(DROP_IP_BAD_SOURCE)
      return
    }
    incoming.group = true
    if (isMulticast(destination)) {
      const joined = loopback ? this.#isMember(destination) : membership?.isMember(destination) === true
      if (!joined) {
        counters.drop(DROP_IP_NOT_MEMBER)
        return
      }
      values[IP_IN_MCAST_PKTS]++
    } else if (iface.isBroadcast(destination)) {
      values[IP_IN_BCAST_PKTS]++
    } else if (loopback ? !addresses.isOwnIpv4(destination) : !iface.hasAddress(destination)) {
      // We never forward (RFC 1122 section 3.3.1), and an address belongs to one interface (section 3.3.4.2).
      counters.drop(DROP_IP_FOREIGN_DESTINATION)
      return
    } else if (incoming.linkGroup) {
      // RFC 1122 section 3.3.6: a unicast datagram in a link-layer broadcast is discarded.
      counters.drop(DROP_IP_LINK_BROADCAST_UNICAST)
      return
    } else {
      incoming.group = false
    }
    if (arp !== undefined && arp.neighbors.unresolved !== 0 && incoming.ethernet >= 0 && !incoming.linkGroup) {
      const at = incoming.ethernet
      arp.heardTraffic(source, ethernet.sourceHigh(view, at), ethernet.sourceLow(view, at), now)
    }
    incoming.family = 4
    setMapped(incoming.source, source)
    setMapped(incoming.destination, destination)
    incoming.trafficClass = ipv4.typeOfService(view, packet)
    incoming.hopLimit = ipv4.timeToLive(view, packet)
    incoming.protocol = protocol
    const field = ipv4.fragment(view, packet)
    if ((field & (ipv4.MORE_FRAGMENTS | ipv4.OFFSET_MASK)) !== 0) {
      this.#fragment(incoming, now)
      return
    }
    const header = ipv4.headerLength(view, packet)
    incoming.length = ipv4.totalLength(view, packet)
    this.#transport(incoming, packet + header, incoming.length - header)
  }

  /** Every rule of `checkSource`, for an interface with any number of addresses. */
  #isBadSource(iface: NetInterface, source: Ipv4Address, protocol: number): boolean {
    if (checkSource(source, protocol) !== HEADER_OK || iface.isBroadcast(source)) return true
    return this.#layers.addresses.isOwnIpv4(source)
  }

  /** Whether any interface has joined a group: for what we send to it ourselves. */
  #isMember(group: Ipv4Address): boolean {
    return this.#layers.services.some(({ membership }) => membership?.isMember(group) === true)
  }

  #fragment(incoming: Incoming, now: number): void {
    const { counters } = this.#context
    const { reassembly } = this.#layers
    counters.values[IP_REASM_REQDS]++
    const displaced = reassembly.displaced
    const result = reassembly.insert(incoming.memory, incoming.packet, incoming.linkGroup, now)
    if (reassembly.displaced !== displaced) counters.drop(DROP_IP_FRAGMENT_EXHAUSTED)
    if (result === FRAGMENT_KEPT) return
    if (result !== FRAGMENT_COMPLETE) {
      counters.drop(result)
      return
    }
    counters.values[IP_REASM_OKS]++
    this.#reassembled(incoming, reassembly.complete)
  }

  /**
   * Goes on with a whole datagram: a header without options and the payload, in the scratch memory, where nothing else stands
   * at this time (a chain that was a fragment has been copied out of it).
   */
  #reassembled(incoming: Incoming, datagram: PartialDatagram): void {
    const { view, bytes } = this.#scratch
    const { pool } = this.#context
    const { total, protocol, source, destination } = datagram
    const length = total + ipv4.HEADER_LENGTH
    ipv4.emit(view, 0, incoming.trafficClass, length, datagram.identifier, 0, 64, protocol, source, destination)
    bytes.set(datagram.memory.bytes.subarray(0, total), ipv4.HEADER_LENGTH)
    if (incoming.frame >= 0) pool.release(incoming.frame)
    incoming.frame = -1
    incoming.memory = this.#scratch
    incoming.ethernet = -1
    incoming.packet = 0
    incoming.length = length
    // A device has seen only fragments: its word about a checksum is about one of those.
    incoming.flags = 0
    incoming.segmentSize = 0
    incoming.linkGroup = datagram.linkGroup
    incoming.protocol = protocol
    this.#transport(incoming, ipv4.HEADER_LENGTH, total)
  }

  #transport(incoming: Incoming, at: number, length: number): void {
    const { counters } = this.#context
    const { protocol } = incoming
    const { udp, tcp, icmpInput, icmpOutput, services } = this.#layers
    incoming.transport = at
    incoming.transportLength = length
    const { values } = counters
    if (protocol === ipv4.PROTOCOL_UDP) {
      values[IP_IN_DELIVERS]++
      const { dhcp } = services[incoming.interface.index]
      if (dhcp?.takes(incoming, at, length) === true) dhcp.receive(incoming, at, length)
      else udp.receive(incoming, at, length)
    } else if (protocol === ipv4.PROTOCOL_TCP && tcp !== undefined) {
      values[IP_IN_DELIVERS]++
      tcp.receive(incoming, at, length)
    } else if (protocol === ipv4.PROTOCOL_ICMP) {
      values[IP_IN_DELIVERS]++
      icmpInput.receive(incoming, at, length)
    } else if (protocol === ipv4.PROTOCOL_IGMP) {
      values[IP_IN_DELIVERS]++
      services[incoming.interface.index].membership?.receive(incoming, at, length)
    } else {
      counters.drop(DROP_IP_UNKNOWN_PROTOCOL)
      icmpOutput.report(incoming, icmp.DESTINATION_UNREACHABLE, icmp.PROTOCOL_UNREACHABLE)
    }
  }
}
