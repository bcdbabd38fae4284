import type { Ipv4Address } from './address.ts'

/** Entries; more would let an attacker who can forge quotations fill memory. */
const CAPACITY = 256
/** RFC 1191 section 6.3: after ten minutes a longer packet is tried again. */
const LIFETIME = 600e9
/** What routers that do not tell are taken to mean, and the least that is believed: a smaller value only serves attackers. */
const LEAST = 576

/** Path MTUs below the link's, as routers reported them (RFC 1191). */
export class PathMtuCache {
  /** In the order of their reports: the oldest, which ends first, stands first. */
  readonly #entries = new Map<Ipv4Address, { mtu: number; expires: number }>()

  /** 0 on most hosts for all of their life: callers test it first. */
  get size(): number {
    return this.#entries.size
  }

  /** The longest packet for `destination`, at most `linkMtu`. */
  get(destination: Ipv4Address, linkMtu: number, now: number): number {
    const entry = this.#entries.get(destination)
    if (entry === undefined || entry.expires <= now) return linkMtu
    return Math.min(entry.mtu, linkMtu)
  }

  /**
   * A router reported `mtu` (0 if it is too old to tell) for a packet of ours of `length` bytes. True when that narrows what was
   * known.
   */
  reported(destination: Ipv4Address, mtu: number, length: number, now: number): boolean {
    const believed = Math.max(mtu === 0 ? LEAST : mtu, LEAST)
    if (believed >= Math.min(length, this.get(destination, length, now))) return false
    this.#entries.delete(destination)
    if (this.#entries.size >= CAPACITY) {
      const oldest = this.#entries.keys().next()
      if (!oldest.done) this.#entries.delete(oldest.value)
    }
    this.#entries.set(destination, { mtu: believed, expires: now + LIFETIME })
    return true
  }

  /** Forgets what is too old, so that longer packets are tried again; true when there was any. */
  poll(now: number): boolean {
    const before = this.#entries.size
    for (const [destination, { expires }] of this.#entries) {
      if (expires > now) break
      this.#entries.delete(destination)
    }
    return this.#entries.size !== before
  }

  /** When `poll` has something to do; Infinity when nothing is due. */
  nextEvent(): number {
    const oldest = this.#entries.values().next()
    return oldest.done ? Number.POSITIVE_INFINITY : oldest.value.expires
  }
}
