import {
  COLUMN_SEGMENT,
  COLUMN_VLAN,
  type ErrorCode,
  type FramePool,
  GRANT_ATTACHED,
  GRANT_REMOVED,
  NetBurst,
  type NetQueue,
  SEGMENT_TCP4,
  SEGMENT_TCP6,
} from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'
import type { ChecksumPolicy } from '../config.ts'
import type { MacParts } from '../ethernet/mac.ts'
import * as ethernet from '../ethernet/wire.ts'
import { type Ipv4Address, type Ipv4Network, LIMITED_BROADCAST } from '../ipv4/address.ts'
import type { Ipv6Counters } from '../ipv6/counters.ts'
import type { PacketMemory } from '../packet-memory.ts'
import type { RandomSource } from '../random.ts'
import type { StackCounters } from '../statistics/counters.ts'
import { InterfaceCounters } from '../statistics/interface-statistics.ts'
import type { StackContext } from './context.ts'
import type { NeighborResolver } from './neighbors.ts'
import { TransmitQueue } from './transmit-queue.ts'

/** One device queue of an interface, with its bursts. */
export interface Link {
  readonly interface: NetInterface
  readonly queue: NetQueue
  readonly rx: NetBurst
  readonly tx: TransmitQueue
}

/** How an interface's frames carry their VLAN. */
export const VLAN_NONE = 0
/** The device takes the tag out and puts it in: the burst's VLAN column. */
export const VLAN_COLUMN = 1
/** The tag stands in the frame, 4 bytes before the payload. */
export const VLAN_IN_BAND = 2

/** What an interface is made from, beside its queues. */
export interface InterfaceSetup {
  readonly name: string
  /** From 0, in the order of the stack's list; the loopback interface is the last one. */
  readonly index: number
  readonly mac: MacParts
  /** 802.1Q identifier, 1 to 4094. */
  readonly vlan: number | undefined
  readonly checksum: ChecksumPolicy
  /** Packets taken from a queue at a time. */
  readonly burst: number
  /** Entries that wait for a full transmit ring. */
  readonly transmitBacklog: number
  readonly loopback: boolean
}

/**
 * One network interface: its device queues, and what its protocols know about it. Data, and nothing that acts. Which addresses it
 * has is `AddressTable`'s to say; the IPv4 ones stand here too, for the comparison that every packet takes.
 */
export class NetInterface {
  readonly context: StackContext
  readonly name: string
  readonly index: number
  readonly loopback: boolean
  readonly links: readonly Link[]
  /** Those of `links` whose queue is attached: what is sent goes by one of them. All, when none is. */
  usable: readonly Link[]
  /** Every queue is lost for good, and why: ECANCELED where the lease has ended, ENODEV where the device has. */
  lost: ErrorCode | undefined = undefined
  /** Follows the device's, unless the options give one. */
  mac: MacParts
  /** Longest IP packet; follows the device's control events. */
  mtu: number
  /** Longest IPv6 packet that a router asked for, if less (RFC 4861 section 6.3.4). */
  mtu6 = Number.POSITIVE_INFINITY
  /** Hop limit of IPv6 packets that have none of their own; a router may tell another. */
  hopLimit = 64
  /** Whether its queues are there and their link is up. */
  up = true
  /** IPv4 addresses that may be used, the primary one first. Replaced, and never changed in place, by `AddressTable`. */
  networks: readonly Ipv4Network[] = []
  /** IPv6 addresses that may be used; replaced likewise. */
  addresses6: readonly IpWords[] = []
  /** The primary IPv4 address, 0 for none. */
  address: Ipv4Address = 0
  /** Broadcast address of the primary network, `LIMITED_BROADCAST` where it has none. */
  broadcast: Ipv4Address = LIMITED_BROADCAST
  /** ARP, and neighbour discovery; each is there when its family is spoken on this interface. */
  arp: NeighborResolver | undefined = undefined
  neighborDiscovery: NeighborResolver | undefined = undefined
  readonly vlanMode: number
  readonly vlanId: number
  /** Bytes of Ethernet header on frames that we send: 14, or 18 with an in-band tag. */
  readonly linkHeader: number
  /** Transport checksums of unfragmented packets are the device's work. */
  readonly deviceComputes: boolean
  /** The device's word about received checksums is taken. */
  readonly trustDevice: boolean
  /** A received checksum that is just the pseudo-header's sum is right: the device cannot mark these. */
  readonly unmarkedPartials: boolean
  /** UDP over IPv4 is sent without a checksum. */
  readonly omitChecksum: boolean
  /** Kinds of super-frames that the device cuts: `SEGMENT_*` flags. */
  readonly segmentation: number
  /** Longest super-frame, link header included. */
  readonly maxSuperPacket: number
  readonly maxChain: number
  /** As in the context, once more: they are read for every packet. */
  readonly pool: FramePool
  readonly memory: PacketMemory
  readonly counters: StackCounters
  readonly counters6: Ipv6Counters
  /** Of this interface alone. */
  readonly interfaceCounters = new InterfaceCounters()
  readonly time: Float64Array
  readonly random: RandomSource

