import type { OptionSpecs } from '@parakernel/hal'

export const DEFAULT_QUEUE_DEPTH = 128

export interface IoUringOptions {
  /** A file or a block device. */
  readonly path: string
  /** Bytes of the file, which is created when it does not exist, and must have exactly this size when it does. */
  readonly size?: number
  /** Bytes a logical block, a power of two. Default: the physical block of the disk beneath, 4096 in memory. */
  readonly blockSize?: number
  /** Queues that may be granted. Default 1. */
  readonly queues?: number
  /** Commands of one queue that may be under way, a power of two. Default 128. */
  readonly queueDepth?: number
  /** Past the page cache: wherever the file system can, always, or never. Default `auto`. */
  readonly direct?: 'auto' | 'always' | 'never'
  /** A thread of the kernel takes submissions: no system call while it is awake, and a core that it may use. Default false. */
  readonly submissionThread?: boolean
  /** Milliseconds that it spins before it sleeps. Default 50. */
  readonly submissionIdle?: number
  /** Completions are polled from the device, which must have polled queues. Default false. */
  readonly polledCompletions?: boolean
  /** Pins the frames for the kernel once, instead of at each command. Default true, with a warning where it is not allowed. */
  readonly registeredBuffers?: boolean
}

declare module '@parakernel/hal' {
  interface BlockBackendOptions {
    'io-uring': IoUringOptions
  }
}

export const optionSpecs: OptionSpecs = {
  path: { type: 'string', description: 'a file or a block device', required: true },
  size: {
    type: 'integer',
    description: 'bytes of the file, which is created when it does not exist',
    min: 512,
    unit: 'bytes',
  },
  blockSize: {
    type: 'integer',
    description: "bytes a logical block, a power of two; the disk's physical block when absent",
    min: 512,
    max: 65_536,
  },
  queues: { type: 'integer', description: 'queues that may be granted', default: 1, min: 1, max: 64 },
  queueDepth: {
    type: 'integer',
    description: 'commands of one queue that may be under way, a power of two',
    default: DEFAULT_QUEUE_DEPTH,
    min: 1,
    max: 4096,
  },
  direct: {
    type: 'string',
    description: 'past the page cache: wherever the file system can, always, or never',
    values: ['auto', 'always', 'never'],
    default: 'auto',
  },
  submissionThread: { type: 'boolean', description: 'a thread of the kernel takes submissions', default: false },
  submissionIdle: { type: 'integer', description: 'milliseconds that it spins before it sleeps', default: 50, min: 1 },
  polledCompletions: { type: 'boolean', description: 'completions are polled from the device', default: false },
  registeredBuffers: { type: 'boolean', description: 'pins the frames for the kernel once', default: true },
}
