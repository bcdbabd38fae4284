import { SEGMENT_TCP4, SEGMENT_TCP6 } from '@parakernel/hal'
import { type IpWords, isIpv4Mapped, isIpv6Multicast } from '@parakernel/queue'
import * as ethernet from '../ethernet/wire.ts'
import { isMulticast } from '../ipv4/address.ts'
import type { PathMtuCache } from '../ipv4/path-mtu.ts'
import * as ipv4 from '../ipv4/wire.ts'
import type { Ipv6PathMtu } from '../ipv6/path-mtu.ts'
import * as ipv6 from '../ipv6/wire.ts'
import type { RouteTable } from '../route/route-table.ts'
import type { AddressTable } from './address-table.ts'
import type { StackContext } from './context.ts'
import type { NetInterface } from './interface.ts'
import { HOP_BROADCAST, HOP_LOOPBACK, HOP_MULTICAST, HOP_NEIGHBOR, Path } from './path.ts'

/** Chooses a source address (RFC 6724 section 5); undefined when the interface has none for the destination. */
export type SourceSelection = (iface: NetInterface, destination: IpWords, nextHop: IpWords) => IpWords | undefined

/** What paths are worked out from. */
export interface PathSources {
  readonly interfaces: readonly NetInterface[]
  readonly loopback: NetInterface
  readonly addresses: AddressTable
  readonly routes: RouteTable<NetInterface>
  readonly pathMtu: PathMtuCache
  readonly pathMtu6: Ipv6PathMtu
  readonly selectSource: SourceSelection
}

const BUCKETS = 256
/** Paths that are remembered. Beyond it all are forgotten: whoever holds one keeps it, and a new one costs a look-up. */
const CAPACITY = 1024

/**
 * The destination cache: one path for each pair of addresses that is in use, and how a path is worked out from routes, addresses and
 * path MTUs. A look-up allocates nothing.
 */
export class PathTable {
  readonly #context: StackContext
  readonly #sources: PathSources
  readonly #buckets: (Path | undefined)[] = new Array(BUCKETS).fill(undefined)
  readonly #seed: number
  readonly #from: IpWords = new Int32Array(4)
  readonly #to: IpWords = new Int32Array(4)
  #size = 0
  #generation = 0

  constructor(context: StackContext, sources: PathSources) {
    this.#context = context
    this.#sources = sources
    this.#seed = context.random.next() | 0
    this.#from[2] = 0xffff
    this.#to[2] = 0xffff
  }

  /**
   * The path to `remote`, checked: its `failure` says why nothing can be sent.
   * @param local an address of ours, or undefined: the best one for the destination
   */
  to(local: IpWords | undefined, remote: IpWords): Path {
    const found = this.#find(local, remote)
    found.check()
    return found
  }

  /** As `to`, for IPv4. @param local 0 for the best one */
  toIpv4(local: number, remote: number): Path {
    this.#to[3] = remote
    if (local === 0) return this.to(undefined, this.#to)
    this.#from[3] = local
    return this.to(this.#from, this.#to)
  }

  /** A path by a given interface, whatever the routes say, for groups and broadcasts; not remembered. */
  by(iface: NetInterface, local: IpWords | undefined, remote: IpWords): Path {
    const path = new Path(this, isIpv4Mapped(remote) ? 4 : 6, local, remote, iface)
    path.pinned = true
    path.check()
    return path
  }

  /** Works a path out anew. */
  resolve(path: Path): void {
    const { interfaces, loopback, addresses, routes, selectSource } = this.#sources
    const { remote, family } = path
    path.generation = this.#context.generation
    path.failure = undefined
    path.hop = HOP_NEIGHBOR
    path.nextHop = remote
    const chosen = path.fixed || path.pinned || !isAny(path.local)
    let only: NetInterface | undefined
    if (path.pinned) only = path.interface
    else if (chosen) {
      only = addresses.ownerOf(path.local)
      if (only === undefined) {
        path.failure = 'EADDRNOTAVAIL'
        return
      }
    }

    const own = addresses.ownerOf(remote)
    if (own !== undefined) {
      if (!chosen) this.#setLocal(path, remote)
      this.#set(path, loopback, HOP_LOOPBACK, 0, 0)
      return
    }
    // What is said from 127.0.0.1 or ::1 stays inside (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3).
    if (only === loopback) {
      path.failure = 'ENETUNREACH'
      return
    }
    let iface: NetInterface | undefined
    const last = remote[3]
    if (family === 4 ? isMulticast(last) : isIpv6Multicast(remote)) {
      iface = only ?? routes.lookup(remote)?.interface ?? interfaces[0]
      const v4 = family === 4
      const high = v4 ? ethernet.multicastHigh(last) : ethernet.multicast6High(last)
      const low = v4 ? ethernet.multicastLow(last) : ethernet.multicast6Low(last)
      this.#set(path, iface, HOP_MULTICAST, high, low)
    } else if (family === 4 && this.#broadcastInterface(last, only) !== undefined) {
      iface = this.#broadcastInterface(last, only) as NetInterface
      this.#set(path, iface, HOP_BROADCAST, ethernet.BROADCAST_HIGH, ethernet.BROADCAST_LOW)
    } else {
      const route = routes.lookup(remote, only)
      if (route === undefined || (family === 4 && last === 0)) {
        path.failure = 'ENETUNREACH'
        return
      }
      iface = route.interface
      if (!iface.speaks(family)) {
        path.failure = 'ENETUNREACH'
        return
      }
      path.nextHop = route.gateway ?? remote
      this.#set(path, iface, HOP_NEIGHBOR, 0, 0)
    }
    if (iface.lost !== undefined) {
      path.failure = 'ENETUNREACH'
      return
    }
    if (chosen) return
    const source =
      family === 4 ? mapped(addresses.sourceIpv4(iface, path.nextHop[3])) : selectSource(iface, remote, path.nextHop)
    if (source === undefined || source[3] === 0) path.failure = 'EADDRNOTAVAIL'
    else this.#setLocal(path, source)
  }

  /** The interface that a broadcast goes out of; undefined for what is no broadcast address. */
  #broadcastInterface(destination: number, only: NetInterface | undefined): NetInterface | undefined {
    if (only !== undefined) return only.isBroadcast(destination) ? only : undefined
    return this.#sources.interfaces.find((iface) => !iface.loopback && iface.isBroadcast(destination))
  }

  #setLocal(path: Path, local: IpWords): void {
    path.local.set(local)
    path.localIpv4 = local[3]
    this.#sum(path)
  }

