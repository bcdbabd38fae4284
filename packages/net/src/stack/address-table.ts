import type { IpWords } from '@parakernel/queue'
import { isIpv4Mapped } from '@parakernel/queue'
import { type Ipv4Network, LIMITED_BROADCAST } from '../ipv4/address.ts'
import { maskWords, type RouteTable, sameWords } from '../route/route-table.ts'
import type { StackContext } from './context.ts'
import type { NetInterface } from './interface.ts'

/** RFC 4293, ipAddressStatus. Only `preferred` and `deprecated` addresses are answered for and sent from. */
export type AddressState = 'tentative' | 'preferred' | 'deprecated' | 'duplicate'
/** RFC 4293, ipAddressOrigin: how an address was come by. */
export type AddressOrigin = 'manual' | 'dhcp' | 'linklayer' | 'random'

/** An address of ours, on one interface. */
export interface LocalAddress {
  readonly family: 4 | 6
  /** IPv4 as `::ffff:a.b.c.d`. */
  readonly words: IpWords
  /** Bits of its network, 0 to 32 or to 128. */
  readonly prefix: number
  readonly interface: NetInterface
  readonly origin: AddressOrigin
  state: AddressState
  /** Ends of its lifetimes in nanoseconds, Infinity for ever (RFC 4862 section 5.5.4). For whoever added it to act on. */
  preferredUntil: number
  validUntil: number
}

/**
 * The addresses of all interfaces. A strong host (RFC 1122 section 3.3.4.2): an address belongs to one interface; a packet for it is
 * taken from that interface alone (and from ourselves), and a packet from it leaves by that interface alone. Every change moves
 * the context's generation on.
 */
export class AddressTable {
  readonly #context: StackContext
  readonly #routes: RouteTable<NetInterface>
  readonly #entries: LocalAddress[] = []
  /** IPv4 addresses that may be used, for look-ups by number. */
  readonly #ipv4 = new Map<number, LocalAddress>()

  constructor(context: StackContext, routes: RouteTable<NetInterface>) {
    this.#context = context
    this.#routes = routes
  }

  get entries(): readonly LocalAddress[] {
    return this.#entries
  }

  /** Adds an address, and the route to its network; one that is there already is left as it is. */
  add(
    iface: NetInterface,
    words: IpWords,
    prefix: number,
    origin: AddressOrigin,
    state: AddressState = 'preferred',
  ): LocalAddress {
    const known = this.find(words)
    if (known !== undefined && known.interface === iface) return known
    const family = isIpv4Mapped(words) ? 4 : 6
    const entry: LocalAddress = {
      ...{ family, words, prefix, interface: iface, origin, state },
      preferredUntil: Number.POSITIVE_INFINITY,
      validUntil: Number.POSITIVE_INFINITY,
    }
    this.#entries.push(entry)
    // A host's own prefix of one address leads nowhere else.
    if (prefix < (family === 4 ? 32 : 128)) {
      const destination = maskWords(words, prefix + (family === 4 ? 96 : 0))
      this.#routes.add({
        ...{ family, destination, prefix, gateway: undefined, interface: iface, metric: 0 },
        origin: 'connected',
      })
    }
    this.#changed(iface)
    return entry
  }

  /** Takes an address away, and the route to its network unless another address is in it; false when it was not there. */
  remove(entry: LocalAddress): boolean {
    const at = this.#entries.indexOf(entry)
    if (at < 0) return false
    this.#entries.splice(at, 1)
    const { family, prefix, interface: iface } = entry
    const bits = prefix + (family === 4 ? 96 : 0)
    const network = maskWords(entry.words, bits)
    const shared = this.#entries.some(
      (other) =>
        other.interface === iface && other.prefix === prefix && sameWords(maskWords(other.words, bits), network),
    )
    if (!shared) {
      this.#routes.remove(
        (route) =>
          route.origin === 'connected' &&
          route.interface === iface &&
          route.family === family &&
          route.prefix === prefix &&
          sameWords(route.destination, network),
      )
    }
    this.#changed(iface)
    return true
  }

  setState(entry: LocalAddress, state: AddressState): void {
    if (entry.state === state) return
    entry.state = state
    this.#changed(entry.interface)
  }

  /** The entry of an address, whatever its state. */
  find(words: IpWords): LocalAddress | undefined {
    const entries = this.#entries
    for (let i = 0; i < entries.length; i++) if (sameWords(entries[i].words, words)) return entries[i]
    return undefined
  }

  /** Whether an address is ours, even if it may not be used yet, or no more. */
  has(words: IpWords): boolean {
    return this.find(words) !== undefined || (isIpv4Mapped(words) && words[3] >>> 24 === 127)
  }

  /** The interface that has an address which may be used. */
  ownerOf(words: IpWords): NetInterface | undefined {
    if (isIpv4Mapped(words)) return this.ownerOfIpv4(words[3])
    const entry = this.find(words)
    return entry !== undefined && isUsable(entry) ? entry.interface : undefined
  }

  /** All of 127.0.0.0/8 is the loopback interface's (RFC 1122 section 3.2.1.3). */
  ownerOfIpv4(address: number): NetInterface | undefined {
    const entry = this.#ipv4.get(address)
    if (entry !== undefined) return entry.interface
    return address >>> 24 === 127 ? this.#ipv4.get(LOCALHOST)?.interface : undefined
  }

  /** How many IPv4 addresses may be used, 127.0.0.1 among them. */
  get usableIpv4(): number {
    return this.#ipv4.size
  }

  isOwnIpv4(address: number): boolean {
    return this.#ipv4.has(address) || address >>> 24 === 127
  }

  /** The address that an interface sends from to a neighbour: one of the neighbour's network, else the first. 0 for none. */
  sourceIpv4(iface: NetInterface, nextHop: number): number {
    return iface.networkOf(nextHop)?.address ?? iface.address
  }

  #changed(iface: NetInterface): void {
    this.#ipv4.clear()
    for (const entry of this.#entries) {
      if (entry.family === 4 && isUsable(entry)) this.#ipv4.set(entry.words[3], entry)
    }
    const usable = this.#entries.filter((entry) => entry.interface === iface && isUsable(entry))
    iface.addresses6 = usable.filter(({ family }) => family === 6).map(({ words }) => words)
    const networks = usable.filter(({ family }) => family === 4).map(ipv4NetworkOf)
    iface.networks = networks
    iface.address = networks[0]?.address ?? 0
    iface.broadcast = networks[0]?.broadcast ?? LIMITED_BROADCAST
    this.#context.generation++
  }
}

const LOCALHOST = 0x7f00_0001

/** May be sent from, and answered for. */
export function isUsable({ state }: LocalAddress): boolean {
  return state === 'preferred' || state === 'deprecated'
}

function ipv4NetworkOf({ words, prefix }: LocalAddress): Ipv4Network {
  const address = words[3]
  const mask = prefix === 32 ? -1 : ~(0xffff_ffff >>> prefix)
  return { address, prefix, mask, broadcast: prefix >= 31 ? LIMITED_BROADCAST : address | ~mask }
}
