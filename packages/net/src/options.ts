import { type OptionSpecs, ParakernelError } from '@parakernel/hal'
import type { ChecksumPolicy, NetConfig } from './config.ts'
import { parseIpv4, parseNetwork } from './ipv4/address.ts'
import { hostRoutes } from './ipv4/routes.ts'
import { secureRandom, seededRandom } from './random.ts'
import { EPHEMERAL_FIRST, EPHEMERAL_LAST, type EphemeralRange } from './udp/ports.ts'

/** Settings of the network libOS `net`. Times are in milliseconds. */
export interface NetOptions {
  /** The host's address and the bits of its network: `10.0.0.1/24`. */
  readonly address: string
  /** The default router. Without one, only the own network can be reached. */
  readonly gateway?: string
  /** Ethernet address, if it shall not be the device's. */
  readonly mac?: string
  /** 802.1Q VLAN, 1 to 4094. */
  readonly vlanId?: number
  /** UDP checksums by the device where it can, by software always, or none sent and all checked. */
  readonly checksum?: ChecksumPolicy
  /** Makes ports, identifiers and delays repeatable. Without it they come from the host's secure generator. */
  readonly seed?: number
  /** Packets taken from a queue at a time. */
  readonly burst?: number
  /** Packets that wait for a full transmit ring. */
  readonly transmitBacklog?: number
  /** Range of ephemeral ports. */
  readonly ephemeralPorts?: string
  readonly sockets?: number
  /** Default of the socket option of this name. */
  readonly receiveQueue?: number
  readonly arpEntries?: number
  readonly arpWaiting?: number
  readonly arpRetry?: number
  readonly arpTries?: number
  readonly arpReachable?: number
  readonly arpFailed?: number
  /** What is done before the address is used (RFC 5227). */
  readonly addressCheck?: 'probe' | 'announce' | 'none'
  /** What is done when another host uses it too. */
  readonly addressConflict?: 'defend' | 'yield'
  readonly reassemblyDatagrams?: number
  readonly reassemblyPerSource?: number
  readonly reassemblyFragments?: number
  readonly reassemblyTimeout?: number
  /** ICMP errors a second. */
  readonly icmpRate?: number
  readonly icmpBurst?: number
  readonly igmpVersion?: number
  readonly igmpRobustness?: number
  readonly igmpRefresh?: number
  /**
   * Shared by the instances of all partitions of one address; made by `siblingsBuffer`. Without it a partition cannot
   * tell what the others know, see the README.
   */
  readonly siblings?: SharedArrayBuffer
}

const MILLISECOND = 1e6
const hour = 3_600_000

const OCTET = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)'
const IPV4 = `${OCTET}(\\.${OCTET}){3}`

