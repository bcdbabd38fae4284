import type { MacAddress, NetCapabilities, OptionSpecs } from '@parakernel/hal'
import {
  COLUMN_CHECKSUM,
  COLUMN_HASH,
  COLUMN_SEGMENT,
  COLUMN_TIMESTAMP,
  COLUMN_VLAN,
  ParakernelError,
  SEGMENT_ANY,
} from '@parakernel/hal'
import { DEFAULT_RSS_KEY, RSS_KEY_BYTES } from './steering/toeplitz.ts'

/** One emulated NIC. Everything is optional; the defaults make a full-featured NIC on an ideal link. */
export interface NicOptions {
  readonly name?: string
  /** Derived from the network's seed when absent. */
  readonly mac?: MacAddress
  readonly queues?: number
  readonly mtu?: number
  /** What `setMtu` may raise the MTU to; sizes the rings. */
  readonly maxMtu?: number
  readonly ringSize?: number
  /** Bits a second of the NIC's link; 0: no limit. */
  readonly rate?: number
  /** Nanoseconds to the switch, or half of a direct cable. */
  readonly latency?: number
  /** Senders wait while a ring of this NIC is full, instead of losing packets. */
  readonly flowControl?: boolean
  readonly checksumVerify?: boolean
  readonly checksumCompute?: boolean
  readonly partialChecksums?: 'never' | 'marked' | 'unmarked'
  readonly transmitSegmentation?: boolean
  readonly receiveSegmentation?: boolean
  readonly maxChain?: number
  readonly vlan?: boolean
  readonly hash?: boolean
  readonly timestamps?: boolean
  readonly transmitAlignment?: number
  readonly steering?: boolean
  readonly rss?: boolean
  /** 40 bytes as hexadecimal text. */
  readonly rssKey?: string
  readonly receiveFilter?: boolean
}

/** What a config says of an emulated device: the NIC, and the network that it is plugged into. */
export interface EmulatedOptions extends NicOptions {
  /** Name of a network in this process; created with its first NIC, gone with its last. */
  readonly network?: string
  /** Of the network; counts where this NIC creates it. */
  readonly seed?: number
  readonly topology?: 'switch' | 'direct'
}

export type ResolvedNicOptions = Required<Omit<NicOptions, 'name' | 'mac' | 'maxMtu' | 'rssKey'>> & {
  readonly maxMtu: number
  readonly rssKey: Uint8Array | undefined
}

export const optionSpecs: OptionSpecs = {
  network: { type: 'string', default: 'default', description: 'Network in this process that the NIC is plugged into' },
  seed: { type: 'integer', default: 1, min: 0, description: 'Seed of the network: addresses are derived from it' },
  topology: {
    type: 'string',
    default: 'switch',
    values: ['switch', 'direct'],
    description: 'A learning switch, or a cable between two NICs',
  },
  name: { type: 'string', description: 'Name of the NIC in errors and statistics' },
  mac: {
    type: 'string',
    description: 'Ethernet address; derived from the seed when absent',
    form: { example: '02:00:00:00:00:01', pattern: /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i },
  },
  queues: { type: 'integer', default: 1, min: 1, max: 64, description: 'Queue pairs' },
  mtu: { type: 'integer', default: 1500, min: 68, max: 65_535, description: 'Longest IP packet, in bytes' },
  maxMtu: {
    type: 'integer',
    min: 68,
    max: 65_535,
    description: 'What the MTU may be raised to later; the MTU when absent',
  },
  ringSize: { type: 'integer', default: 512, min: 1, max: 65_536, description: 'Packets that a ring holds' },
  rate: { type: 'number', default: 0, min: 0, description: 'Bits a second of the link; 0: no limit' },
  latency: { type: 'number', default: 0, min: 0, description: 'Nanoseconds of the link, one way' },
  flowControl: { type: 'boolean', default: false, description: 'Senders wait while a ring is full (PAUSE)' },
  checksumVerify: { type: 'boolean', default: true, description: 'Transport checksums are verified on receive' },
  checksumCompute: { type: 'boolean', default: true, description: 'Transport checksums are computed on transmit' },
  partialChecksums: {
    type: 'string',
    default: 'never',
    values: ['never', 'marked', 'unmarked'],
    description: 'Wanted checksums arrive uncomputed, as between virtual machines',
  },
  transmitSegmentation: { type: 'boolean', default: true, description: 'Super-frames are cut on transmit (TSO, USO)' },
  receiveSegmentation: { type: 'boolean', default: false, description: 'Super-frames are received whole' },
  maxChain: {
    type: 'integer',
    default: 32,
    min: 1,
    max: 1024,
    description: 'Most entries of one packet; 1: no chains',
  },
  vlan: { type: 'boolean', default: true, description: '802.1Q tags are put in and taken out' },
  hash: { type: 'boolean', default: true, description: 'The RSS hash is handed to the receiver' },
  timestamps: { type: 'boolean', default: true, description: 'Times of arrival are handed to the receiver' },
  transmitAlignment: { type: 'integer', default: 1, min: 1, max: 4096, description: 'Alignment of transmitted data' },
  steering: { type: 'boolean', default: true, description: 'Takes steering rules' },
  rss: { type: 'boolean', default: true, description: 'Spreads packets over queues by the Toeplitz hash' },
  rssKey: {
    type: 'string',
    description: 'Key of the Toeplitz hash, 40 bytes; that of the published RSS verification suite when absent',
    form: { example: '6d5a56da and 72 more digits', pattern: /^[0-9a-f]{80}$/i },
  },
  receiveFilter: { type: 'boolean', default: true, description: 'The receive filter can be changed' },
}

