import type { Ipv4Address } from '../ipv4/address.ts'

/** A request is out and no answer yet: packets wait. */
export const INCOMPLETE = 0
/** Answered not longer ago than `reachableTime`. */
export const REACHABLE = 1
/** Known, but old (RFC 1122 section 2.3.2.1): used on, and asked about again at its next use. */
export const STALE = 2
/** Known, used, and being asked about by unicast. */
export const PROBE = 3
/** Did not answer; packets for it fail at once until `expires`, so that a dead host causes no flood of requests. */
export const FAILED = 4

export class Neighbor<Packet> {
  readonly address: Ipv4Address
  state = INCOMPLETE
  /** MAC address in two parts (see `ethernet/wire.ts`); meaningful in REACHABLE, STALE and PROBE. */
  high = 0
  low = 0
  /** When the state is over: next request, end of reachability, end of the negative entry. */
  expires = 0
  /** Requests sent in the present INCOMPLETE or PROBE. */
  tries = 0
  /** Last use, for eviction. */
  used = 0
  readonly waiting: Packet[] = []

  constructor(address: Ipv4Address) {
    this.address = address
  }

  /** Whether it can be used without asking the cache: nothing is due. The time is passed in an array, which is never boxed. */
  isFresh(now: Float64Array): boolean {
    if (this.state !== REACHABLE || this.expires <= now[0]) return false
    this.used = now[0]
    return true
  }

  get incomplete(): boolean {
    return this.state === INCOMPLETE
  }

  /** Whether a packet can be sent to it now. */
  get usable(): boolean {
    return this.state === REACHABLE || this.state === STALE || this.state === PROBE
  }
}

/** What the cache wants done. Called from within its methods; must not call back into it. */
export interface NeighborEffects<Packet> {
  /** Sends an ARP request for it: by unicast to the MAC address that it had if it is in PROBE, else by broadcast. */
  request(neighbor: Neighbor<Packet>): void
  /** Its MAC address is known: `packets` can go out, in this order. */
  resolved(neighbor: Neighbor<Packet>, packets: readonly Packet[]): void
  /** It does not answer, or it was evicted: `packets` are lost. */
  unreachable(neighbor: Neighbor<Packet>, packets: readonly Packet[]): void
  evicted(neighbor: Neighbor<Packet>): void
}

export interface NeighborLimits {
  /** Entries of the cache. */
  readonly capacity: number
  /** Packets that wait for one neighbour; a newer one pushes the oldest out (RFC 1122 section 2.3.2.2 asks for at least one). */
  readonly waiting: number
  /** Nanoseconds between requests: at most one a second for each destination (RFC 1122 section 2.3.2.1). */
  readonly retryInterval: number
  /** Requests before giving up. */
  readonly tries: number
  /** Nanoseconds that an answer stays fresh. */
  readonly reachableTime: number
  /** Nanoseconds that a failure is remembered. */
  readonly failedTime: number
}

/**
 * Who lives at which MAC address: the state of ARP, without clock or device. Time is an argument, in nanoseconds.
 * Poisoning is bounded, not prevented (ARP has no proof of anything): only packets addressed to us create an entry, and
 * the number of entries is fixed.
 */
export class NeighborCache<Packet> {
  /** Entries in INCOMPLETE: while it is 0 nobody needs to look at who sent a packet. */
  unresolved = 0
  readonly #limits: NeighborLimits
  readonly #effects: NeighborEffects<Packet>
  readonly #entries = new Map<Ipv4Address, Neighbor<Packet>>()
  /** Entries whose `expires` is to be acted on: INCOMPLETE, PROBE, FAILED. */
  readonly #timed = new Set<Neighbor<Packet>>()

  constructor(limits: NeighborLimits, effects: NeighborEffects<Packet>) {
    this.#limits = limits
    this.#effects = effects
  }

  get size(): number {
    return this.#entries.size
  }

  /** The entry as it is; changes nothing. */
  get(address: Ipv4Address): Neighbor<Packet> | undefined {
    return this.#entries.get(address)
  }

  [Symbol.iterator](): IterableIterator<Neighbor<Packet>> {
    return this.#entries.values()
  }

  /** The entry for a packet that is to be sent: created and asked for if unknown, asked for again if old. */
  use(address: Ipv4Address, now: number): Neighbor<Packet> {
    let neighbor = this.#entries.get(address)
    if (neighbor === undefined) {
      neighbor = this.#create(address, now)
      this.#ask(neighbor, INCOMPLETE, now)
    } else if (neighbor.state === REACHABLE) {
      if (neighbor.expires <= now) neighbor.state = STALE
    }
    if (neighbor.state === STALE) this.#ask(neighbor, PROBE, now)
    neighbor.used = now
    return neighbor
  }

  /** Whether another packet for `address` would push an older one out. */
  isFull(address: Ipv4Address): boolean {
    const neighbor = this.#entries.get(address)
    return neighbor?.incomplete === true && neighbor.waiting.length >= this.#limits.waiting
  }

  /** Lets a packet wait for an INCOMPLETE neighbour; returns the one that had to give way, if any. */
  wait(neighbor: Neighbor<Packet>, packet: Packet): Packet | undefined {
    neighbor.waiting.push(packet)
    return neighbor.waiting.length > this.#limits.waiting ? neighbor.waiting.shift() : undefined
  }

