import { formatIp, type IpWords } from '@parakernel/queue'
import { macText } from '../ethernet/mac.ts'
import * as ethernet from '../ethernet/wire.ts'
import { ALL_NODES, isUnspecified, solicitedNode, UNSPECIFIED } from '../ipv6/address.ts'
import {
  DROP_ND_NOT_OURS,
  DROP_OUT6_NEIGHBOR_QUEUE_FULL,
  DROP_OUT6_NEIGHBOR_UNREACHABLE,
  ICMP6_OUT_NEIGHBOR_ADVERTISEMENTS,
  ICMP6_OUT_NEIGHBOR_SOLICITS,
  ND_DEFENDED,
  ND_EVICTED,
  ND_FAILED,
  ND_RESOLVED,
} from '../ipv6/counters.ts'
import { type Neighbor6, type Neighbor6Limits, PROBE } from '../ndp/neighbor.ts'
import { NeighborCache6 } from '../ndp/neighbor-cache.ts'
import type { OwnAddress, OwnAddresses } from '../ndp/own-addresses.ts'
import type { NeighborMessage } from '../ndp/validity.ts'
import * as nd from '../ndp/wire.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import type { Ipv6LinkSender } from './ipv6-link-sender.ts'
import {
  type LinkNeighbor,
  type NeighborInfo,
  type NeighborResolver,
  releaseWaiting,
  sendWaiting,
  type WaitingPacket,
  type WaitingPackets,
} from './neighbors.ts'
import type { Path } from './path.ts'
import type { Siblings } from './siblings.ts'

const STATES: readonly NeighborInfo['state'][] = ['incomplete', 'reachable', 'stale', 'delay', 'probe', 'failed']

const WITH_OPTION = nd.NEIGHBOR_LENGTH + nd.SHORT_OPTION

/** What the neighbour service needs of its surroundings. */
export interface NeighborSurroundings {
  readonly addresses: OwnAddresses
  /** An address of ours to ask for a neighbour from; undefined while there is none. */
  sourceFor(destination: IpWords): IpWords | undefined
  /** Whether a transport has made progress by way of a neighbour in the last `within` nanoseconds. */
  hasProgress(neighbor: IpWords, within: number): boolean
  /** A neighbour that was a router does not answer, or is none any more. */
  routerLost(address: IpWords, forGood: boolean): void
}

/**
 * Address resolution, unreachability and duplicate detection of one interface (RFC 4861 section 7), between wire and
 * cores.
 */
export class NeighborService implements NeighborResolver {
  readonly neighbors: NeighborCache6<WaitingPacket>
  readonly #interface: NetInterface
  readonly #sender: Ipv6LinkSender
  readonly #surroundings: NeighborSurroundings
  readonly #packets: WaitingPackets
  readonly #siblings: Siblings | undefined
  /** What the siblings had published when they were last asked. */
  #seen = 0
  readonly #group: IpWords = new Int32Array(4)

  constructor(
    iface: NetInterface,
    limits: Neighbor6Limits,
    sender: Ipv6LinkSender,
    surroundings: NeighborSurroundings,
    packets: WaitingPackets,
    siblings: Siblings | undefined,
  ) {
    this.#interface = iface
    this.#sender = sender
    this.#surroundings = surroundings
    this.#packets = packets
    this.#siblings = siblings
    this.neighbors = new NeighborCache6<WaitingPacket>(limits, iface.random, {
      solicit: (neighbor) => this.#solicit(neighbor),
      resolved: (neighbor, waiting) => this.#resolved(neighbor, waiting),
      unreachable: (neighbor, waiting) => this.#unreachable(neighbor, waiting),
      evicted: () => {
        iface.counters6.values[ND_EVICTED]++
      },
      isConfirmed: ({ address }, within) => surroundings.hasProgress(address, within),
      routerLost: ({ address }) => surroundings.routerLost(address, true),
    })
  }

