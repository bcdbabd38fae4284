import type { OptionSpecs } from '@parakernel/hal'
import type { Ipv6Settings } from '../ipv6/settings.ts'
import type { RandomSource } from '../random.ts'
import { invalidOption, type OptionReader } from './readers.ts'

/** What all interfaces that speak IPv6 have in common. Times are in milliseconds. */
export interface Ipv6Options {
  /** Probes for a duplicate of each address before it is used (RFC 4862); 0 for none. */
  readonly ndProbes?: number
  readonly ndEntries?: number
  readonly ndWaiting?: number
  /** RETRANS_TIMER and REACHABLE_TIME (RFC 4861), until a router tells others. */
  readonly ndRetransmit?: number
  readonly ndReachable?: number
  readonly ndFailed?: number
  /** Temporary addresses (RFC 8981) for what this host begins. */
  readonly temporaryAddresses?: boolean
  readonly temporaryValid?: number
  readonly temporaryPreferred?: number
  /**
   * From which the stable part of autoconfigured addresses is made (RFC 7217): the same text gives the same
   * addresses, so that it is to be secret and kept. Without one they differ from start to start.
   */
  readonly addressSecret?: string
  readonly mldVersion?: number
  readonly mldRobustness?: number
}

const DAY = 86_400_000
const hour = 3_600_000

export const ipv6Specs: OptionSpecs = {
  ndProbes: {
    type: 'integer',
    min: 0,
    max: 10,
    default: 1,
    description: 'Probes for duplicates of an address (RFC 4862)',
  },
  ndEntries: {
    type: 'integer',
    min: 1,
    max: 65_536,
    default: 1024,
    description: 'IPv6 neighbours that are remembered',
  },
  ndWaiting: {
    type: 'integer',
    min: 1,
    max: 4096,
    default: 64,
    description: 'Packets that wait for one IPv6 neighbour',
  },
  ndRetransmit: {
    type: 'integer',
    min: 1,
    max: hour,
    default: 1000,
    description: 'Milliseconds between neighbour solicitations',
  },
  ndReachable: {
    type: 'integer',
    min: 1,
    max: hour,
    default: 30_000,
    description: 'Milliseconds that an IPv6 neighbour is taken to be reachable, on average',
  },
  ndFailed: {
    type: 'integer',
    min: 1,
    max: hour,
    default: 3000,
    description: 'Milliseconds that a silent IPv6 neighbour is not asked again',
  },
  temporaryAddresses: { type: 'boolean', default: false, description: 'Temporary IPv6 addresses (RFC 8981)' },
  temporaryValid: {
    type: 'integer',
    min: 60_000,
    max: 365 * DAY,
    default: 2 * DAY,
    description: 'Milliseconds that a temporary address is valid',
  },
  temporaryPreferred: {
    type: 'integer',
    min: 60_000,
    max: 365 * DAY,
    default: DAY,
    description: 'Milliseconds that a temporary address is preferred',
  },
  addressSecret: { type: 'string', description: 'Makes autoconfigured addresses the same after each start (RFC 7217)' },
  mldVersion: { type: 'integer', min: 1, max: 2, default: 2, description: 'MLD version until a router is heard' },
  mldRobustness: { type: 'integer', min: 1, max: 7, default: 2, description: 'Times that a listener is told of' },
}

const SECRET_WORDS = 8

/**
 * @param random where a secret that is not given comes from
 * @param reassembly limits are those of IPv4
 * @param refreshInterval as for IGMP: nanoseconds between unasked reports
 * @throws EINVAL naming the option
 */
export function readIpv6(
  read: OptionReader,
  random: RandomSource,
  reassembly: Ipv6Settings['reassembly'],
  refreshInterval: number,
): Ipv6Settings {
  const secret = read.text('addressSecret')
  if (secret === '') throw invalidOption('addressSecret', 'it is empty')
  const words = Uint32Array.from({ length: SECRET_WORDS }, () => random.next())
  if (read.number('temporaryPreferred') > read.number('temporaryValid')) {
    throw invalidOption('temporaryPreferred', 'it is longer than temporaryValid')
  }
  return {
    neighbors: {
      capacity: read.number('ndEntries'),
      waiting: read.number('ndWaiting'),
      retransmission: read.time('ndRetransmit'),
      multicastTries: 3,
      unicastTries: 3,
      reachable: read.time('ndReachable'),
      delay: 5e9,
      failed: read.time('ndFailed'),
    },
    duplicateProbes: read.number('ndProbes'),
    temporary: read.boolean('temporaryAddresses'),
    temporaryValid: read.time('temporaryValid'),
    temporaryPreferred: read.time('temporaryPreferred'),
    secret: secret === undefined ? new Uint8Array(words.buffer) : new TextEncoder().encode(secret),
    reassembly,
    listener: {
      version: read.number('mldVersion') as 1 | 2,
      robustness: read.number('mldRobustness'),
      unsolicitedInterval: 1e9,
      refreshInterval,
    },
  }
}
