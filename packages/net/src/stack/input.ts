import { COLUMN_SEGMENT, COLUMN_VLAN, type NetBurst, packetEntries, SEGMENT_ANY, VLAN_TAGGED } from '@parakernel/hal'
import * as ethernet from '../ethernet/wire.ts'
import * as icmp from '../icmp/wire.ts'
import { isMulticast } from '../ipv4/address.ts'
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
  DROP_LINK_RUNT_FRAME,
  DROP_LINK_UNKNOWN_ETHER_TYPE,
  IP_IN_BCAST_PKTS,
  IP_IN_DELIVERS,
  IP_IN_MCAST_PKTS,
  IP_IN_RECEIVES,
  IP_REASM_OKS,
  IP_REASM_REQDS,
} from '../statistics/counters.ts'
import type { ArpService } from './arp-service.ts'
import type { SlowPath } from './datagram-path.ts'
import type { IcmpInput } from './icmp-input.ts'
import type { IcmpOutput } from './icmp-output.ts'
import type { MembershipService } from './igmp-service.ts'
import type { Incoming } from './incoming.ts'
import type { Link, NetInterface } from './interface.ts'
import type { Output } from './output.ts'
import type { UdpInput } from './udp-input.ts'

/** The longest packet that is gathered from a chain. */
const SCRATCH = 65_536 + ethernet.HEADER_LENGTH + ethernet.TAG_LENGTH

/** The layers that a packet passes through on its way up. */
export interface Layers {
  readonly arp: ArpService
  readonly output: Output
  readonly membership: MembershipService
  readonly reassembly: Reassembly
  readonly icmpInput: IcmpInput
  readonly icmpOutput: IcmpOutput
  readonly udpInput: UdpInput
}

/** The slow path: every packet, checked in order, from Ethernet up. Written for the reader; the fast path does the volume. */
export class Input implements SlowPath {
  readonly #interface: NetInterface
  readonly #layers: Layers
  readonly #scratch: PacketMemory
  readonly #incoming: Incoming

