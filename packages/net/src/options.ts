import type { OptionSpecs } from '@parakernel/hal'
import type { NetConfig } from './config.ts'
import { type InterfaceOptions, interfaceSpecs, readInterface } from './options/interface-options.ts'
import { type Ipv6Options, ipv6Specs, readIpv6 } from './options/ipv6-options.ts'
import { invalidOption, OptionReader } from './options/readers.ts'
import { readTcpLimits, type TcpLimitOptions, tcpLimitSpecs } from './options/tcp-limits.ts'
import { readTcp, type TcpOptions, tcpSpecs } from './options/tcp-options.ts'
import { secureRandom, seededRandom } from './random.ts'
import type { HandOffShare } from './stack/hand-off.ts'
import { EPHEMERAL_FIRST, EPHEMERAL_LAST, type EphemeralRange } from './udp/ports.ts'

/** Settings of the network libOS `net`. Times are in milliseconds. */
export interface NetOptions extends InterfaceOptions, Ipv6Options, TcpOptions, TcpLimitOptions {
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
  /** By which they hand on what concerns all of them and comes to one; made by `libos.share`. */
  readonly handOff?: HandOffShare
}

const MILLISECOND = 1e6
const hour = 3_600_000

const stackSpecs: OptionSpecs = {
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
  handOff: { type: 'object', description: 'By which they hand on packets that concern all of them (by share)' },
}

/** Those of the first interface, of the stack, of IPv6, and of TCP. */
export const optionSpecs: OptionSpecs = {
  ...interfaceSpecs,
  ...stackSpecs,
  ...ipv6Specs,
  ...tcpSpecs,
  ...tcpLimitSpecs,
}

/** Fills in defaults and checks everything. @throws EINVAL naming the option */
export function resolveOptions(options: NetOptions): NetConfig {
  const read = new OptionReader(options, optionSpecs)
  const random = options.seed === undefined ? secureRandom() : seededRandom(read.number('seed'))
  const reassembly = {
    datagrams: read.number('reassemblyDatagrams'),
    perSource: read.number('reassemblyPerSource'),
    fragments: read.number('reassemblyFragments'),
    timeout: read.time('reassemblyTimeout'),
  }
  const addressCheck = read.choice<'probe' | 'announce' | 'none'>('addressCheck')
  return {
    interface: readInterface(read),
    random,
    burst: read.number('burst'),
    transmitBacklog: read.number('transmitBacklog'),
    ephemeral: parseRange(read.text('ephemeralPorts') ?? ''),
    sockets: read.number('sockets'),
    receiveQueue: read.number('receiveQueue'),
    neighbors: {
      capacity: read.number('arpEntries'),
      waiting: read.number('arpWaiting'),
      retryInterval: read.time('arpRetry'),
      tries: read.number('arpTries'),
      reachableTime: read.time('arpReachable'),
      failedTime: read.time('arpFailed'),
    },
    probeAddress: addressCheck === 'probe',
    announceAddress: addressCheck !== 'none',
    defendAddress: read.choice('addressConflict') === 'defend',
    reassembly,
    icmpRate: read.number('icmpRate'),
    icmpBurst: read.number('icmpBurst'),
    igmp: {
      version: read.number('igmpVersion') as 1 | 2 | 3,
      robustness: read.number('igmpRobustness'),
      unsolicitedInterval: 1000 * MILLISECOND,
      refreshInterval: read.time('igmpRefresh'),
    },
    ipv6: readIpv6(read, random, reassembly, read.time('igmpRefresh')),
    tcp: readTcp(read),
    tcpLimits: readTcpLimits(read),
    siblings: options.siblings,
    handOff: options.handOff,
  }
}

function parseRange(text: string): EphemeralRange {
  const match = /^(\d+)-(\d+)$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2])
  if (match === null || first < 1 || last > 65_535 || first > last) {
    throw invalidOption('ephemeralPorts', `${JSON.stringify(text)} is not a range of ports, as in 49152-65535`)
  }
  return { first, last }
}
