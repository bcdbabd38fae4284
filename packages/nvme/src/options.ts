import { type OptionSpecs, ParakernelError } from '@parakernel/hal'

/** One controller, and one of its namespaces, as a block device. */
export interface NvmeOptions {
  /** PCI address (`0000:00:04.0`); of a passthrough device its path (`/dev/ng0n1`). */
  readonly device?: string
  /** `vfio`, `passthrough`, or the name of a package that has a device model, such as `emulated`. */
  readonly transport?: string
  /** What the package of the transport makes of it; `vfio` and `passthrough` take none. */
  readonly controller?: Readonly<Record<string, unknown>>
  /** Whose blocks `capabilities` speaks of; the first one when absent. */
  readonly namespace?: number
  readonly queues?: number
  /** Entries of a ring, a power of two; one less can be outstanding. */
  readonly depth?: number
  readonly interrupts?: boolean
  /** Bytes of the longest command. */
  readonly maxTransfer?: number
  readonly sgl?: 'auto' | 'never'
  /** Milliseconds of a command on a queue. */
  readonly timeout?: number
  readonly adminTimeout?: number
  readonly retries?: number
  readonly writeCache?: 'keep' | 'on' | 'off'
}

export const optionSpecs: OptionSpecs = {
  device: { type: 'string', description: 'PCI address; path of a passthrough device' },
  transport: {
    type: 'string',
    default: 'vfio',
    description: 'vfio, passthrough, or the package of a device model, such as emulated',
  },
  controller: { type: 'object', description: 'Options of the device model' },
  namespace: { type: 'integer', min: 1, max: 0xffff_fffe, description: 'Namespace; the first one when absent' },
  queues: { type: 'integer', default: 1, min: 1, max: 1024, description: 'I/O queue pairs' },
  depth: { type: 'integer', default: 256, min: 2, max: 4096, description: 'Entries of a queue, a power of two' },
  interrupts: { type: 'boolean', default: true, description: 'Completions wake a sleeper; false: queues are polled' },
  maxTransfer: {
    type: 'integer',
    default: 262_144,
    min: 4096,
    max: 16_777_216,
    description: 'Bytes of the longest command, if the controller takes so many',
  },
  sgl: {
    type: 'string',
    default: 'auto',
    values: ['auto', 'never'],
    description: 'SGLs for what PRPs cannot describe',
  },
  timeout: { type: 'number', default: 30_000, min: 1, description: 'Milliseconds of a command before it is aborted' },
  adminTimeout: { type: 'number', default: 10_000, min: 1, description: 'Milliseconds of an admin command' },
  retries: { type: 'integer', default: 3, min: 0, max: 1000, description: 'How often a command is sent again' },
  writeCache: {
    type: 'string',
    default: 'keep',
    values: ['keep', 'on', 'off'],
    description: 'Turns the volatile write cache on or off',
  },
}

export type ResolvedOptions = Required<Omit<NvmeOptions, 'device' | 'transport' | 'controller' | 'namespace'>> & {
  readonly namespace: number | undefined
}

/** Fills in defaults and checks what has a range. @throws EINVAL naming the option */
export function resolveOptions(options: NvmeOptions): ResolvedOptions {
  for (const [key, value] of Object.entries(options)) {
    const spec = optionSpecs[key]
    if (spec === undefined) {
      throw invalid(key, `is unknown: there are ${Object.keys(optionSpecs).join(', ')}`)
    }
    if (value === undefined) continue
    const type = spec.type === 'integer' ? 'number' : spec.type
    if (typeof value !== type) throw invalid(key, `is a ${typeof value}, not ${type === 'object' ? 'an' : 'a'} ${type}`)
    if (typeof value === 'number') {
      const { min = 0, max = Number.POSITIVE_INFINITY } = spec
      if (!(value >= min && value <= max)) throw invalid(key, `is ${value}, not between ${min} and ${max}`)
      if (spec.type === 'integer' && !Number.isInteger(value)) throw invalid(key, `is ${value}, not an integer`)
    }
    if (spec.values !== undefined && !spec.values.includes(value)) {
      throw invalid(key, `is ${JSON.stringify(value)}, not one of ${spec.values.join(', ')}`)
    }
  }
  const or = <K extends keyof NvmeOptions>(key: K) =>
    (options[key] ?? optionSpecs[key].default) as Required<NvmeOptions>[K]
  const depth = or('depth')
  if ((depth & (depth - 1)) !== 0) throw invalid('depth', `is ${depth}, not a power of two`)
  const maxTransfer = or('maxTransfer')
  if (maxTransfer % 4096 !== 0) throw invalid('maxTransfer', `is ${maxTransfer}, not a multiple of 4096`)
  return {
    namespace: options.namespace,
    queues: or('queues'),
    depth,
    interrupts: or('interrupts'),
    maxTransfer,
    sgl: or('sgl'),
    timeout: or('timeout'),
    adminTimeout: or('adminTimeout'),
    retries: or('retries'),
    writeCache: or('writeCache'),
  }
}

function invalid(option: string, message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: `nvme, option ${option}` })
}