  /**
   * An ARP packet named `address`'s MAC address (RFC 826: an entry that exists is updated by any packet).
   * @param asksUs it is a request for our address, so that an unknown sender is worth an entry: we shall answer it
   * @param answersUs it is a reply to us: if we asked, proof that the neighbour hears us
   */
  heard(address: Ipv4Address, high: number, low: number, asksUs: boolean, answersUs: boolean, now: number): void {
    let neighbor = this.#entries.get(address)
    if (neighbor === undefined) {
      if (!asksUs) return
      neighbor = this.#create(address, now)
    }
    const changed = neighbor.high !== high || neighbor.low !== low
    const was = neighbor.state
    neighbor.high = high
    neighbor.low = low
    if (was === INCOMPLETE || (answersUs && was === PROBE)) {
      this.#settle(neighbor, REACHABLE, now + this.#limits.reachableTime)
    } else if (changed || was === FAILED) {
      this.#settle(neighbor, STALE, 0)
    }
  }

  /** Some other proof that an INCOMPLETE neighbour lives at a MAC address: it sent us a datagram, or a sibling was told. */
  learn(address: Ipv4Address, high: number, low: number, now: number): boolean {
    const neighbor = this.#entries.get(address)
    if (neighbor === undefined || neighbor.state !== INCOMPLETE) return false
    neighbor.high = high
    neighbor.low = low
    this.#settle(neighbor, REACHABLE, now + this.#limits.reachableTime)
    return true
  }

  /** Does what is due. */
  poll(now: number): void {
    for (const neighbor of this.#timed) {
      if (neighbor.expires > now) continue
      if (neighbor.state === FAILED) this.#remove(neighbor)
      else if (neighbor.tries < this.#limits.tries) this.#request(neighbor, now)
      else if (neighbor.state === PROBE) this.#ask(neighbor, INCOMPLETE, now)
      else this.#fail(neighbor, now)
    }
  }

  /** When `poll` has something to do; Infinity when nothing is due. */
  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    if (this.#timed.size === 0) return next
    for (const neighbor of this.#timed) if (neighbor.expires < next) next = neighbor.expires
    return next
  }

  /** Forgets everything; packets that wait are reported as lost. */
  clear(): void {
    for (const neighbor of this.#entries.values()) this.#lose(neighbor)
    this.#entries.clear()
    this.#timed.clear()
    this.unresolved = 0
  }

  #create(address: Ipv4Address, now: number): Neighbor<Packet> {
    if (this.#entries.size >= this.#limits.capacity) this.#evict()
    const neighbor = new Neighbor<Packet>(address)
    neighbor.used = now
    neighbor.state = FAILED
    this.#entries.set(address, neighbor)
    return neighbor
  }

  /** Starts asking. From PROBE to INCOMPLETE is the fall-back from unicast to broadcast. */
  #ask(neighbor: Neighbor<Packet>, state: number, now: number): void {
    this.#setState(neighbor, state)
    neighbor.tries = 0
    this.#timed.add(neighbor)
    this.#request(neighbor, now)
  }

  #request(neighbor: Neighbor<Packet>, now: number): void {
    neighbor.tries++
    neighbor.expires = now + this.#limits.retryInterval
    this.#effects.request(neighbor)
  }

  #settle(neighbor: Neighbor<Packet>, state: number, expires: number): void {
    this.#setState(neighbor, state)
    neighbor.expires = expires
    this.#timed.delete(neighbor)
    const packets = neighbor.waiting.splice(0)
    this.#effects.resolved(neighbor, packets)
  }

  #fail(neighbor: Neighbor<Packet>, now: number): void {
    this.#setState(neighbor, FAILED)
    neighbor.expires = now + this.#limits.failedTime
    this.#lose(neighbor)
  }

  #lose(neighbor: Neighbor<Packet>): void {
    const packets = neighbor.waiting.splice(0)
    this.#effects.unreachable(neighbor, packets)
  }

  #remove(neighbor: Neighbor<Packet>): void {
    this.#setState(neighbor, FAILED)
    this.#timed.delete(neighbor)
    this.#entries.delete(neighbor.address)
  }

  /** Makes room: the entry unused longest, one that nothing waits for if there is any. */
  #evict(): void {
    let victim: Neighbor<Packet> | undefined
    for (const neighbor of this.#entries.values()) {
      if (victim === undefined || cost(neighbor) < cost(victim)) victim = neighbor
    }
    if (victim === undefined) return
    this.#remove(victim)
    this.#effects.evicted(victim)
    if (victim.waiting.length > 0) this.#lose(victim)
  }

  #setState(neighbor: Neighbor<Packet>, state: number): void {
    if (neighbor.state === INCOMPLETE) this.unresolved--
    if (state === INCOMPLETE) this.unresolved++
    neighbor.state = state
  }
}

/** Order of eviction: time of last use, those that packets wait for after all others. */
function cost<Packet>(neighbor: Neighbor<Packet>): number {
  return neighbor.used + (neighbor.waiting.length > 0 ? 2 ** 52 : 0)
}
