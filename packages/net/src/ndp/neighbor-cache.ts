import type { IpWords } from '@parakernel/queue'
import { copy, UNSPECIFIED } from '../ipv6/address.ts'
import { AddressMap } from '../ipv6/address-map.ts'
import type { RandomSource } from '../random.ts'
import {
  DELAY,
  FAILED,
  INCOMPLETE,
  Neighbor6,
  type Neighbor6Effects,
  type Neighbor6Limits,
  PROBE,
  REACHABLE,
  STALE,
} from './neighbor.ts'

const NEVER = Number.POSITIVE_INFINITY
/** MIN_RANDOM_FACTOR and MAX_RANDOM_FACTOR (RFC 4861 section 10). */
const LEAST_FACTOR = 0.5
const MOST_FACTOR = 1.5
/** Section 6.3.2: a new random value every few hours. */
const REDRAW = 7200e9

/**
 * Who lives at which MAC address, and whether they are still there: the neighbour cache of RFC 4861 section 5.1 with
 * the unreachability detection of section 7.3, without clock or device. Time is an argument, in nanoseconds. The
 * number of entries is fixed, and only packets to us and for us create one, so that an enemy can displace entries but
 * not fill memory (RFC 6583).
 */
export class NeighborCache6<Packet> {
  /** Entries in INCOMPLETE. */
  unresolved = 0
  retransmission: number
  readonly #limits: Neighbor6Limits
  readonly #random: RandomSource
  readonly #effects: Neighbor6Effects<Packet>
  readonly #entries: AddressMap<Neighbor6<Packet>>
  /**
   * Entries whose `expires` is to be acted on by `poll`: all but REACHABLE and STALE, which age without being looked
   * at.
   */
  readonly #timed = new Set<Neighbor6<Packet>>()
  #baseReachable: number
  #reachable = 0
  #redrawAt = Number.NEGATIVE_INFINITY

  constructor(limits: Neighbor6Limits, random: RandomSource, effects: Neighbor6Effects<Packet>) {
    this.#limits = limits
    this.#random = random
    this.#effects = effects
    this.#entries = new AddressMap(random.next())
    this.#baseReachable = limits.reachable
    this.retransmission = limits.retransmission
  }

  get size(): number {
    return this.#entries.size
  }

  /** The entry as it is; changes nothing. */
  get(address: IpWords): Neighbor6<Packet> | undefined {
    return this.#entries.get(address)
  }

  [Symbol.iterator](): IterableIterator<Neighbor6<Packet>> {
    return this.#entries.values()
  }

