import { type IpWords, isIpv4Mapped } from '@parakernel/queue'

/** Where a route came from: an address of ours, the configuration, DHCP, or a router's advertisement (RFC 4292 section 4). */
export type RouteOrigin = 'connected' | 'static' | 'dhcp' | 'router'

/** What the table needs of an interface. */
export interface RouteInterface {
  readonly name: string
  /** Its queues are there and their link is up. */
  readonly up: boolean
}

export interface Route<Interface extends RouteInterface> {
  readonly family: 4 | 6
  /** Bits after the prefix are zero; IPv4 as `::ffff:a.b.c.d`. */
  readonly destination: IpWords
  /** Bits, 0 to 32 or to 128. */
  readonly prefix: number
  /** The router to send to; undefined: destinations are on the link. */
  readonly gateway: IpWords | undefined
  readonly interface: Interface
  /** Among routes of equal prefixes the least wins. */
  readonly metric: number
  readonly origin: RouteOrigin
}

/**
 * Routes of both families (RFC 1122 section 3.3.1, RFC 8200 section 8): the longest prefix wins, then the least metric, then the one that was
 * added first. A route over an interface that is down is used only when there is no other.
 */
export class RouteTable<Interface extends RouteInterface> {
  #routes: Route<Interface>[] = []

  /** In the order in which they are tried. */
  get routes(): readonly Route<Interface>[] {
    return this.#routes
  }

  /** Adds a route; one to the same destination by the same gateway and interface is replaced. */
  add(route: Route<Interface>): void {
    this.remove((other) => sameWay(route, other))
    const before = this.#routes.findIndex(
      (other) => other.prefix < route.prefix || (other.prefix === route.prefix && other.metric > route.metric),
    )
    this.#routes.splice(before < 0 ? this.#routes.length : before, 0, route)
  }

  /** Removes those that `which` names; their number. */
  remove(which: (route: Route<Interface>) => boolean): number {
    const before = this.#routes.length
    this.#routes = this.#routes.filter((route) => !which(route))
    return before - this.#routes.length
  }

  /**
   * The route to an address, undefined when there is none.
   * @param only routes over this interface alone
   */
  lookup(destination: IpWords, only?: Interface): Route<Interface> | undefined {
    const family = isIpv4Mapped(destination) ? 4 : 6
    let down: Route<Interface> | undefined
    for (const route of this.#routes) {
      if (route.family !== family || (only !== undefined && route.interface !== only)) continue
      if (!covers(route.destination, familyBits(family) + route.prefix, destination)) continue
      if (route.interface.up) return route
      down ??= route
    }
    return down
  }
}

/** Bits of the mapped form that stand before an address of the family. */
function familyBits(family: 4 | 6): number {
  return family === 4 ? 96 : 0
}

/** Whether the first `bits` bits of two addresses are equal. */
export function covers(prefix: IpWords, bits: number, address: IpWords): boolean {
  for (let word = 0; word < 4; word++) {
    const left = bits - 32 * word
    if (left <= 0) return true
    const difference = prefix[word] ^ address[word]
    if (left >= 32 ? difference !== 0 : difference >>> (32 - left) !== 0) return false
  }
  return true
}

/** An address with all bits after the prefix zero. */
export function maskWords(address: IpWords, bits: number): IpWords {
  return Int32Array.from(address, (value, word) => {
    const left = bits - 32 * word
    return left >= 32 ? value : left <= 0 ? 0 : value & ~(0xffff_ffff >>> left)
  })
}

export function sameWords(a: IpWords, b: IpWords): boolean {
  return a[3] === b[3] && a[2] === b[2] && a[1] === b[1] && a[0] === b[0]
}

function sameWay<Interface extends RouteInterface>(a: Route<Interface>, b: Route<Interface>): boolean {
  return (
    a.family === b.family &&
    a.prefix === b.prefix &&
    a.interface === b.interface &&
    sameWords(a.destination, b.destination) &&
    (a.gateway === undefined || b.gateway === undefined ? a.gateway === b.gateway : sameWords(a.gateway, b.gateway))
  )
}
