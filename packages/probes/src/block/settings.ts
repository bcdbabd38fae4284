import { type OptionSpecs, ParakernelError } from '@parakernel/hal'
import { checkOptions } from '../check-options.ts'

/** Blocks of which the medium is bad. */
export interface BadBlocks {
  readonly firstLba: number
  readonly blocks: number
  /** Any, when absent. */
  readonly namespace?: number
  /** What fails with EIO, or (`rot`) reads with one bit flipped in each block. Default `both`. */
  readonly on?: 'read' | 'write' | 'both' | 'rot'
  /** Commands that it strikes before it is good again. Default: for ever. */
  readonly times?: number
}

/** Probabilities are a command's, 0 to 1; times are nanoseconds. */
export interface BlockFaultOptions {
  /** False: the device is not wrapped at all. Default true. */
  readonly enabled?: boolean
  /** The same seed makes the same decisions for the same sequence of commands of a queue. Default 1. */
  readonly seed?: number
  readonly media?: readonly BadBlocks[]
  /** Fails with EIO and does nothing. */
  readonly fail?: number
  /** Of a read or write: moves the first blocks only, and fails with EIO. */
  readonly short?: number
  /** Of a write: moves the first blocks only, perhaps none, and says that all went well. */
  readonly torn?: number
  /** Is never answered: until `timeout`, or until the grant ends. */
  readonly hang?: number
  /** When a hanging command fails with ETIMEDOUT; 0, the default: never. */
  readonly timeout?: number
  /** Completes `delayTime` later than it would have. */
  readonly delay?: number
  readonly delayTime?: number
  /** Of each block: whether its medium flips one bit of what is read, always the same one, whatever was written. */
  readonly rot?: number
  /** The device is gone when so many commands were submitted to all its queues together; 0, the default: never. */
  readonly goneAt?: number
}

const probability = (description: string) =>
  ({ type: 'number', description: `${description} (0 to 1)`, default: 0, min: 0, max: 1 }) as const
const nanoseconds = (description: string, fallback: number) =>
  ({ type: 'number', description: `${description}, in nanoseconds`, default: fallback, min: 0 }) as const

export const blockFaultOptions = {
  enabled: { type: 'boolean', description: 'Wrap the device at all', default: true },
  seed: { type: 'integer', description: 'Seed of all decisions', default: 1 },
  media: { type: 'object', description: 'List of bad blocks: { firstLba, blocks, namespace, on, times }' },
  fail: probability('Probability that a command fails and does nothing'),
  short: probability('Probability that a read or write moves a part and fails'),
  torn: probability('Probability that a write moves a part and does not say so'),
  hang: probability('Probability that a command is not answered'),
  timeout: nanoseconds('When a command that hangs fails with ETIMEDOUT; 0: never', 0),
  delay: probability('Probability that a completion comes later'),
  delayTime: nanoseconds('How much later', 1_000_000),
  rot: probability('Probability that a block reads with one bit flipped'),
  goneAt: { type: 'integer', description: 'Commands after which the device is gone; 0: never', default: 0, min: 0 },
} as const satisfies OptionSpecs

export const BLOCK_FAULT_COUNTERS = ['media', 'failed', 'short', 'torn', 'hung', 'delayed', 'rotten'] as const
export type BlockFaultCounter = (typeof BLOCK_FAULT_COUNTERS)[number]
export const MEDIA = 0
export const FAILED = 1
export const SHORT = 2
export const TORN = 3
export const HUNG = 4
export const DELAYED = 5
export const ROTTEN = 6

export type ResolvedBlockFaults = Required<Omit<BlockFaultOptions, 'enabled'>>

/** What the data half gets: plain clonable data. */
export interface BlockFaultSettings extends ResolvedBlockFaults {
  /** Of the device: commands so far, whether it is gone, and how often each entry of `media` may still strike. */
  readonly shared: SharedArrayBuffer
  /** Of the queue. */
  readonly counters: SharedArrayBuffer
}

// Words of `shared`.
export const COMMANDS = 0
export const GONE = 1
export const TIMES = 2

/** @throws EINVAL naming the option that is out of range or unknown */
export function resolveBlockFaults(options: BlockFaultOptions): ResolvedBlockFaults {
  checkOptions('block-faults', options, blockFaultOptions)
  const { enabled: _, media = [], ...rest } = options
  for (const [i, { firstLba, blocks, on = 'both', times = 1 }] of media.entries()) {
    const whole = [firstLba, blocks, times].every((value) => Number.isSafeInteger(value) && value >= 0)
    if (!whole || blocks === 0 || !['read', 'write', 'both', 'rot'].includes(on)) {
      throw new ParakernelError('EINVAL', 'is not a run of bad blocks', {
        subject: `block-faults.media[${i}]`,
        remedy: "Give firstLba and blocks, and perhaps namespace, times, and on: 'read', 'write', 'both' or 'rot'",
      })
    }
  }
  return { ...defaults, ...rest, media }
}

/** Whether anything at all is done to commands. */
export function strikes({ media, fail, short, torn, hang, delay, rot, goneAt }: ResolvedBlockFaults): boolean {
  return media.length + fail + short + torn + hang + delay + rot + goneAt > 0
}

const defaults = {
  seed: 1,
  fail: 0,
  short: 0,
  torn: 0,
  hang: 0,
  timeout: 0,
  delay: 0,
  delayTime: 1_000_000,
  rot: 0,
  goneAt: 0,
}
