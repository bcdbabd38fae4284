import type { IpWords } from '@parakernel/queue'
import { AddressMap } from './address-map.ts'
import { LEAST_MTU } from './wire.ts'

/** Entries; more would let an attacker who can forge quotations fill memory. */
const CAPACITY = 256
/** RFC 8201 section 4: ten minutes later a longer packet may be tried again. */
const LIFETIME = 600e9

interface Entry {
  readonly destination: IpWords
  mtu: number
  expires: number
}

/**
 * Path MTUs below the link's, as routers reported them (RFC 8201). Whoever reports must have been checked to quote
 * what we sent.
 */
export class Ipv6PathMtu {
  /** Counts up whenever an entry changes or ends: who has remembered an MTU asks again. */
  generation = 0
  readonly #entries: AddressMap<Entry>
  /** In order of their last report, oldest first. */
  readonly #order = new Set<Entry>()

  constructor(seed: number) {
    this.#entries = new AddressMap(seed)
  }

  /** 0 on most hosts for all of their life: callers test it first. */
  get size(): number {
    return this.#order.size
  }

  /** The longest packet for `destination`, at most `linkMtu`. */
  get(destination: IpWords, linkMtu: number, now: number): number {
    const entry = this.#entries.get(destination)
    if (entry === undefined) return linkMtu
    if (entry.expires > now) return Math.min(entry.mtu, linkMtu)
    this.#delete(entry)
    return linkMtu
  }

  /**
   * A router reported `mtu` for a packet of ours. True when it narrows what was known. Below 1280 nothing is
   * believed: such a link has to cut packets itself (RFC 8200 section 5), and who says so may mean us to cut ours to
   * shreds (RFC 8021).
   */
  reported(destination: IpWords, mtu: number, linkMtu: number, now: number): boolean {
    const believed = Math.max(mtu, LEAST_MTU)
    if (believed >= this.get(destination, linkMtu, now)) return false
    let entry = this.#entries.get(destination)
    if (entry === undefined) {
      if (this.#order.size >= CAPACITY) this.#delete(this.#order.values().next().value as Entry)
      entry = { destination: destination.slice(), mtu: believed, expires: 0 }
      this.#entries.set(destination, entry)
    }
    entry.mtu = believed
    entry.expires = now + LIFETIME
    this.#order.delete(entry)
    this.#order.add(entry)
    this.generation++
    return true
  }

  /** When `poll` has something to do; Infinity for never. */
  nextEvent(): number {
    const oldest = this.#order.values().next()
    return oldest.done ? Number.POSITIVE_INFINITY : oldest.value.expires
  }

  /** Ends what is too old, so that connections try longer packets again. */
  poll(now: number): void {
    for (const entry of this.#order) {
      if (entry.expires > now) return
      this.#delete(entry)
    }
  }

  #delete(entry: Entry): void {
    this.#order.delete(entry)
    this.#entries.delete(entry.destination)
    this.generation++
  }
}