  /** A router told the base of the reachable time (RFC 4861 section 6.3.4). */
  setReachableTime(base: number): void {
    if (base === this.#baseReachable) return
    this.#baseReachable = base
    this.#redrawAt = Number.NEGATIVE_INFINITY
  }

  /**
   * The entry for a packet that is to be sent: created and solicited if unknown, put to the test if old.
   * @param source of the packet: what is to be the solicitation's too (section 7.2.2)
   */
  use(address: IpWords, now: number, source: IpWords = UNSPECIFIED): Neighbor6<Packet> {
    let neighbor = this.#entries.get(address)
    if (neighbor === undefined) {
      neighbor = this.#create(address, now)
      copy(source, neighbor.source)
      this.#ask(neighbor, INCOMPLETE, now)
    } else if (neighbor.state === REACHABLE && neighbor.expires <= now) {
      this.#setState(neighbor, STALE, NEVER)
    }
    if (neighbor.state === STALE) {
      copy(source, neighbor.source)
      this.#setState(neighbor, DELAY, now + this.#limits.delay)
    }
    neighbor.used = now
    return neighbor
  }

  /** Whether another packet for `address` would push an older one out. */
  isFull(address: IpWords): boolean {
    const neighbor = this.#entries.get(address)
    return neighbor?.incomplete === true && neighbor.waiting.length >= this.#limits.waiting
  }

  /** Lets a packet wait for an INCOMPLETE neighbour; returns the one that had to give way, if any. */
  wait(neighbor: Neighbor6<Packet>, packet: Packet): Packet | undefined {
    neighbor.waiting.push(packet)
    return neighbor.waiting.length > this.#limits.waiting ? neighbor.waiting.shift() : undefined
  }

  /**
   * A solicitation, a router's message or a redirect named `address`'s MAC address (sections 6.2.6, 6.3.4, 7.2.3,
   * 8.3): worth an entry, and no proof that it hears us.
   */
  heard(address: IpWords, high: number, low: number, now: number): Neighbor6<Packet> {
    const neighbor = this.#entries.get(address) ?? this.#create(address, now)
    if (neighbor.usable && neighbor.high === high && neighbor.low === low) return neighbor
    neighbor.high = high
    neighbor.low = low
    this.#settle(neighbor, STALE, now)
    return neighbor
  }

  /**
   * A router advertisement or a redirect to a router came from it, or is about it: `IsRouter` (sections 6.3.4 and
   * 8.3).
   */
  markRouter(address: IpWords): void {
    const neighbor = this.#entries.get(address)
    if (neighbor !== undefined) neighbor.isRouter = true
  }

  /**
   * A neighbour advertisement about `address` (section 7.2.5 and appendix C). Creates no entry: nobody has asked.
   * @param hasMac it carries a target link-layer address
   * @returns whether an entry was there
   */
  advertised(
    address: IpWords,
    hasMac: boolean,
    high: number,
    low: number,
    router: boolean,
    solicited: boolean,
    override: boolean,
    now: number,
  ): boolean {
    const neighbor = this.#entries.get(address)
    if (neighbor === undefined || neighbor.state === FAILED) return false
    if (neighbor.state === INCOMPLETE) {
      // Nothing can be learnt from an advertisement without an address.
      if (!hasMac) return true
      neighbor.high = high
      neighbor.low = low
      this.#setRouter(neighbor, router)
      this.#settle(neighbor, solicited ? REACHABLE : STALE, now)
      return true
    }
    const changed = hasMac && (neighbor.high !== high || neighbor.low !== low)
    if (changed && !override) {
      // Another address, and no leave to take it: only doubt, and only about what we were sure of.
      if (neighbor.state === REACHABLE) this.#setState(neighbor, STALE, NEVER)
      return true
    }
    if (changed) {
      neighbor.high = high
      neighbor.low = low
    }
    if (solicited) this.#setState(neighbor, REACHABLE, this.#reachableUntil(now))
    else if (changed) this.#setState(neighbor, STALE, NEVER)
    this.#setRouter(neighbor, router)
    return true
  }

  /** Another one who asked was told where an INCOMPLETE neighbour lives: a sibling partition. */
  learn(address: IpWords, high: number, low: number, now: number): boolean {
    const neighbor = this.#entries.get(address)
    if (neighbor === undefined || neighbor.state !== INCOMPLETE) return false
    neighbor.high = high
    neighbor.low = low
    this.#settle(neighbor, REACHABLE, now)
    return true
  }

  /** Does what is due. */
  poll(now: number): void {
    for (const neighbor of this.#timed) {
      if (neighbor.expires > now) continue
      const { state, tries } = neighbor
      if (state === FAILED) this.#remove(neighbor)
      else if (state === DELAY) this.#doubt(neighbor, now)
      else if (tries < (state === PROBE ? this.#limits.unicastTries : this.#limits.multicastTries)) {
        this.#solicit(neighbor, now)
      } else this.#fail(neighbor, now)
    }
  }

  /** When `poll` has something to do; Infinity when nothing is due. */
  nextEvent(): number {
    let next = NEVER
    if (this.#timed.size === 0) return next
    for (const neighbor of this.#timed) if (neighbor.expires < next) next = neighbor.expires
    return next
  }

  /** Forgets everything; packets that wait are reported as lost. */
  clear(): void {
    for (const neighbor of this.#entries.values()) {
      neighbor.evicted = true
      this.#lose(neighbor)
    }
    this.#entries.clear()
    this.#timed.clear()
    this.unresolved = 0
  }

  #create(address: IpWords, now: number): Neighbor6<Packet> {
    if (this.#entries.size >= this.#limits.capacity) this.#evict()
    const neighbor = new Neighbor6<Packet>(address)
    neighbor.used = now
    neighbor.state = FAILED
    this.#entries.set(address, neighbor)
    return neighbor
  }

  /** The time to confirm it is over: if nobody can, it is asked (section 7.3.3). */
  #doubt(neighbor: Neighbor6<Packet>, now: number): void {
    if (this.#effects.isConfirmed(neighbor, this.#limits.delay)) {
      this.#setState(neighbor, REACHABLE, this.#reachableUntil(now))
    } else {
      this.#ask(neighbor, PROBE, now)
    }
  }

  #ask(neighbor: Neighbor6<Packet>, state: number, now: number): void {
    neighbor.tries = 0
    this.#setState(neighbor, state, now)
    this.#solicit(neighbor, now)
  }

  #solicit(neighbor: Neighbor6<Packet>, now: number): void {
    neighbor.tries++
    neighbor.expires = now + this.retransmission
    this.#effects.solicit(neighbor)
  }

  /** Its address is known. A STALE one to which packets go now is in DELAY at once (section 7.3.3). */
  #settle(neighbor: Neighbor6<Packet>, state: number, now: number): void {
    if (state === REACHABLE) this.#setState(neighbor, REACHABLE, this.#reachableUntil(now))
    else if (neighbor.waiting.length > 0) this.#setState(neighbor, DELAY, now + this.#limits.delay)
    else this.#setState(neighbor, STALE, NEVER)
    this.#effects.resolved(neighbor, neighbor.waiting.splice(0))
  }