/** An Ethernet header, and a tag that the payload's limit does not count. */
const FRAME_OVERHEAD = 18
/** The longest that an IP length field can say, behind an Ethernet header. */
const MAX_SUPER_PACKET = 65_535 + 14

/** Fills in defaults and checks what has a range. @throws EINVAL naming the option. */
export function resolveOptions(options: NicOptions, subject: string): ResolvedNicOptions {
  const given = options as Readonly<Record<string, unknown>>
  const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject })
  for (const [key, spec] of Object.entries(optionSpecs)) {
    const value = given[key]
    if (value === undefined) continue
    const type = spec.type === 'integer' ? 'number' : spec.type
    if (typeof value !== type) throw invalid(`option ${key} is a ${typeof value}, not a ${type}`)
    if (typeof value === 'number') {
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = spec
      if (!(value >= min && value <= max)) throw invalid(`option ${key} is ${value}, not between ${min} and ${max}`)
      if (spec.type === 'integer' && !Number.isInteger(value))
        throw invalid(`option ${key} is ${value}, not an integer`)
    }
    if (spec.values !== undefined && !spec.values.includes(value as string)) {
      throw invalid(`option ${key} is ${JSON.stringify(value)}, not one of ${spec.values.join(', ')}`)
    }
    if (spec.form !== undefined && !spec.form.pattern.test(value as string)) {
      throw invalid(`option ${key} is ${JSON.stringify(value)}, not of the form ${spec.form.example}`)
    }
  }
  const or = <K extends keyof NicOptions>(key: K) =>
    (options[key] ?? optionSpecs[key].default) as Required<NicOptions>[K]
  const mtu = or('mtu')
  const maxMtu = options.maxMtu ?? mtu
  if (maxMtu < mtu) throw invalid(`option maxMtu is ${maxMtu}, less than the mtu of ${mtu}`)
  return {
    queues: or('queues'),
    mtu,
    maxMtu,
    ringSize: or('ringSize'),
    rate: or('rate'),
    latency: or('latency'),
    flowControl: or('flowControl'),
    checksumVerify: or('checksumVerify'),
    checksumCompute: or('checksumCompute'),
    partialChecksums: or('partialChecksums'),
    transmitSegmentation: or('transmitSegmentation'),
    receiveSegmentation: or('receiveSegmentation'),
    maxChain: or('maxChain'),
    vlan: or('vlan'),
    hash: or('hash'),
    timestamps: or('timestamps'),
    transmitAlignment: or('transmitAlignment'),
    steering: or('steering'),
    rss: or('rss'),
    rssKey: options.rssKey === undefined ? undefined : parseKey(options.rssKey),
    receiveFilter: or('receiveFilter'),
  }
}

function parseKey(text: string): Uint8Array {
  return Uint8Array.from({ length: RSS_KEY_BYTES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

export function capabilitiesOf(options: ResolvedNicOptions, sharedClock: boolean): NetCapabilities {
  const checksums = options.checksumCompute || options.partialChecksums === 'marked'
  const segments = options.transmitSegmentation || options.receiveSegmentation
  return {
    columns:
      (checksums ? COLUMN_CHECKSUM : 0) |
      (segments ? COLUMN_SEGMENT : 0) |
      (options.hash ? COLUMN_HASH : 0) |
      (options.vlan ? COLUMN_VLAN : 0) |
      (options.timestamps ? COLUMN_TIMESTAMP : 0),
    checksum: { verifies: options.checksumVerify, computes: options.checksumCompute },
    partialChecksums: options.partialChecksums,
    transmitSegmentation: options.transmitSegmentation ? SEGMENT_ANY : 0,
    receiveSegmentation: options.receiveSegmentation ? SEGMENT_ANY : 0,
    maxChain: options.maxChain,
    transmitAlignment: options.transmitAlignment,
    maxPacket: options.maxMtu + FRAME_OVERHEAD,
    maxSuperPacket: segments
      ? Math.max(MAX_SUPER_PACKET, options.maxMtu + FRAME_OVERHEAD)
      : options.maxMtu + FRAME_OVERHEAD,
    ringSize: options.ringSize,
    steering: options.steering,
    rss: options.rss ? 'toeplitz' : 'none',
    ...(options.rss && { rssKey: Buffer.from(options.rssKey ?? DEFAULT_RSS_KEY).toString('hex') }),
    receiveFilter: options.receiveFilter,
    attach: sharedClock ? 'worker' : 'thread',
    regions: ['plain', 'memfd'],
  }
}

/** Longest frame that a NIC with this MTU takes from the wire. */
export function maxFrame(mtu: number): number {
  return mtu + FRAME_OVERHEAD
}
