import type { OptionSpecs } from '@parakernel/hal'
import { checkOptions } from '../check-options.ts'

/** Faults of one direction. Probabilities are a packet's, 0 to 1; times are nanoseconds. */
export interface DirectionSettings {
  /** Probability that a packet is dropped. */
  readonly loss: number
  /** Probability that a packet is delivered twice. */
  readonly duplicate: number
  /** Probability that a packet is held back for `reorderDelay` more, so that later ones overtake it. */
  readonly reorder: number
  readonly reorderDelay: number
  /** Probability that one bit of a packet is flipped. */
  readonly corrupt: number
  /** Fixed delay. */
  readonly delay: number
  /** Further delay, uniform between 0 and this. Packets may overtake each other by it. */
  readonly jitter: number
  /** Bits a second, 0 for no limit. Packets wait for their turn, and are dropped if that takes longer than `rateLatency`. */
  readonly rate: number
  readonly rateLatency: number
}

export interface FaultOptions extends Partial<DirectionSettings> {
  /** False: the device is not wrapped at all. Default true. */
  readonly enabled?: boolean
  /** The same seed makes the same decisions for the same sequence of packets. Default 1. */
  readonly seed?: number
  /** Packet fragments that may wait, in each direction of a queue. A power of two; default 1024. */
  readonly capacity?: number
  /** Overrides for one direction. */
  readonly receive?: Partial<DirectionSettings>
  readonly transmit?: Partial<DirectionSettings>
}

/** What the data half gets: everything filled in. */
export interface FaultSettings {
  readonly seed: number
  readonly capacity: number
  readonly receive: DirectionSettings
  readonly transmit: DirectionSettings
}

const probability = (description: string) =>
  ({ type: 'number', description: `${description} (0 to 1)`, default: 0, min: 0, max: 1 }) as const
const nanoseconds = (description: string, fallback: number) =>
  ({ type: 'number', description: `${description}, in nanoseconds`, default: fallback, min: 0 }) as const

const direction = {
  loss: probability('Probability that a packet is dropped'),
  duplicate: probability('Probability that a packet is delivered twice'),
  reorder: probability('Probability that a packet is held back so that later ones overtake it'),
  reorderDelay: nanoseconds('How long a reordered packet is held back', 1_000_000),
  corrupt: probability('Probability that one bit of a packet is flipped'),
  delay: nanoseconds('Fixed delay', 0),
  jitter: nanoseconds('Largest random delay on top of the fixed one', 0),
  rate: { type: 'number', description: 'Bits a second, 0 for no limit', default: 0, min: 0 },
  rateLatency: nanoseconds('Longest wait for the rate limit, beyond which a packet is dropped', 50_000_000),
} as const satisfies OptionSpecs

export const faultOptions = {
  enabled: { type: 'boolean', description: 'Wrap the device at all', default: true },
  seed: { type: 'integer', description: 'Seed of all decisions', default: 1 },
  capacity: {
    type: 'integer',
    description: 'Packet fragments that may wait, in each direction of a queue',
    default: 1024,
    min: 64,
    max: 65_536,
  },
  ...direction,
  receive: { type: 'object', description: 'The same fault options, for received packets only' },
  transmit: { type: 'object', description: 'The same fault options, for transmitted packets only' },
} as const satisfies OptionSpecs

/** @throws EINVAL naming the option that is out of range or unknown. */
export function faultSettings(options: FaultOptions): FaultSettings {
  checkOptions('faults', options, faultOptions)
  const { enabled: _, seed = 1, capacity = 1024, receive, transmit, ...both } = options
  checkOptions('faults.receive', receive ?? {}, direction)
  checkOptions('faults.transmit', transmit ?? {}, direction)
  const fill = (own: Partial<DirectionSettings> | undefined) => ({ ...defaults, ...both, ...own })
  return { seed, capacity, receive: fill(receive), transmit: fill(transmit) }
}

/** Whether a direction does anything at all to packets. */
export function isActive(settings: DirectionSettings): boolean {
  const { loss, duplicate, reorder, corrupt, delay, jitter, rate } = settings
  return loss + duplicate + reorder + corrupt + delay + jitter + rate > 0
}

const defaults = Object.fromEntries(
  Object.entries(direction).map(([name, spec]) => [name, spec.default]),
) as unknown as DirectionSettings
