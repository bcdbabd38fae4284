import { ParakernelError } from '@parakernel/hal'

export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17

export interface PortRange {
  /** IP protocol number. */
  readonly protocol: typeof PROTOCOL_TCP | typeof PROTOCOL_UDP
  /** Inclusive. */
  readonly first: number
  readonly last: number
}

/**
 * Which frames the libOS takes from an interface; the kernel gets all others. One rule that names a frame is enough; the
 * receive filter then looks at its destination address (see `xdpProgram`).
 */
export interface TakeRules {
  /** Every frame that the receive filter lets pass. */
  readonly all: boolean
  /** IPv4 destinations, 4 bytes each; ARP that asks for one, answers to one, or claims one is taken too. */
  readonly ipv4: readonly Uint8Array[]
  /** IPv6 destinations, 16 bytes each. */
  readonly ipv6: readonly Uint8Array[]
  /** Destination ports at any address. */
  readonly ports: readonly PortRange[]
  /** IPv4 to 255.255.255.255 except DHCP. */
  readonly limitedBroadcast: boolean
  /** Ethernet addresses of the groups among the addresses, 6 bytes each. */
  readonly groups: readonly Uint8Array[]
}

export interface TakeOptions {
  readonly take?: 'all' | undefined
  readonly addresses?: readonly string[] | undefined
  readonly ports?: readonly string[] | undefined
}

/**
 * Parses the options. An address with a prefix length (`10.0.0.1/24`) stands for itself, its subnet's broadcast, and the
 * limited broadcast without DHCP; an IPv6 address also for its solicited-node multicast address (RFC 4291 section 2.7.1),
 * which neighbour discovery asks.
 * Throws EINVAL for text that is no address or port range, and when nothing is to be taken at all.
 */
export function parseTakeRules({ take, addresses = [], ports = [] }: TakeOptions, subject: string): TakeRules {
  const ipv4: Uint8Array[] = []
  const ipv6: Uint8Array[] = []
  let limitedBroadcast = false
  for (const text of addresses) {
    const [address, prefix] = text.split('/')
    if (address.includes(':')) {
      const bytes = parseIpv6(address)
      if (bytes === undefined || !validPrefix(prefix, 128))
        throw invalid('addresses', text, '10.0.0.1/24 or fd00::1/64')
      ipv6.push(bytes)
      if (bytes[0] !== 0xff) ipv6.push(solicitedNode(bytes))
    } else {
      const bytes = parseIpv4(address)
      if (bytes === undefined || !validPrefix(prefix, 32)) throw invalid('addresses', text, '10.0.0.1/24 or fd00::1/64')
      ipv4.push(bytes)
      if (prefix !== undefined && Number(prefix) < 31) {
        ipv4.push(directedBroadcast(bytes, Number(prefix)))
        limitedBroadcast = true
      }
    }
  }
  const groups = uniqueGroups([...ipv4.flatMap(ipv4Group), ...ipv6.flatMap(ipv6Group)])
  const rules = { all: take === 'all', ipv4, ipv6, ports: ports.map(parsePorts), limitedBroadcast, groups }
  if (!rules.all && ipv4.length + ipv6.length + rules.ports.length === 0) {
    throw new ParakernelError('EINVAL', 'nothing says which traffic to take from the interface', {
      subject,
      remedy: "Give addresses: ['10.0.0.1/24'] or ports: ['udp/9000-9015'], or take: 'all' to take every frame",
    })
  }
  return rules
}

function parsePorts(text: string): PortRange {
  const match = /^(udp|tcp)\/(\d{1,5})(?:-(\d{1,5}))?$/.exec(text)
  const first = Number(match?.[2])
  const last = Number(match?.[3] ?? match?.[2])
  if (match === null || first < 1 || last > 65_535 || first > last)
    throw invalid('ports', text, 'udp/9000 or tcp/80-89')
  return { protocol: match[1] === 'udp' ? PROTOCOL_UDP : PROTOCOL_TCP, first, last }
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined
  return Uint8Array.from(parts, Number)
}

/** RFC 4291 section 2.2, without zones and without embedded IPv4 text. */
function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const words = halves.map((half) => (half === '' ? [] : half.split(':')))
  const given = words[0].length + (words[1]?.length ?? 0)
  if (halves.length === 1 ? given !== 8 : given > 7) return undefined
  const all = [...words[0], ...new Array<string>(8 - given).fill('0'), ...(words[1] ?? [])]
  if (!all.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return undefined
  return Uint8Array.from(all.flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 0xff]))
}

function solicitedNode(address: Uint8Array): Uint8Array {
  return Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, address[13], address[14], address[15])
}

/** RFC 1112 section 6.4; nothing for an address that is no group. */
function ipv4Group(address: Uint8Array): Uint8Array[] {
  if (address[0] >> 4 !== 0xe) return []
  return [Uint8Array.of(0x01, 0x00, 0x5e, address[1] & 0x7f, address[2], address[3])]
}

/** RFC 2464 section 7. */
function ipv6Group(address: Uint8Array): Uint8Array[] {
  return address[0] === 0xff ? [Uint8Array.of(0x33, 0x33, ...address.subarray(12))] : []
}

/** Several groups may share one Ethernet address. */
const uniqueGroups = (groups: readonly Uint8Array[]) => [
  ...new Map(groups.map((group) => [group.join(), group])).values(),
]

function directedBroadcast(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, i) => byte | (0xff >> Math.min(Math.max(prefix - i * 8, 0), 8)))
}

const validPrefix = (text: string | undefined, bits: number) =>
  text === undefined || (/^\d{1,3}$/.test(text) && Number(text) <= bits)

const invalid = (option: string, text: string, example: string) =>
  new ParakernelError('EINVAL', `${JSON.stringify(text)} is not allowed`, {
    subject: option,
    remedy: `Write it as in ${example}`,
  })