  lookUp({ nextHop, local }: Path): LinkNeighbor {
    return this.neighbors.use(nextHop, this.#interface.time[0], local)
  }

  wait({ nextHop, local }: Path, packet: WaitingPacket): void {
    const neighbor = this.neighbors.use(nextHop, this.#interface.time[0], local)
    const displaced = this.neighbors.wait(neighbor, packet)
    if (displaced === undefined) return
    this.#interface.counters6.drop(DROP_OUT6_NEIGHBOR_QUEUE_FULL)
    releaseWaiting(displaced)
    this.#packets.lost(displaced, 'ENOBUFS')
  }

  isFull({ nextHop }: Path): boolean {
    return this.neighbors.unresolved > 0 && this.neighbors.isFull(nextHop)
  }

  /** What siblings learned, if we wait for anything. One load when they learned nothing. */
  askSiblings(now: number): void {
    const siblings = this.#siblings
    if (siblings === undefined || this.neighbors.unresolved === 0 || siblings.sequence === this.#seen) return
    this.#seen = siblings.sequence
    for (const { incomplete, address } of this.neighbors) {
      const mac = incomplete ? siblings.find(address) : undefined
      if (mac !== undefined) this.neighbors.learn(address, mac.high, mac.low, now)
    }
  }

  *list(): Iterable<NeighborInfo> {
    for (const neighbor of this.neighbors) {
      const { address, state, high, low, usable, isRouter } = neighbor
      const mac = usable ? macText({ high, low }) : undefined
      const { name } = this.#interface
      yield { interface: name, address: formatIp(address), mac, state: STATES[state], router: isRouter }
    }
  }

  /** Asks whether another node has an address of ours to be, from nobody (RFC 4862 section 5.4.2). */
  probe({ words, nonceHigh, nonceLow }: OwnAddress): void {
    solicitedNode(words, this.#group)
    const counter = ICMP6_OUT_NEIGHBOR_SOLICITS
    this.#sender.toGroup(UNSPECIFIED, this.#group, nd.HOP_LIMIT, counter, WITH_OPTION, false, (view, at) => {
      nd.emitNeighborSolicitation(view, at, words)
      nd.emitNonce(view, at + nd.NEIGHBOR_LENGTH, nonceHigh, nonceLow)
    })
  }

  /** A solicitation that passed `checkMessage` (section 7.2.3). */
  solicited(incoming: Incoming, message: NeighborMessage): void {
    const { source, target, options } = message
    const { counters6, time } = this.#interface
    const now = time[0]
    const { addresses } = this.#surroundings
    const own = addresses.find(target)
    if (own === undefined) {
      counters6.drop(DROP_ND_NOT_OURS)
      return
    }
    const probing = isUnspecified(source)
    if (!own.assigned) {
      // Resolution of an address that is not ours yet is ignored (RFC 4862 section 5.4.3).
      if (probing) addresses.heardProbe(target, options.hasNonce, options.nonceHigh, options.nonceLow, now)
      return
    }
    if (probing) {
      counters6.values[ND_DEFENDED]++
      this.#advertise(target, ALL_NODES, 0, 0, nd.FLAG_OVERRIDE)
      return
    }
    let { sourceHigh: high, sourceLow: low } = options
    if (options.hasSource) {
      // A group address is nobody's: believed, it would have us shout.
      if (!ethernet.isGroup(high)) {
        this.neighbors.heard(source, high, low, now)
        this.#siblings?.publish(source, high, low)
      }
    } else if (incoming.ethernet >= 0) {
      // A unicast question may leave its address out (section 7.2.2): the answer goes where it came from.
      high = ethernet.sourceHigh(incoming.memory.view, incoming.ethernet)
      low = ethernet.sourceLow(incoming.memory.view, incoming.ethernet)
    }
    if (!ethernet.isGroup(high)) this.#advertise(target, source, high, low, nd.FLAG_SOLICITED | nd.FLAG_OVERRIDE)
  }

  /** An advertisement that passed `checkMessage` (section 7.2.5). True when it was about an address of ours. */
  advertised(message: NeighborMessage, flags: number): boolean {
    const { target, options } = message
    const now = this.#interface.time[0]
    if (this.#surroundings.addresses.heardAdvertisement(target, now)) return true
    const { hasTarget, targetHigh: high, targetLow: low } = options
    const hasMac = hasTarget && !ethernet.isGroup(high)
    // It may be a sibling's answer.
    if (hasMac && (flags & nd.FLAG_SOLICITED) !== 0) this.#siblings?.publish(target, high, low)
    const known = this.neighbors.advertised(
      target,
      hasMac,
      high,
      low,
      (flags & nd.FLAG_ROUTER) !== 0,
      (flags & nd.FLAG_SOLICITED) !== 0,
      (flags & nd.FLAG_OVERRIDE) !== 0,
      now,
    )
    if (!known) this.#interface.counters6.drop(DROP_ND_NOT_OURS)
    return false
  }

  #advertise(target: IpWords, to: IpWords, high: number, low: number, flags: number): void {
    const { mac } = this.#interface
    const write = (view: DataView, at: number) => {
      nd.emitNeighborAdvertisement(view, at, flags, target)
      nd.emitLinkLayer(view, at + nd.NEIGHBOR_LENGTH, nd.OPTION_TARGET_LINK_LAYER, mac.high, mac.low)
    }
    const counter = ICMP6_OUT_NEIGHBOR_ADVERTISEMENTS
    if (to === ALL_NODES) this.#sender.toGroup(target, to, nd.HOP_LIMIT, counter, WITH_OPTION, false, write)
    else this.#sender.toNeighbor(target, to, high, low, nd.HOP_LIMIT, counter, WITH_OPTION, write)
  }

  #solicit(neighbor: Neighbor6<WaitingPacket>): void {
    const { mac } = this.#interface
    const { address, state, high, low } = neighbor
    const { addresses, sourceFor } = this.#surroundings
    // The packet's own source, where there is one (section 7.2.2): the answer comes where its sender is at home.
    const source = addresses.isAssigned(neighbor.source) ? neighbor.source : sourceFor(address)
    if (source === undefined) return
    const write = (view: DataView, at: number) => {
      nd.emitNeighborSolicitation(view, at, address)
      nd.emitLinkLayer(view, at + nd.NEIGHBOR_LENGTH, nd.OPTION_SOURCE_LINK_LAYER, mac.high, mac.low)
    }
    const counter = ICMP6_OUT_NEIGHBOR_SOLICITS
    if (state === PROBE) {
      this.#sender.toNeighbor(source, address, high, low, nd.HOP_LIMIT, counter, WITH_OPTION, write)
    } else {
      solicitedNode(address, this.#group)
      this.#sender.toGroup(source, this.#group, nd.HOP_LIMIT, counter, WITH_OPTION, false, write)
    }
  }

  #resolved(neighbor: Neighbor6<WaitingPacket>, waiting: readonly WaitingPacket[]): void {
    this.#interface.counters6.values[ND_RESOLVED]++
    for (const packet of waiting) {
      if (sendWaiting(packet, neighbor.high, neighbor.low)) this.#packets.sent(packet)
      else this.#packets.lost(packet, 'ENOBUFS')
    }
  }

  #unreachable(neighbor: Neighbor6<WaitingPacket>, waiting: readonly WaitingPacket[]): void {
    const { counters6 } = this.#interface
    counters6.values[ND_FAILED]++
    for (const packet of waiting) {
      counters6.drop(DROP_OUT6_NEIGHBOR_UNREACHABLE)
      releaseWaiting(packet)
      this.#packets.lost(packet, 'EHOSTUNREACH')
    }
    this.#surroundings.routerLost(neighbor.address, false)
  }
}
