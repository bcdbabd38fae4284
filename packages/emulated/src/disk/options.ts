import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockCapabilities,
  type Clock,
  type OptionSpecs,
  ParakernelError,
  type Persistence,
  VirtualClock,
} from '@parakernel/hal'

/** One emulated disk. Everything is optional. */
export interface DiskOptions {
  /** Of a disk that the backend opens: its content lives on in the process under this name. */
  readonly name?: string
  /** Image file: loaded when the disk is opened, written by flushes, FUA writes and close. */
  readonly path?: string
  /** Bytes, a whole number of blocks; instead of `blocks`. */
  readonly size?: number
  /** Blocks of namespace 1. */
  readonly blocks?: number
  /** Blocks of namespaces 1, 2, ...; instead of `blocks`. */
  readonly namespaces?: readonly number[]
  readonly blockSize?: number
  readonly queues?: number
  readonly queueDepth?: number
  readonly volatileCache?: boolean
  /** Blocks; NVMe AWUPF + 1. */
  readonly atomicUnit?: number
  /** Blocks; NVMe NABSPF. */
  readonly atomicBoundary?: number
  /** Nanoseconds that each command takes. With 0 it is done when `submit` returns. */
  readonly latency?: number
  /** Nanoseconds; a random part of it is added to the latency of each command, so that they overtake each other. */
  readonly jitter?: number
  /** Completions that are there at the same time come in random order. */
  readonly reorder?: boolean
  readonly seed?: number
  readonly maxTransfer?: number
  readonly maxSegments?: number
  readonly segmentPage?: number
  readonly memoryAlignment?: number
  readonly opcodes?: readonly DiskOpcode[]
  /** What the disk says that a flush promises; by default the truth about the process that it lives in. */
  readonly persistence?: Persistence
}

export type DiskOpcode = 'read' | 'write' | 'flush' | 'write-zeroes' | 'deallocate' | 'compare'

const OPCODES: Readonly<Record<DiskOpcode, number>> = {
  read: 1 << BLOCK_READ,
  write: 1 << BLOCK_WRITE,
  flush: 1 << BLOCK_FLUSH,
  'write-zeroes': 1 << BLOCK_WRITE_ZEROES,
  deallocate: 1 << BLOCK_DEALLOCATE,
  compare: 1 << BLOCK_COMPARE,
}
const opcodeNames = Object.keys(OPCODES) as DiskOpcode[]

export const diskOptionSpecs: OptionSpecs = {
  name: {
    type: 'string',
    description: 'Content lives on in the process under this name; without one it is new each time',
  },
  path: { type: 'string', description: 'Image file: loaded at open, written by flushes and at close' },
  size: { type: 'integer', unit: 'bytes', min: 512, max: 2 ** 47, description: 'Bytes, instead of `blocks`' },
  blocks: {
    type: 'integer',
    min: 1,
    max: 2 ** 31 - 1,
    description: 'Blocks of the only namespace; those of the image file, or 16384, when absent',
  },
  namespaces: { type: 'object', description: 'List of the blocks of each namespace, instead of `blocks`' },
  blockSize: { type: 'integer', default: 4096, min: 512, max: 65_536, description: 'Bytes a block; a power of two' },
  queues: { type: 'integer', default: 1, min: 1, max: 128, description: 'Queue pairs' },
  queueDepth: { type: 'integer', default: 128, min: 1, max: 65_536, description: 'Outstanding commands of a queue' },
  volatileCache: { type: 'boolean', default: true, description: 'Writes may be lost until a flush' },
  atomicUnit: { type: 'integer', default: 1, min: 1, max: 65_536, description: 'Blocks of an atomic write' },
  atomicBoundary: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65_536,
    description: 'Blocks at whose multiples atomic writes end; 0: nowhere',
  },
  latency: { type: 'number', default: 0, min: 0, description: 'Nanoseconds of a command' },
  jitter: {
    type: 'number',
    default: 0,
    min: 0,
    description: 'Nanoseconds, a random part of which is added to the latency',
  },
  reorder: { type: 'boolean', default: false, description: 'Completions come in random order' },
  seed: { type: 'integer', default: 1, min: 0, description: 'Of jitter, order and cache' },
  maxTransfer: { type: 'integer', default: 256, min: 1, max: 65_536, description: 'Blocks of a command' },
  maxSegments: { type: 'integer', default: 16, min: 1, max: 1024, description: 'Segments of a command' },
  segmentPage: { type: 'integer', default: 0, min: 0, max: 65_536, description: 'Page rule of segments; 0: none' },
  memoryAlignment: {
    type: 'integer',
    min: 1,
    max: 65_536,
    description: 'Alignment of segments; the block size, or 512 if that is less, when absent',
  },
  opcodes: { type: 'string[]', values: opcodeNames, default: opcodeNames, description: 'Commands that the disk takes' },
  persistence: {
    type: 'string',
    values: ['media', 'host-crash', 'process-crash', 'none'],
    description: 'What the disk says that a flush promises; process-crash with a path, else none, when absent',
  },
}

