import type { IpWords } from '@parakernel/queue'
import { matchesPrefix, same, UNSPECIFIED } from '../ipv6/address.ts'
import { PREFERENCE_MEDIUM, PREFERENCE_RESERVED } from './wire.ts'

/** A way that a router offers: to everywhere (RFC 4861 section 6.3.4), or to one prefix (RFC 4191 section 2.3). */
export interface OfferedRoute {
  readonly router: IpWords
  readonly prefix: IpWords
  readonly length: number
  preference: number
  until: number
}

/**
 * What is kept; a rogue router could offer any number. RFC 4861 section 6.3.4 asks for two default routers at least.
 */
const MOST_ROUTES = 32

/**
 * The default routers and the more specific routes that they offer (a host of type C in RFC 4191 section 3), without
 * clock or device.
 */
export class RouterList {
  /** Counts up whenever a route comes, goes or changes. */
  generation = 0
  readonly #routes: OfferedRoute[] = []
  /** Where the silent ones begin. */
  #turn = 0

  get routes(): readonly OfferedRoute[] {
    return this.#routes
  }

  get hasDefault(): boolean {
    return this.#routes.some(({ length }) => length === 0)
  }

  /** `router` offers to be a default router for `lifetime` nanoseconds; 0: no longer. */
  advertised(router: IpWords, lifetime: number, preference: number, now: number): void {
    // RFC 4191 section 2.2: the reserved value means medium.
    const known = preference === PREFERENCE_RESERVED ? PREFERENCE_MEDIUM : preference
    this.offered(router, UNSPECIFIED, 0, lifetime, known, now)
  }

  /** `router` offers a way to a prefix. */
  offered(router: IpWords, prefix: IpWords, length: number, lifetime: number, preference: number, now: number): void {
    const at = this.#routes.findIndex(
      (route) => same(route.router, router) && route.length === length && matchesPrefix(route.prefix, prefix, length),
    )
    if (lifetime === 0) {
      if (at < 0) return
      this.#routes.splice(at, 1)
      this.generation++
    } else if (at >= 0) {
      const route = this.#routes[at]
      if (route.preference !== preference) this.generation++
      route.preference = preference
      route.until = now + lifetime
    } else if (this.#routes.length < MOST_ROUTES) {
      this.#routes.push({ router: router.slice(), prefix: prefix.slice(), length, preference, until: now + lifetime })
      this.generation++
    }
  }

  /** It is no router any more (RFC 4861 section 7.2.5). */
  remove(router: IpWords): void {
    for (let i = this.#routes.length - 1; i >= 0; i--) {
      if (!same(this.#routes[i].router, router)) continue
      this.#routes.splice(i, 1)
      this.generation++
    }
  }

  /**
   * The routes to use now, those that win first: the longest prefix, then the highest preference (RFC 4191 section
   * 3.2). One whose router does not answer is left out where another that does leads there too; where there is none,
   * the silent ones take turns with each call, so that each gets tested (RFC 4861 section 6.3.6).
   */
  usable(isReachable: (router: IpWords) => boolean): OfferedRoute[] {
    const reachable = this.#routes.filter(({ router }) => isReachable(router))
    const silent = this.#routes.filter(
      (route) =>
        !reachable.includes(route) &&
        !reachable.some(({ prefix, length }) => length <= route.length && matchesPrefix(route.prefix, prefix, length)),
    )
    if (silent.length > 1) silent.unshift(...silent.splice(this.#turn++ % silent.length))
    reachable.sort((a, b) => b.length - a.length || b.preference - a.preference)
    return [...reachable, ...silent].sort((a, b) => b.length - a.length)
  }

  poll(now: number): void {
    for (let i = this.#routes.length - 1; i >= 0; i--) {
      if (this.#routes[i].until > now) continue
      this.#routes.splice(i, 1)
      this.generation++
    }
  }

  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { until } of this.#routes) next = Math.min(next, until)
    return next
  }
}
