import { type OptionSpecs, ParakernelError } from '@parakernel/hal'
import {
  formatIp,
  type IpWords,
  isIpv4Mapped,
  isIpv6Multicast,
  mapIpv4,
  parseIp,
  parseIpv4,
  parseIpv6,
} from '@parakernel/queue'
import type { ChecksumPolicy, InterfaceAddress, InterfaceConfig, InterfaceRoute, Ipv6Mode } from '../config.ts'
import { parseNetwork } from '../ipv4/address.ts'
import { covers, maskWords, sameWords } from '../route/route-table.ts'
import { invalidOption, OptionReader } from './readers.ts'

/** What every interface has for itself. */
export interface InterfaceOptions {
  /** IPv4: the host's address and the bits of its network, as in `10.0.0.1/24`; `dhcp`: what a server gives; or `none`. */
  readonly address: string
  /** The name that is told to the DHCP server. */
  readonly hostName?: string
  /** Further addresses of either family, each with the bits of its network. */
  readonly addresses?: readonly string[]
  /** The default router. Without one, only own networks can be reached. */
  readonly gateway?: string
  readonly gateway6?: string
  /** Further routes, as in `192.168.0.0/16 via 10.0.0.254`, or without `via` for what is on the link. */
  readonly routes?: readonly string[]
  /** Of routes and routers over this interface: the least wins among equal prefixes. */
  readonly metric?: number
  /** `auto`: a link-local address, and what routers advertise; `static`: link-local and `addresses`; `off`: not spoken. */
  readonly ipv6?: Ipv6Mode
  /** Ethernet address, if it shall not be the device's. */
  readonly mac?: string
  /** 802.1Q VLAN, 1 to 4094. */
  readonly vlanId?: number
  /** UDP checksums by the device where it can, by software always, or none sent and all checked. */
  readonly checksum?: ChecksumPolicy
}

const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = `${OCTET}(\\.${OCTET}){3}`
/** What may be an IPv6 address; `parseIpv6` knows for sure. */
const IPV6 = '[\\da-fA-F:.]*:[\\da-fA-F:.]*'

export const interfaceSpecs: OptionSpecs = {
  address: {
    type: 'string',
    required: true,
    description: 'IPv4 address with the bits of its network, or dhcp, or none',
    form: { example: '10.0.0.1/24', pattern: new RegExp(`^(${IPV4}/([12]?\\d|3[0-2])|dhcp|none)$`) },
  },
  hostName: {
    type: 'string',
    description: 'Name that is told to the DHCP server',
    form: { example: 'kvs-1', pattern: /^[a-z\d]([a-z\d-]{0,61}[a-z\d])?$/i },
  },
  addresses: {
    type: 'string[]',
    description: 'further addresses of either family, with the bits of their networks',
    form: { example: 'fd00::1/64', pattern: new RegExp(`^(${IPV4}/([12]?\\d|3[0-2])|${IPV6}/\\d{1,3})$`) },
  },
  gateway: {
    type: 'string',
    description: 'Default router',
    form: { example: '10.0.0.254', pattern: new RegExp(`^${IPV4}$`) },
  },
  gateway6: {
    type: 'string',
    description: 'Default router of IPv6',
    form: { example: 'fe80::1', pattern: new RegExp(`^${IPV6}$`) },
  },
  routes: {
    type: 'string[]',
    description: 'Further routes: destination, and the router unless it is on the link',
    form: {
      example: '192.168.0.0/16 via 10.0.0.254',
      pattern: new RegExp(`^(${IPV4}|${IPV6})/\\d{1,3}( via (${IPV4}|${IPV6}))?$`),
    },
  },
  metric: {
    type: 'integer',
    min: 0,
    max: 65_535,
    default: 0,
    description: 'Of routes over this interface: the least wins among equal prefixes',
  },
  ipv6: {
    type: 'string',
    values: ['auto', 'static', 'off'],
    default: 'auto',
    description: 'IPv6: link-local and what routers advertise, link-local and given addresses alone, or not at all',
  },
  mac: {
    type: 'string',
    description: "Ethernet address; the device's when absent",
    form: { example: '02:00:00:00:00:01', pattern: /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i },
  },
  vlanId: { type: 'integer', min: 1, max: 4094, description: '802.1Q VLAN of all traffic' },
  checksum: {
    type: 'string',
    values: ['device', 'software', 'omit'],
    default: 'device',
    description: 'UDP checksums: by the device where it can, always in software, or none sent',
  },
}

/** Fills in defaults and checks everything. @throws EINVAL naming the option */
export function resolveInterface(options: InterfaceOptions): InterfaceConfig {
  return readInterface(new OptionReader(options, interfaceSpecs))
}

