import type { IpWords } from '@parakernel/queue'
import { same } from '../ipv6/address.ts'
import { AddressMap } from '../ipv6/address-map.ts'

/** Entries; the oldest gives way. A redirect is a hint: without it packets take a detour. */
const CAPACITY = 64

/** Better first hops that routers told (RFC 4861 section 8.3). The caller has checked who told. */
export class Redirects {
  /** Counts up whenever an entry comes, changes or goes. */
  generation = 0
  readonly #nextHops: AddressMap<IpWords>
  /** Destinations, oldest first. */
  readonly #order: IpWords[] = []

  constructor(seed: number) {
    this.#nextHops = new AddressMap(seed)
  }

  get size(): number {
    return this.#order.length
  }

  /** Destinations with their first hops, oldest first. */
  get list(): readonly { readonly destination: IpWords; readonly nextHop: IpWords }[] {
    return this.#order.map((destination) => ({ destination, nextHop: this.#nextHops.get(destination) ?? destination }))
  }

  /** The neighbour to send packets for `destination` to; undefined where none was told. */
  get(destination: IpWords): IpWords | undefined {
    return this.#order.length === 0 ? undefined : this.#nextHops.get(destination)
  }

  set(destination: IpWords, nextHop: IpWords): void {
    this.#delete(destination)
    if (this.#order.length >= CAPACITY) this.#delete(this.#order[0])
    this.#nextHops.set(destination, nextHop.slice())
    this.#order.push(destination.slice())
    this.generation++
  }

  /** That neighbour is not to be used any more: it does not answer, or is no router. */
  forget(nextHop: IpWords): void {
    for (const destination of [...this.#order]) {
      const hop = this.#nextHops.get(destination)
      if (hop !== undefined && same(hop, nextHop)) this.#delete(destination)
    }
  }

  #delete(destination: IpWords): void {
    if (!this.#nextHops.delete(destination)) return
    this.#order.splice(
      this.#order.findIndex((known) => same(known, destination)),
      1,
    )
    this.generation++
  }
}
