import type { IpWords } from '@parakernel/queue'
import { isLinkLocal, matchesPrefix, prefixOf } from '../ipv6/address.ts'

interface OnLinkPrefix {
  readonly prefix: IpWords
  readonly length: number
  until: number
}

/** What is kept: a rogue router could advertise any number. */
const MOST = 32

/**
 * Prefixes whose addresses are neighbours (RFC 4861 section 5.1). An address is on the link only if a prefix says so:
 * having one in the same /64 does not (RFC 5942 section 4).
 */
export class PrefixList {
  /** Counts up whenever a prefix comes or goes. */
  generation = 0
  readonly #prefixes: OnLinkPrefix[] = []

  /** @param lifetime nanoseconds; Infinity for ever; 0 takes it away (RFC 4861 section 6.3.4) */
  advertised(prefix: IpWords, length: number, lifetime: number, now: number): void {
    if (isLinkLocal(prefix) || length > 128) return
    const at = this.#prefixes.findIndex(
      (known) => known.length === length && matchesPrefix(known.prefix, prefix, length),
    )
    if (lifetime === 0) {
      if (at < 0) return
      this.#prefixes.splice(at, 1)
      this.generation++
    } else if (at >= 0) {
      this.#prefixes[at].until = now + lifetime
    } else if (this.#prefixes.length < MOST) {
      this.#prefixes.push({ prefix: prefixOf(prefix, length), length, until: now + lifetime })
      this.generation++
    }
  }

  get list(): readonly { readonly prefix: IpWords; readonly length: number }[] {
    return this.#prefixes
  }

  poll(now: number): void {
    for (let i = this.#prefixes.length - 1; i >= 0; i--) {
      if (this.#prefixes[i].until > now) continue
      this.#prefixes.splice(i, 1)
      this.generation++
    }
  }

  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { until } of this.#prefixes) next = Math.min(next, until)
    return next
  }
}
