import { type OptionSpecs, ParakernelError } from '@parakernel/hal'

export interface NvmeNamespaceOptions {
  readonly blocks: number
  /** 512 or 4096. */
  readonly blockSize?: number
  readonly readOnly?: boolean
  /** The content, in plain memory or shared; new and empty when absent. Of `blocks * blockSize` bytes. */
  readonly media?: Uint8Array
}

/** One emulated controller. Everything is optional. */
export interface NvmeControllerOptions {
  readonly serial?: string
  /** Namespaces 1, 2, ...; by default one of 16,384 blocks of 4096 bytes. */
  readonly namespaces?: readonly NvmeNamespaceOptions[]
  /** I/O queue pairs that the controller gives at most. */
  readonly queues?: number
  /** Entries of a queue at most. */
  readonly queueEntries?: number
  readonly volatileCache?: boolean
  /** Blocks of an atomic write (AWUPF + 1). */
  readonly atomicUnit?: number
  /** Blocks at whose multiples atomic writes end (NABSPF + 1); 0: nowhere. */
  readonly atomicBoundary?: number
  /** A transfer is at most 4096 << `mdts` bytes; 0: any. */
  readonly mdts?: number
  readonly sgl?: boolean
  readonly compare?: boolean
  readonly writeZeroes?: boolean
  readonly deallocate?: boolean
  /** Aborts that may be under way at a time. */
  readonly abortLimit?: number
  /** Interrupt vectors, the admin queue's among them. */
  readonly vectors?: number
  /** Bytes between doorbells: 4 << `doorbellStride`. */
  readonly doorbellStride?: number
  /** Nanoseconds of each command on an I/O queue. */
  readonly latency?: number
  /** Nanoseconds; a random part is added to the latency. */
  readonly jitter?: number
  /** Nanoseconds from CC.EN to CSTS.RDY. */
  readonly readyLatency?: number
  /** Commands that are due together complete in random order. */
  readonly reorder?: boolean
  readonly seed?: number
}

export const nvmeOptionSpecs: OptionSpecs = {
  serial: { type: 'string', default: 'PARAKERNEL0', description: 'Serial number' },
  namespaces: { type: 'object', description: 'List of { blocks, blockSize, readOnly } of namespaces 1, 2, ...' },
  queues: { type: 'integer', default: 16, min: 1, max: 1024, description: 'I/O queue pairs' },
  queueEntries: { type: 'integer', default: 1024, min: 2, max: 65_536, description: 'Entries of a queue' },
  volatileCache: { type: 'boolean', default: true, description: 'Writes may be lost until a flush' },
  atomicUnit: { type: 'integer', default: 1, min: 1, max: 65_536, description: 'Blocks of an atomic write' },
  atomicBoundary: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65_536,
    description: 'Blocks at whose multiples atomic writes end; 0: nowhere',
  },
  mdts: { type: 'integer', default: 7, min: 0, max: 12, description: 'Longest transfer is 4096 << mdts; 0: any' },
  sgl: { type: 'boolean', default: true, description: 'Data pointers may be SGLs' },
  compare: { type: 'boolean', default: true, description: 'Has the command' },
  writeZeroes: { type: 'boolean', default: true, description: 'Has the command' },
  deallocate: { type: 'boolean', default: true, description: 'Has dataset management' },
  abortLimit: { type: 'integer', default: 4, min: 1, max: 256, description: 'Aborts at a time' },
  vectors: { type: 'integer', default: 17, min: 0, max: 2048, description: 'Interrupt vectors' },
  doorbellStride: { type: 'integer', default: 0, min: 0, max: 8, description: 'Doorbells are 4 << stride bytes apart' },
  latency: { type: 'number', default: 0, min: 0, description: 'Nanoseconds of a command' },
  jitter: { type: 'number', default: 0, min: 0, description: 'Nanoseconds, a random part of which is added' },
  readyLatency: { type: 'number', default: 0, min: 0, description: 'Nanoseconds from CC.EN to CSTS.RDY' },
  reorder: { type: 'boolean', default: false, description: 'Completions come in random order' },
  seed: { type: 'integer', default: 1, min: 0, description: 'Of jitter, order and cache' },
}

export type ResolvedNvmeOptions = Required<NvmeControllerOptions>

const DEFAULT_NAMESPACES: readonly NvmeNamespaceOptions[] = [{ blocks: 16_384 }]

/** Fills in defaults and checks what has a range. @throws EINVAL naming the option */
export function resolveNvmeOptions(options: NvmeControllerOptions): ResolvedNvmeOptions {
  const given = options as Readonly<Record<string, unknown>>
  const resolved: Record<string, unknown> = {}
  for (const key of Object.keys(given)) if (nvmeOptionSpecs[key] === undefined) throw invalid(key, 'is unknown')
  for (const [key, spec] of Object.entries(nvmeOptionSpecs)) {
    const value = given[key] ?? spec.default
    resolved[key] = value
    if (spec.type === 'object') continue
    const type = spec.type === 'integer' ? 'number' : spec.type
    if (typeof value !== type) throw invalid(key, `is a ${typeof value}, not a ${type}`)
    if (typeof value !== 'number') continue
    const { min = 0, max = Number.POSITIVE_INFINITY } = spec
    if (!(value >= min && value <= max)) throw invalid(key, `is ${value}, not between ${min} and ${max}`)
    if (spec.type === 'integer' && !Number.isInteger(value)) throw invalid(key, `is ${value}, not an integer`)
  }
  const namespaces = options.namespaces ?? DEFAULT_NAMESPACES
  for (const { blocks, blockSize = 4096, media } of namespaces) {
    if (!Number.isInteger(blocks) || blocks < 1) throw invalid('namespaces', `has one of ${blocks} blocks`)
    if (blockSize !== 512 && blockSize !== 4096) throw invalid('namespaces', `has blocks of ${blockSize} bytes`)
    if (media !== undefined && media.length !== blocks * blockSize) {
      throw invalid('namespaces', `has media of ${media.length} bytes for ${blocks} blocks of ${blockSize}`)
    }
  }
  return { ...resolved, namespaces } as ResolvedNvmeOptions
}

function invalid(option: string, message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: `emulated NVMe controller, option ${option}` })
}
