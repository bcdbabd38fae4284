import { type Clock, COLUMN_VLAN, type FramePool, NetBurst, type NetQueue } from '@parakernel/hal'
import type { NetConfig } from '../config.ts'
import type { MacParts } from '../ethernet/mac.ts'
import * as ethernet from '../ethernet/wire.ts'
import type { Ipv4Address, Ipv4Network } from '../ipv4/address.ts'
import { type PacketMemory, poolMemory } from '../packet-memory.ts'
import type { RandomSource } from '../random.ts'
import { StackCounters } from '../statistics/counters.ts'
import { TransmitQueue } from './transmit-queue.ts'

/** One device queue of the interface, with its bursts. */
export interface Link {
  readonly queue: NetQueue
  readonly rx: NetBurst
  readonly tx: TransmitQueue
}

/** How this interface's frames carry their VLAN. */
export const VLAN_NONE = 0
/** The device takes the tag out and puts it in: the burst's VLAN column. */
export const VLAN_COLUMN = 1
/** The tag stands in the frame, 4 bytes before the payload. */
export const VLAN_IN_BAND = 2

/**
 * The one interface of a stack: what its protocols share. Data, and nothing that acts.
 */
export class NetInterface {
  readonly pool: FramePool
  readonly memory: PacketMemory
  readonly counters = new StackCounters()
  /**
   * Element 0: the time of the present round or call, in nanoseconds. An array, because a double that is passed to a function
   * for every packet is an allocation for every packet.
   */
  readonly time = new Float64Array(1)
  /** Set by whatever may have moved the next time at which a protocol has something to do: the fast path never does. */
  timersMoved = false
  readonly random: RandomSource
  readonly clock: Clock
  readonly links: readonly Link[]
  /** Follows the device's, unless the options give one. */
  mac: MacParts
  readonly network: Ipv4Network
  readonly address: Ipv4Address
  /** Longest IP packet; follows the device's control events. */
  mtu: number
  readonly vlanMode: number
  readonly vlanId: number
  /** Bytes of Ethernet header on frames that we send: 14, or 18 with an in-band tag. */
  readonly linkHeader: number
  /** UDP checksums of unfragmented packets are the device's work. */
  readonly deviceComputes: boolean
  /** The device's word about received checksums is taken. */
  readonly trustDevice: boolean
  /** A received checksum that is just the pseudo-header's sum is right: the device cannot mark these. */
  readonly unmarkedPartials: boolean
  readonly omitChecksum: boolean

  constructor(config: NetConfig, pool: FramePool, queues: readonly NetQueue[], mac: MacParts, clock: Clock) {
    const capabilities = queues[0].capabilities
    this.pool = pool
    this.memory = poolMemory(pool)
    this.random = config.random
    this.clock = clock
    this.mac = mac
    this.network = config.network
    this.address = config.network.address
    this.vlanId = config.vlan ?? 0
    this.vlanMode =
      config.vlan === undefined ? VLAN_NONE : (capabilities.columns & COLUMN_VLAN) !== 0 ? VLAN_COLUMN : VLAN_IN_BAND
    this.linkHeader = ethernet.HEADER_LENGTH + (this.vlanMode === VLAN_IN_BAND ? ethernet.TAG_LENGTH : 0)
    this.deviceComputes = config.checksum === 'device' && capabilities.checksum.computes
    this.trustDevice = config.checksum !== 'software'
    this.unmarkedPartials = capabilities.partialChecksums === 'unmarked'
    this.omitChecksum = config.checksum === 'omit'
    this.mtu = mtuOf(queues[0], this.linkHeader)
    const tag = this.vlanMode === VLAN_COLUMN ? this.vlanId : -1
    this.links = queues.map((queue) => ({
      queue,
      rx: new NetBurst(config.burst, queue.capabilities.columns),
      tx: new TransmitQueue(queue, config.transmitBacklog, tag, this.counters),
    }))
  }

  /** The queue for packets to `destination`: always the same for one address, so that they stay in order. */
  linkFor(destination: Ipv4Address): Link {
    const n = this.links.length
    return n === 1 ? this.links[0] : this.links[((destination ^ (destination >>> 16)) & 0xffff) % n]
  }
}

/** The link's MTU, within what one frame of the pool can hold and what the device sends. */
export function mtuOf(queue: NetQueue, linkHeader: number): number {
  const { pool, capabilities, control, grant } = queue
  const frameRoom = pool.frameSize - pool.headroom - grant.window.tailroom - linkHeader
  return Math.min(control.mtu, frameRoom, capabilities.maxPacket - linkHeader)
}