  constructor(iface: NetInterface, layers: Layers) {
    this.#interface = iface
    this.#layers = layers
    this.#scratch = packetMemory(new SharedArrayBuffer((SCRATCH + 3) & ~3))
    this.#incoming = {
      memory: iface.memory,
      frame: -1,
      ethernet: -1,
      packet: 0,
      length: 0,
      flags: 0,
      segmentSize: 0,
      linkGroup: false,
      loopback: false,
      link: iface.links[0],
      now: 0,
    }
  }

  packet(burst: NetBurst, i: number, link: Link, now: number): number {
    const { pool, memory, counters } = this.#interface
    const entries = packetEntries(burst, i)
    this.#interface.timersMoved = true
    const incoming = this.#incoming
    const flags = burst.flags[i]
    incoming.flags = flags
    incoming.segmentSize =
      (flags & SEGMENT_ANY) !== 0 && (burst.columns & COLUMN_SEGMENT) !== 0 ? burst.segmentSize[i] : 0
    incoming.link = link
    incoming.now = now
    incoming.loopback = burst === this.#layers.output.loopback
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
    else this.#ethernet(incoming, at, length, this.#tagOf(burst, i))
    if (incoming.frame >= 0) pool.release(incoming.frame)
    return entries
  }

  /** Reports datagrams whose fragments did not all come in time (RFC 792, time exceeded, code 1). */
  expireFragments(now: number): void {
    this.#layers.reassembly.expire(now, (datagram) => {
      this.#interface.counters.drop(DROP_IP_FRAGMENT_TIMEOUT)
      // Without the fragment at offset 0 nothing is sent (RFC 792).
      if (datagram.quoteLength === 0) return
      this.#scratch.bytes.set(datagram.quote.subarray(0, datagram.quoteLength))
      const { quoteLength, linkGroup } = datagram
      const { icmpOutput } = this.#layers
      icmpOutput.reportQuoted(this.#scratch, quoteLength, linkGroup, icmp.TIME_EXCEEDED, icmp.REASSEMBLY_TIME)
    })
  }

  /** Copies a chain into the scratch memory and releases its frames; the length, or -1 when it is too long. */
  #gather(burst: NetBurst, first: number, entries: number): number {
    const { pool } = this.#interface
    let length = 0
    for (let i = first; i < first + entries; i++) {
      const from = pool.address(burst.frame[i]) + burst.offset[i]
      const bytes = burst.length[i]
      if (length >= 0 && length + bytes <= SCRATCH) {
        this.#scratch.bytes.set(pool.bytes.subarray(from, from + bytes), length)
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

  #ethernet(incoming: Incoming, at: number, length: number, tagTaken: number): void {
    const { view } = incoming.memory
    const { counters, mac, vlanId } = this.#interface
    if (length < ethernet.HEADER_LENGTH) {
      counters.drop(DROP_LINK_RUNT_FRAME)
      return
    }
    const high = ethernet.destinationHigh(view, at)
    incoming.linkGroup = ethernet.isGroup(high)
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
    if (type === ethernet.TYPE_IPV4) this.#ipv4(incoming)
    else if (type === ethernet.TYPE_ARP) {
      this.#layers.arp.receive(view, incoming.packet, incoming.length, incoming.link, incoming.now)
    } else counters.drop(DROP_LINK_UNKNOWN_ETHER_TYPE)
  }

  #ipv4(incoming: Incoming): void {
    const { memory, packet, length } = incoming
    const { view } = memory
    const { counters, address, network } = this.#interface
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
    if (!incoming.loopback && checkSource(source, protocol, address, network.broadcast) !== HEADER_OK) {
      counters.drop(DROP_IP_BAD_SOURCE)
      return
    }
    if (isMulticast(destination)) {
      if (!this.#layers.membership.isMember(destination)) {
        counters.drop(DROP_IP_NOT_MEMBER)
        return
      }
      values[IP_IN_MCAST_PKTS]++
    } else if (this.#layers.output.isBroadcast(destination)) {
      values[IP_IN_BCAST_PKTS]++
    } else if (destination !== address) {
      // We never forward (RFC 1122 section 3.3.1).
      counters.drop(DROP_IP_FOREIGN_DESTINATION)
      return
    } else if (incoming.linkGroup) {
      // RFC 1122 section 3.3.6: a unicast datagram in a link-layer broadcast is discarded.
      counters.drop(DROP_IP_LINK_BROADCAST_UNICAST)
      return
    }
    if (!this.#layers.arp.usable && !incoming.linkGroup && !incoming.loopback) {
      counters.drop(DROP_IP_FOREIGN_DESTINATION)
      return
    }
    const { neighbors } = this.#layers.arp
    if (neighbors.unresolved !== 0 && incoming.ethernet >= 0 && !incoming.linkGroup) {
      const at = incoming.ethernet
      this.#layers.arp.heardTraffic(source, ethernet.sourceHigh(view, at), ethernet.sourceLow(view, at), incoming.now)
    }
    const field = ipv4.fragment(view, packet)
    if ((field & (ipv4.MORE_FRAGMENTS | ipv4.OFFSET_MASK)) !== 0) {
      this.#fragment(incoming)
      return
    }
    const header = ipv4.headerLength(view, packet)
    incoming.length = ipv4.totalLength(view, packet)
    this.#transport(incoming, protocol, packet + header, incoming.length - header)
  }

  #fragment(incoming: Incoming): void {
    const { counters } = this.#interface
    const { reassembly } = this.#layers
    counters.values[IP_REASM_REQDS]++
    const displaced = reassembly.displaced
    const result = reassembly.insert(incoming.memory, incoming.packet, incoming.linkGroup, incoming.now)
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
    const { pool } = this.#interface
    const { total, protocol, source, destination } = datagram
    ipv4.emit(view, 0, total + ipv4.HEADER_LENGTH, datagram.identifier, 0, 64, protocol, source, destination)
    bytes.set(datagram.memory.bytes.subarray(0, total), ipv4.HEADER_LENGTH)
    if (incoming.frame >= 0) pool.release(incoming.frame)
    incoming.frame = -1
    incoming.memory = this.#scratch
    incoming.ethernet = -1
    incoming.packet = 0
    incoming.length = total + ipv4.HEADER_LENGTH
    // A device has seen only fragments: its word about a checksum is about one of those.
    incoming.flags = 0
    incoming.segmentSize = 0
    incoming.linkGroup = datagram.linkGroup
    this.#transport(incoming, protocol, ipv4.HEADER_LENGTH, total)
  }

  #transport(incoming: Incoming, protocol: number, at: number, length: number): void {
    const { counters } = this.#interface
    const { udpInput, icmpInput, icmpOutput, membership } = this.#layers
    if (protocol !== ipv4.PROTOCOL_UDP && protocol !== ipv4.PROTOCOL_ICMP && protocol !== ipv4.PROTOCOL_IGMP) {
      counters.drop(DROP_IP_UNKNOWN_PROTOCOL)
      icmpOutput.report(incoming, icmp.DESTINATION_UNREACHABLE, icmp.PROTOCOL_UNREACHABLE)
      return
    }
    counters.values[IP_IN_DELIVERS]++
    if (protocol === ipv4.PROTOCOL_UDP) udpInput.receive(incoming, at, length)
    else if (protocol === ipv4.PROTOCOL_ICMP) icmpInput.receive(incoming, at, length)
    else {
      const destination = ipv4.destination(incoming.memory.view, incoming.packet)
      membership.receive(incoming.memory, at, length, destination, incoming.now)
    }
  }
}
