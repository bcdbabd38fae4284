import type { IpWords } from '@parakernel/queue'
import { formatIp, isMulticast, isUnspecified } from '../ipv6/address.ts'
import type { DnsInformation } from './options.ts'

/** What is kept of each kind: a rogue router could name any number. RFC 8106 section 5.3.1 asks for three at least. */
const MOST = 8

/** Resolvers and search domains that routers named, with their lifetimes (RFC 8106 section 6). */
export class DnsList {
  readonly #servers = new Map<string, number>()
  readonly #domains = new Map<string, number>()

  /** A lifetime of 0 takes them away. A link-local server is of the link that told of it. */
  told({ servers, domains, lifetime }: DnsInformation, now: number): void {
    for (const server of servers) if (isServer(server)) note(this.#servers, formatIp(server), lifetime, now)
    for (const domain of domains) note(this.#domains, domain, lifetime, now)
  }

  /** Addresses, those told first at the front. */
  servers(now: number): readonly string[] {
    return alive(this.#servers, now)
  }

  search(now: number): readonly string[] {
    return alive(this.#domains, now)
  }
}

function isServer(address: IpWords): boolean {
  return !isMulticast(address) && !isUnspecified(address)
}

function note(list: Map<string, number>, key: string, lifetime: number, now: number): void {
  alive(list, now)
  if (lifetime === 0) list.delete(key)
  else if (list.has(key) || list.size < MOST) list.set(key, now + lifetime)
}

/** Drops what has ended. */
function alive(list: Map<string, number>, now: number): string[] {
  for (const [key, until] of list) if (until <= now) list.delete(key)
  return [...list.keys()]
}