  #fail(neighbor: Neighbor6<Packet>, now: number): void {
    this.#setState(neighbor, FAILED, now + this.#limits.failed)
    this.#lose(neighbor)
  }

  #lose(neighbor: Neighbor6<Packet>): void {
    this.#effects.unreachable(neighbor, neighbor.waiting.splice(0))
  }

  #remove(neighbor: Neighbor6<Packet>): void {
    this.#setState(neighbor, FAILED, NEVER)
    this.#timed.delete(neighbor)
    this.#entries.delete(neighbor.address)
    neighbor.evicted = true
  }

  /** Makes room: the entry unused longest; one that packets wait for, and a router, only if there is no other. */
  #evict(): void {
    let victim: Neighbor6<Packet> | undefined
    for (const neighbor of this.#entries.values()) {
      if (victim === undefined || cost(neighbor) < cost(victim)) victim = neighbor
    }
    if (victim === undefined) return
    this.#remove(victim)
    this.#effects.evicted(victim)
    if (victim.waiting.length > 0) this.#lose(victim)
  }

  #setRouter(neighbor: Neighbor6<Packet>, isRouter: boolean): void {
    const lost = neighbor.isRouter && !isRouter
    neighbor.isRouter = isRouter
    if (lost) this.#effects.routerLost(neighbor)
  }

  #setState(neighbor: Neighbor6<Packet>, state: number, expires: number): void {
    if (neighbor.state === INCOMPLETE) this.unresolved--
    if (state === INCOMPLETE) this.unresolved++
    neighbor.state = state
    neighbor.expires = expires
    if (state === REACHABLE || state === STALE) this.#timed.delete(neighbor)
    else this.#timed.add(neighbor)
  }

  /**
   * The reachable time is a random one between half and one and a half of the base (section 6.3.2), against
   * synchrony.
   */
  #reachableUntil(now: number): number {
    if (this.#redrawAt <= now) {
      this.#redrawAt = now + REDRAW
      const factor = LEAST_FACTOR + (this.#random.next() / 0x1_0000_0000) * (MOST_FACTOR - LEAST_FACTOR)
      this.#reachable = this.#baseReachable * factor
    }
    return now + this.#reachable
  }
}

/** Order of eviction: time of last use; routers after others, and those that packets wait for last. */
function cost<Packet>(neighbor: Neighbor6<Packet>): number {
  return neighbor.used + (neighbor.isRouter ? 2 ** 52 : 0) + (neighbor.waiting.length > 0 ? 2 ** 53 : 0)
}