export const optionSpecs: OptionSpecs = {
  address: {
    type: 'string',
    required: true,
    description: 'IPv4 address with the bits of its network',
    form: { example: '10.0.0.1/24', pattern: new RegExp(`^${IPV4}/([12]?\\d|3[0-2])$`) },
  },
  gateway: {
    type: 'string',
    description: 'Default router',
    form: { example: '10.0.0.254', pattern: new RegExp(`^${IPV4}$`) },
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
  seed: { type: 'integer', min: 0, description: 'Makes ports, identifiers and random delays repeatable' },
  burst: { type: 'integer', min: 1, max: 1024, default: 32, description: 'Packets taken from a queue at a time' },
  transmitBacklog: {
    type: 'integer',
    min: 1,
    max: 65_536,
    default: 1024,
    description: 'Packets that wait for a full transmit ring',
  },
  ephemeralPorts: {
    type: 'string',
    default: `${EPHEMERAL_FIRST}-${EPHEMERAL_LAST}`,
    description: 'Ports for sockets that are not bound by the program',
    form: { example: '49152-65535', pattern: /^\d+-\d+$/ },
  },
  sockets: { type: 'integer', min: 1, max: 65_535, default: 4096, description: 'Sockets of a partition' },
  receiveQueue: { type: 'integer', min: 1, max: 1e6, default: 256, description: 'Datagrams that wait for a pop' },
  arpEntries: { type: 'integer', min: 1, max: 65_536, default: 1024, description: 'Neighbours that are remembered' },
  arpWaiting: { type: 'integer', min: 1, max: 4096, default: 64, description: 'Packets that wait for one neighbour' },
  arpRetry: { type: 'integer', min: 1, max: hour, default: 1000, description: 'Milliseconds between ARP requests' },
  arpTries: { type: 'integer', min: 1, max: 100, default: 3, description: 'ARP requests before giving up' },
  arpReachable: { type: 'integer', min: 1, max: hour, default: 30_000, description: 'Milliseconds an answer is fresh' },
  arpFailed: {
    type: 'integer',
    min: 1,
    max: hour,
    default: 3000,
    description: 'Milliseconds that a silent neighbour is not asked again',
  },
  addressCheck: {
    type: 'string',
    values: ['probe', 'announce', 'none'],
    default: 'announce',
    description: 'Before the address is used: probe for others (takes 4 to 7 s), announce it, or nothing (RFC 5227)',
  },
  addressConflict: {
    type: 'string',
    values: ['defend', 'yield'],
    default: 'defend',
    description: 'When another host uses the address: defend it for ever, or once and then give it up',
  },
  reassemblyDatagrams: { type: 'integer', min: 1, max: 1024, default: 16, description: 'Datagrams in reassembly' },
  reassemblyPerSource: { type: 'integer', min: 1, max: 1024, default: 4, description: 'Of these, from one source' },
  reassemblyFragments: { type: 'integer', min: 2, max: 8192, default: 128, description: 'Fragments of a datagram' },
  reassemblyTimeout: {
    type: 'integer',
    min: 1,
    max: hour,
    default: 60_000,
    description: 'Milliseconds from the first fragment to giving up',
  },
  icmpRate: { type: 'number', min: 0, max: 1e6, default: 1000, description: 'ICMP errors a second' },
  icmpBurst: { type: 'integer', min: 1, max: 1e6, default: 50, description: 'ICMP errors at once' },
  igmpVersion: { type: 'integer', min: 1, max: 3, default: 3, description: 'IGMP version until a router is heard' },
  igmpRobustness: { type: 'integer', min: 1, max: 7, default: 2, description: 'Times that a membership is told' },
  igmpRefresh: {
    type: 'integer',
    min: 1000,
    max: hour,
    default: 60_000,
    description: 'Milliseconds between unasked reports, where several partitions share the address',
  },
  siblings: { type: 'object', description: 'Shared memory of all partitions of the address (siblingsBuffer)' },
}

/** Fills in defaults and checks everything. @throws EINVAL naming the option */
export function resolveOptions(options: NetOptions): NetConfig {
  for (const key of Object.keys(options)) {
    if (!(key in optionSpecs)) throw invalid(key, 'there is no such option')
  }
  const integer = (key: keyof NetOptions): number => {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, type, default: fallback } = optionSpecs[key]
    const value = (options[key] ?? fallback) as unknown
    const right = typeof value === 'number' && value >= min && value <= max
    if (!right || (type === 'integer' && !Number.isInteger(value))) {
      throw invalid(
        key,
        `${String(value)} is not ${type === 'integer' ? 'an integer' : 'a number'} from ${min} to ${max}`,
      )
    }
    return value
  }
  const choice = <T extends string>(key: keyof NetOptions): T => {
    const { values = [], default: fallback } = optionSpecs[key]
    const value = (options[key] ?? fallback) as T
    if (!values.includes(value)) throw invalid(key, `${JSON.stringify(value)} is not one of ${values.join(', ')}`)
    return value
  }
  const time = (key: keyof NetOptions) => integer(key) * MILLISECOND
  if (typeof options.address !== 'string') throw invalid('address', 'it is required, as in 10.0.0.1/24')
  const network = parseNetwork(options.address)
  const gateway = options.gateway === undefined ? undefined : parseIpv4(options.gateway)
  hostRoutes(network, gateway)
  const addressCheck = choice<'probe' | 'announce' | 'none'>('addressCheck')
  return {
    network,
    gateway,
    mac: options.mac?.toLowerCase(),
    vlan: options.vlanId === undefined ? undefined : integer('vlanId'),
    checksum: choice<ChecksumPolicy>('checksum'),
    random: options.seed === undefined ? secureRandom() : seededRandom(integer('seed')),
    burst: integer('burst'),
    transmitBacklog: integer('transmitBacklog'),
    ephemeral: parseRange(options.ephemeralPorts ?? (optionSpecs['ephemeralPorts'].default as string)),
    sockets: integer('sockets'),
    receiveQueue: integer('receiveQueue'),
    neighbors: {
      capacity: integer('arpEntries'),
      waiting: integer('arpWaiting'),
      retryInterval: time('arpRetry'),
      tries: integer('arpTries'),
      reachableTime: time('arpReachable'),
      failedTime: time('arpFailed'),
    },
    probeAddress: addressCheck === 'probe',
    announceAddress: addressCheck !== 'none',
    defendAddress: choice('addressConflict') === 'defend',
    reassembly: {
      datagrams: integer('reassemblyDatagrams'),
      perSource: integer('reassemblyPerSource'),
      fragments: integer('reassemblyFragments'),
      timeout: time('reassemblyTimeout'),
    },
    icmpRate: integer('icmpRate'),
    icmpBurst: integer('icmpBurst'),
    igmp: {
      version: integer('igmpVersion') as 1 | 2 | 3,
      robustness: integer('igmpRobustness'),
      unsolicitedInterval: 1000 * MILLISECOND,
      refreshInterval: time('igmpRefresh'),
    },
    siblings: options.siblings,
  }
}

function parseRange(text: string): EphemeralRange {
  const match = /^(\d+)-(\d+)$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2])
  if (match === null || first < 1 || last > 65_535 || first > last) {
    throw invalid('ephemeralPorts', `${JSON.stringify(text)} is not a range of ports, as in 49152-65535`)
  }
  return { first, last }
}

function invalid(key: string, message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: `net option ${key}` })
}
