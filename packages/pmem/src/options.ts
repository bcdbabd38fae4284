import { type OptionSpecs, REGION_MAX } from '@parakernel/hal'

export interface PmemOptions {
  /** The file: on a DAX file system for persistent memory, on any other for msync. */
  readonly path: string
  /** Bytes, rounded up to a multiple of 64 KiB; at most 2 GiB. Default: the file's. Required to create it. */
  readonly size?: number
  /** Creates the file, with all its blocks allocated, where there is none or an empty one. Default true. */
  readonly create?: boolean
  /**
   * What a flush moves: `cache-line` (DAX alone), `page` (msync), or `auto`, the finer one that keeps its promise here.
   * Default `auto`.
   */
  readonly granularity?: 'auto' | 'cache-line' | 'page'
  /**
   * Writes back by cache line although the file is not on DAX, where that promises nothing beyond the death of the process: for
   * tests and benchmarks. Default false.
   */
  readonly force?: boolean
}

declare module '@parakernel/hal' {
  interface PersistentBackendOptions {
    pmem: PmemOptions
  }
}

export const optionSpecs: OptionSpecs = {
  path: { type: 'string', description: 'file on a DAX file system, or on any other', required: true },
  size: {
    type: 'integer',
    description: "bytes, rounded up to 64 KiB; the file's when absent; required to create it",
    min: 1,
    max: REGION_MAX,
    unit: 'bytes',
  },
  create: { type: 'boolean', description: 'create the file where there is none or an empty one', default: true },
  granularity: {
    type: 'string',
    description: 'what a flush moves: cache lines need DAX, pages go by msync',
    values: ['auto', 'cache-line', 'page'],
    default: 'auto',
  },
  force: {
    type: 'boolean',
    description: 'cache lines without DAX, with no promise beyond the death of the process; for tests',
    default: false,
  },
}