  constructor(context: StackContext, setup: InterfaceSetup, queues: readonly NetQueue[]) {
    const capabilities = queues[0].capabilities
    const { vlan, checksum } = setup
    this.context = context
    this.pool = context.pool
    this.memory = context.memory
    this.counters = context.counters
    this.counters6 = context.counters6
    this.time = context.time
    this.random = context.random
    this.name = setup.name
    this.index = setup.index
    this.loopback = setup.loopback
    this.mac = setup.mac
    this.vlanId = vlan ?? 0
    this.vlanMode =
      vlan === undefined ? VLAN_NONE : (capabilities.columns & COLUMN_VLAN) !== 0 ? VLAN_COLUMN : VLAN_IN_BAND
    this.linkHeader = ethernet.HEADER_LENGTH + (this.vlanMode === VLAN_IN_BAND ? ethernet.TAG_LENGTH : 0)
    this.deviceComputes = checksum === 'device' && capabilities.checksum.computes
    this.trustDevice = checksum !== 'software'
    this.unmarkedPartials = capabilities.partialChecksums === 'unmarked'
    this.omitChecksum = checksum === 'omit'
    const cuts = this.deviceComputes && (capabilities.columns & COLUMN_SEGMENT) !== 0
    this.segmentation = cuts ? capabilities.transmitSegmentation & (SEGMENT_TCP4 | SEGMENT_TCP6) : 0
    this.maxSuperPacket = capabilities.maxSuperPacket
    // A packet is taken whole: one of more entries than the ring has would never go out.
    this.maxChain = Math.min(capabilities.maxChain, capabilities.ringSize)
    this.mtu = mtuOf(this, queues[0])
    const tag = this.vlanMode === VLAN_COLUMN ? this.vlanId : -1
    this.links = queues.map((queue) => ({
      interface: this,
      queue,
      // A burst holds the longest packet at least.
      rx: new NetBurst(Math.max(setup.burst, queue.capabilities.maxChain), queue.capabilities.columns),
      tx: new TransmitQueue(queue, setup.transmitBacklog, tag, this.counters),
    }))
    this.usable = this.links
    this.findUsable()
  }

  /** Looks which queues are still ours. */
  findUsable(): void {
    const attached = this.links.filter(({ queue }) => queue.control.state <= GRANT_ATTACHED)
    this.usable = attached.length === 0 ? this.links : attached
    if (attached.length > 0) return
    const removed = this.links.some(({ queue }) => queue.control.state === GRANT_REMOVED)
    this.lost = removed ? 'ENODEV' : 'ECANCELED'
  }

  /** The queue for what belongs to no flow. */
  get link(): Link {
    return this.usable[0]
  }

  /** The queue for packets to an address, by its last word: always the same for one address, so that they stay in order. */
  linkFor(destination: number): Link {
    const { usable } = this
    const n = usable.length
    return n === 1 ? usable[0] : usable[((destination ^ (destination >>> 16)) & 0xffff) % n]
  }

  /** Whether it can find neighbours of a family. */
  speaks(family: 4 | 6): boolean {
    return (family === 4 ? this.arp : this.neighborDiscovery) !== undefined
  }

  /** Who finds MAC addresses for a family that has routes over this interface. */
  resolver(family: 4 | 6): NeighborResolver {
    const resolver = family === 4 ? this.arp : this.neighborDiscovery
    if (resolver === undefined) throw new TypeError(`${this.name} does not speak IPv${family}`)
    return resolver
  }

  /** Whether an IPv4 address is one of this interface's that may be used. */
  hasAddress(address: Ipv4Address): boolean {
    if (address === this.address) return address !== 0
    for (const network of this.networks) if (network.address === address) return true
    return false
  }

  /** Limited broadcast, or the broadcast address of one of its networks. */
  isBroadcast(destination: Ipv4Address): boolean {
    if (destination === LIMITED_BROADCAST) return true
    for (const network of this.networks) if (network.broadcast === destination) return true
    return false
  }

  /** Its own network that an address is in, if any. */
  networkOf(address: Ipv4Address): Ipv4Network | undefined {
    return this.networks.find((network) => ((network.address ^ address) & network.mask) === 0)
  }
}

/**
 * The link's MTU, within what one frame of the pool can hold and what the device sends: whoever sends a packet may write it into one
 * frame. Longer are only super-frames, whose payload lies in chains.
 */
export function mtuOf({ linkHeader }: NetInterface, queue: NetQueue): number {
  const { pool, capabilities, control, grant } = queue
  const frameRoom = pool.frameSize - pool.headroom - grant.window.tailroom - linkHeader
  return Math.min(control.mtu, frameRoom, capabilities.maxPacket - linkHeader)
}

/** The tag of a VLAN as it stands in the frame, priority bits zero. */
export function tagWord(vlanId: number): number {
  return (ethernet.TYPE_VLAN << 16) | vlanId
}
