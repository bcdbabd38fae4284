import { decodeName } from '../dns/name.ts'
import { type Ipv4Address, isUnicastHost } from '../ipv4/address.ts'
import * as dhcp from './message.ts'

export interface LeasedRoute {
  readonly destination: Ipv4Address
  readonly prefix: number
  /** 0: on the link. */
  readonly gateway: Ipv4Address
}

/** An address on loan, with what the server says about its network. */
export interface Lease {
  readonly address: Ipv4Address
  readonly prefix: number
  readonly server: Ipv4Address
  /** Seconds from the request; Infinity for ever. */
  readonly duration: number
  /** Seconds until the lender is asked to prolong it (T1), and until anybody is (T2). */
  readonly renewal: number
  readonly rebinding: number
  /** Default routes among them. */
  readonly routes: readonly LeasedRoute[]
  readonly dnsServers: readonly Ipv4Address[]
  readonly ntpServers: readonly Ipv4Address[]
  readonly search: readonly string[]
  readonly mtu: number | undefined
}

const FOR_EVER = 0xffff_ffff
/** An MTU below this is not one of IPv4's (RFC 2132 section 5.1); nor would anything useful pass. */
const LEAST_MTU = 576

/** Reads the offer or the lease in a message; undefined when it lacks what a host needs. */
export function leaseFrom(message: dhcp.ServerMessage): Lease | undefined {
  const { address, options } = message
  const [server] = addresses(options.get(dhcp.SERVER_IDENTIFIER))
  const seconds = word(options.get(dhcp.LEASE_TIME))
  if (server === undefined || seconds === undefined || seconds === 0 || !isUnicastHost(address)) return undefined
  const prefix = prefixOf(options.get(dhcp.SUBNET_MASK), address)
  if (prefix === undefined) return undefined
  const duration = seconds === FOR_EVER ? Number.POSITIVE_INFINITY : seconds
  const asked = { renewal: word(options.get(dhcp.RENEWAL_TIME)), rebinding: word(options.get(dhcp.REBINDING_TIME)) }
  // Section 4.4.5: defaults of 0.5 and 0.875; what is not in order is not believed.
  const ordered =
    asked.renewal !== undefined &&
    asked.rebinding !== undefined &&
    asked.renewal > 0 &&
    asked.renewal <= asked.rebinding &&
    asked.rebinding < duration
  const mtu = options.get(dhcp.INTERFACE_MTU)
  const mtuValue = mtu?.length === 2 ? (mtu[0] << 8) | mtu[1] : 0
  return {
    address,
    prefix,
    server,
    duration,
    renewal: ordered ? (asked.renewal as number) : duration * 0.5,
    rebinding: ordered ? (asked.rebinding as number) : duration * 0.875,
    routes: routesOf(options),
    dnsServers: addresses(options.get(dhcp.DNS_SERVERS)).filter(isUnicastHost),
    ntpServers: addresses(options.get(dhcp.NTP_SERVERS)).filter(isUnicastHost),
    search: searchOf(options),
    mtu: mtuValue >= LEAST_MTU ? mtuValue : undefined,
  }
}

function word(data: Uint8Array | undefined): number | undefined {
  return data?.length === 4 ? new DataView(data.buffer, data.byteOffset).getUint32(0) : undefined
}

function addresses(data: Uint8Array | undefined): Ipv4Address[] {
  if (data === undefined) return []
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return Array.from({ length: data.length >>> 2 }, (_, i) => view.getInt32(4 * i))
}

/** The mask's length; where there is none, that of the address's class (RFC 791). */
function prefixOf(mask: Uint8Array | undefined, address: Ipv4Address): number | undefined {
  if (mask === undefined) return address >>> 31 === 0 ? 8 : address >>> 30 === 2 ? 16 : 24
  const value = word(mask)
  if (value === undefined) return undefined
  const prefix = Math.clz32(~value)
  const isContiguous = prefix === 32 || (value << prefix) >>> 0 === 0
  return prefix > 0 && isContiguous ? prefix : undefined
}

/** RFC 3442: where classless routes are given, routers are not looked at. */
function routesOf(options: ReadonlyMap<number, Uint8Array>): LeasedRoute[] {
  const classless = options.get(dhcp.CLASSLESS_ROUTES)
  if (classless === undefined) {
    const [gateway] = addresses(options.get(dhcp.ROUTER)).filter(isUnicastHost)
    return gateway === undefined ? [] : [{ destination: 0, prefix: 0, gateway }]
  }
  const routes: LeasedRoute[] = []
  for (let at = 0; at < classless.length; ) {
    const prefix = classless[at]
    const significant = (prefix + 7) >>> 3
    const end = at + 1 + significant + 4
    if (prefix > 32 || end > classless.length) break
    let destination = 0
    for (let i = 0; i < significant; i++) destination |= classless[at + 1 + i] << (24 - 8 * i)
    const [gateway] = addresses(classless.slice(end - 4, end))
    const mask = prefix === 0 ? 0 : prefix === 32 ? -1 : ~(0xffff_ffff >>> prefix)
    routes.push({ destination: destination & mask, prefix, gateway })
    at = end
  }
  return routes
}

function searchOf(options: ReadonlyMap<number, Uint8Array>): string[] {
  const list = options.get(dhcp.DOMAIN_SEARCH)
  const names: string[] = []
  if (list !== undefined) {
    // RFC 3397: names as in a DNS message, compressed within the option.
    for (let at = 0; at < list.length; ) {
      const decoded = decodeName(list, at)
      if (decoded === undefined) break
      names.push(decoded.name)
      at = decoded.end
    }
  }
  const domain = options.get(dhcp.DOMAIN_NAME)
  const text = domain === undefined ? '' : new TextDecoder().decode(domain).replace(/\0.*$/s, '').trim()
  if (names.length === 0 && /^[\x21-\x7e]+$/.test(text)) names.push(text)
  return names
}