/** The same from a reader whose specs hold those of an interface. */
export function readInterface(read: OptionReader): InterfaceConfig {
  const address = read.raw('address')
  if (typeof address !== 'string') throw invalidOption('address', 'it is required, as in 10.0.0.1/24')
  const addresses: InterfaceAddress[] = []
  for (const text of [...(address === 'dhcp' || address === 'none' ? [] : [address]), ...read.texts('addresses')]) {
    const parsed = parseInterfaceAddress(text)
    if (!addresses.some(({ words }) => sameWords(words, parsed.words))) addresses.push(parsed)
  }
  const metric = read.number('metric')
  const routes: InterfaceRoute[] = read.texts('routes').map((text) => parseRoute(text, addresses, metric))
  const gateway = read.text('gateway')
  if (gateway !== undefined) routes.push(defaultRoute(mapIpv4(parseIpv4(gateway)), addresses, metric))
  const gateway6 = read.text('gateway6')
  if (gateway6 !== undefined) routes.push(defaultRoute(parseIpv6(gateway6), addresses, metric))
  const ipv6 = read.choice<Ipv6Mode>('ipv6')
  const ofIpv6 = [...addresses.map(({ words }) => words), ...routes.map(({ destination }) => destination)]
  if (ipv6 === 'off' && !ofIpv6.every(isIpv4Mapped)) {
    throw invalidOption('ipv6', 'it is off, and addresses or routes of IPv6 are given')
  }
  return {
    addresses,
    dhcp: address === 'dhcp',
    hostName: read.text('hostName'),
    routes,
    metric,
    ipv6,
    mac: read.text('mac')?.toLowerCase(),
    vlan: read.raw('vlanId') === undefined ? undefined : read.number('vlanId'),
    checksum: read.choice<ChecksumPolicy>('checksum'),
  }
}

/** An address with a prefix, of either family. @throws EINVAL for what is no address of a single host */
export function parseInterfaceAddress(text: string): InterfaceAddress {
  if (!text.includes(':')) {
    const { address, prefix } = parseNetwork(text)
    return { words: mapIpv4(address), prefix }
  }
  const { words, prefix } = parsePrefix(text)
  const isHost = !isIpv6Multicast(words) && (words[0] | words[1] | words[2]) !== 0
  if (!isHost || isIpv4Mapped(words)) {
    throw new ParakernelError('EINVAL', 'is not the address of a single host', { subject: JSON.stringify(text) })
  }
  return { words, prefix }
}

/** @throws EINVAL unless `text` is `destination/bits`, and ` via router` may follow, of one family */
export function parseRoute(text: string, own: readonly InterfaceAddress[], metric: number): InterfaceRoute {
  const [destination, router, ...rest] = text.split(' via ')
  const { words, prefix } = parsePrefix(destination)
  const bits = prefix + (isIpv4Mapped(words) ? 96 : 0)
  if (rest.length > 0 || !sameWords(words, maskWords(words, bits))) {
    throw new ParakernelError('EINVAL', 'is not a network', {
      subject: `route ${JSON.stringify(text)}`,
      remedy: 'Write its first address and its bits, as in 192.168.0.0/16 via 10.0.0.254',
    })
  }
  if (router === undefined) return { destination: words, prefix, gateway: undefined, metric }
  const gateway = parseIp(router)
  if (isIpv4Mapped(gateway) !== isIpv4Mapped(words)) {
    throw new ParakernelError('EINVAL', 'names a router of another family', {
      subject: `route ${JSON.stringify(text)}`,
    })
  }
  checkGateway(gateway, own)
  return { destination: words, prefix, gateway, metric }
}

function defaultRoute(gateway: IpWords, own: readonly InterfaceAddress[], metric: number): InterfaceRoute {
  checkGateway(gateway, own)
  return { destination: isIpv4Mapped(gateway) ? mapIpv4(0) : new Int32Array(4), prefix: 0, gateway, metric }
}

/** @throws EINVAL for a router that is not on a network of ours. What DHCP brings nobody knows yet. */
function checkGateway(gateway: IpWords, own: readonly InterfaceAddress[]): void {
  // fe80::/10 is on every link.
  if (gateway[0] >>> 22 === 0x3fa) return
  const family = isIpv4Mapped(gateway)
  const near = own.filter(({ words }) => isIpv4Mapped(words) === family)
  const onLink = near.find(({ words, prefix }) =>
    covers(maskWords(words, bitsOf(words, prefix)), bitsOf(words, prefix), gateway),
  )
  if (onLink !== undefined && !sameWords(onLink.words, gateway)) return
  const [first] = near
  const network = first === undefined ? undefined : formatIp(maskWords(first.words, bitsOf(first.words, first.prefix)))
  throw new ParakernelError('EINVAL', 'cannot be reached without a router', {
    subject: `gateway ${formatIp(gateway)}`,
    remedy:
      first === undefined
        ? 'Give the interface an address in its network'
        : `Give a neighbour's address in ${network}/${first.prefix}`,
  })
}

function bitsOf(words: IpWords, prefix: number): number {
  return prefix + (isIpv4Mapped(words) ? 96 : 0)
}

function parsePrefix(text: string): InterfaceAddress {
  const [address, length, ...rest] = text.split('/')
  const prefix = Number(length)
  const most = address.includes(':') ? 128 : 32
  if (length === undefined || rest.length > 0 || !/^\d+$/.test(length) || prefix > most) {
    throw new ParakernelError('EINVAL', 'is not an address with a prefix length', {
      subject: JSON.stringify(text),
      remedy: 'Write the address, a slash and the bits of its network, as in 10.0.0.1/24 or fd00::1/64',
    })
  }
  return { words: parseIp(address), prefix }
}