export interface DiskGeometry {
  /** Blocks of namespace 1, 2, ... */
  readonly namespaces: readonly number[]
  readonly totalBlocks: number
  readonly queues: number
  readonly latency: number
  readonly jitter: number
  readonly reorder: boolean
  readonly seed: number
  readonly capabilities: BlockCapabilities
}

/** Of a disk of which nothing is said. */
const BLOCKS = 16_384

const number = (options: DiskOptions, key: keyof DiskOptions): number =>
  (options[key] ?? diskOptionSpecs[key].default) as number

/**
 * Fills in defaults and checks what has a range.
 * @param media bytes that are there already, in plain memory or shared
 * @throws EINVAL naming the option
 */
export function resolveDisk(
  options: DiskOptions,
  clock: Clock | undefined,
  media: Uint8Array | undefined,
): DiskGeometry {
  checkRanges(options)
  const blockSize = number(options, 'blockSize')
  if ((blockSize & (blockSize - 1)) !== 0) throw invalid('blockSize', `is ${blockSize}, not a power of two`)
  const whole = media === undefined ? undefined : media.byteLength / blockSize
  const namespaces = options.namespaces ?? [options.blocks ?? blocksOf(options, blockSize) ?? whole ?? BLOCKS]
  if (options.size !== undefined && (options.blocks ?? options.namespaces) !== undefined) {
    throw invalid('size', 'stands beside blocks or namespaces, which say the same')
  }
  let totalBlocks = 0
  for (const blocks of namespaces) {
    if (!(Number.isInteger(blocks) && blocks > 0)) throw invalid('namespaces', `has one of ${blocks} blocks`)
    totalBlocks += blocks
  }
  if (totalBlocks === 0) throw invalid('namespaces', 'is empty')
  if (whole !== undefined && whole !== totalBlocks) {
    throw invalid('media', `has ${media?.byteLength} bytes, not ${totalBlocks} blocks of ${blockSize}`)
  }
  const alignment = options.memoryAlignment ?? Math.min(512, blockSize)
  if (blockSize % alignment !== 0) throw invalid('memoryAlignment', `is ${alignment}, which does not divide a block`)
  let opcodes = 0
  for (const name of options.opcodes ?? opcodeNames) {
    if (OPCODES[name] === undefined)
      throw invalid('opcodes', `has '${name}', which is none of ${opcodeNames.join(', ')}`)
    opcodes |= OPCODES[name]
  }
  const threads = !(clock instanceof VirtualClock) && (media === undefined || coversSharedMemory(media))
  return {
    namespaces,
    totalBlocks,
    queues: number(options, 'queues'),
    latency: number(options, 'latency'),
    jitter: number(options, 'jitter'),
    reorder: options.reorder ?? false,
    seed: number(options, 'seed'),
    capabilities: {
      blockSize,
      memoryAlignment: alignment,
      maxSegments: number(options, 'maxSegments'),
      segmentPage: number(options, 'segmentPage'),
      maxTransfer: number(options, 'maxTransfer'),
      atomicUnit: number(options, 'atomicUnit'),
      atomicBoundary: number(options, 'atomicBoundary'),
      volatileCache: options.volatileCache ?? true,
      persistence: options.persistence ?? (options.path === undefined ? 'none' : 'process-crash'),
      opcodes,
      queueDepth: number(options, 'queueDepth'),
      attach: threads ? 'worker' : 'thread',
      regions: ['plain', 'memfd', 'file'],
    },
  }
}

function blocksOf({ size }: DiskOptions, blockSize: number): number | undefined {
  if (size === undefined || size % blockSize === 0) return size && size / blockSize
  throw invalid('size', `is ${size}, not a whole number of blocks of ${blockSize}`)
}

/** Another thread gets the whole buffer, so the media must be all of it. */
function coversSharedMemory({ buffer, byteLength }: Uint8Array): boolean {
  return buffer instanceof SharedArrayBuffer && buffer.byteLength === byteLength
}

function checkRanges(options: DiskOptions): void {
  for (const key in options) {
    const value = (options as Readonly<Record<string, unknown>>)[key]
    const spec = diskOptionSpecs[key]
    if (value === undefined || spec === undefined) continue
    if (spec.type === 'integer' || spec.type === 'number') {
      const { min = 0, max = Number.POSITIVE_INFINITY } = spec
      const fits = typeof value === 'number' && value >= min && value <= max
      if (!fits || (spec.type === 'integer' && !Number.isInteger(value))) {
        throw invalid(
          key,
          `is ${String(value)}, not ${spec.type === 'integer' ? 'an integer' : 'a number'} from ${min} to ${max}`,
        )
      }
    } else if ((spec.type === 'boolean' || spec.type === 'string') && typeof value !== spec.type) {
      throw invalid(key, `is a ${typeof value}, not a ${spec.type}`)
    }
  }
}

function invalid(option: string, message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: `emulated disk, option ${option}` })
}