  /** Everything that follows from the interface. */
  #set(path: Path, iface: NetInterface, hop: number, high: number, low: number): void {
    const { pathMtu, pathMtu6 } = this.#sources
    const { family, remote } = path
    path.interface = iface
    path.link = iface.linkFor(path.remoteIpv4)
    path.hop = hop
    path.high = high
    path.low = low
    path.loopback = hop === HOP_LOOPBACK
    path.ipHeader = family === 4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH
    path.headroom = iface.pool.headroom + iface.linkHeader + path.ipHeader
    const now = iface.time[0]
    const linkMtu = family === 4 ? iface.mtu : Math.min(iface.mtu, iface.mtu6)
    if (hop !== HOP_NEIGHBOR) path.mtu = linkMtu
    else if (family === 4) path.mtu = pathMtu.get(remote[3], linkMtu, now)
    else path.mtu = pathMtu6.get(remote, linkMtu, now)
    path.computesChecksum = iface.deviceComputes
    path.maxChain = iface.maxChain
    path.superPacket = superPacketOf(iface, family, path.ipHeader)
    this.#sum(path)
  }

  #sum(path: Path): void {
    // The mapped form of an IPv4 address adds 0xffff to a sum, which is zero in one's complement (RFC 1071).
    path.pseudoSum = ipv6.addressSum(path.local, path.remote)
  }

  #find(local: IpWords | undefined, remote: IpWords): Path {
    if (this.#generation !== this.#context.generation || this.#size >= CAPACITY) this.#clear()
    const bucket = this.#hash(local, remote)
    for (let path = this.#buckets[bucket]; path !== undefined; path = path.next) {
      const r = path.remote
      if (r[3] !== remote[3] || r[2] !== remote[2] || r[1] !== remote[1] || r[0] !== remote[0]) continue
      if (local === undefined) {
        if (!path.fixed) return path
        continue
      }
      const l = path.local
      if (path.fixed && l[3] === local[3] && l[2] === local[2] && l[1] === local[1] && l[0] === local[0]) return path
    }
    const path = new Path(this, isIpv4Mapped(remote) ? 4 : 6, local, remote, this.#sources.loopback)
    path.next = this.#buckets[bucket]
    this.#buckets[bucket] = path
    this.#size++
    return path
  }

  #clear(): void {
    this.#buckets.fill(undefined)
    this.#size = 0
    this.#generation = this.#context.generation
  }

  #hash(local: IpWords | undefined, remote: IpWords): number {
    let h = this.#seed
    for (let i = 0; i < 4; i++) h = mix(h ^ remote[i])
    if (local !== undefined) for (let i = 0; i < 4; i++) h = mix(h ^ local[i])
    return (h >>> 8) & (BUCKETS - 1)
  }
}

/** Longest transport packet that the device cuts for TCP; 0: none. An IP packet is at most 64 KiB long. */
function superPacketOf(iface: NetInterface, family: 4 | 6, ipHeader: number): number {
  const kind = family === 4 ? SEGMENT_TCP4 : SEGMENT_TCP6
  if ((iface.segmentation & kind) === 0) return 0
  return Math.min(ipv4.MAX_LENGTH, iface.maxSuperPacket - iface.linkHeader) - ipHeader
}

function mix(h: number): number {
  const m = Math.imul(h, 0x9e3779b1)
  return m ^ (m >>> 15)
}

function isAny(words: IpWords): boolean {
  return (words[0] | words[1] | words[2] | words[3]) === 0
}

function mapped(address: number): IpWords {
  return Int32Array.of(0, 0, 0xffff, address)
}
