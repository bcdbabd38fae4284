import type { OptionSpecs } from '@parakernel/hal'
import type { Durability } from '@parakernel/queue'

export interface StorageOptions {
  /** Makes a volume on media that hold nothing but zeroes where one would begin; default true. Anything else is never overwritten. */
  readonly format?: boolean
  /** Changes nothing, neither by recovery nor by use; default false. */
  readonly readOnly?: boolean
  /** Of descriptors that ask for none; default `flushed`. */
  readonly durability?: Durability
  /** The snapshot of this name instead of the live volume, read-only. */
  readonly snapshot?: string
  /** Bytes of the block cache, in frames of the pool; by default 4 MiB, less when the pool is small. */
  readonly cacheSize?: number
  /** Milliseconds after which what was written goes to the media by itself; default 5,000. */
  readonly commitInterval?: number
  /** Of a volume that is made. Bytes by which media are given to files; default 4,096. */
  readonly clusterSize?: number
  /** Of a volume that is made. Bytes of the journal; by the size of the medium when absent. */
  readonly journalSize?: number
  /** Of a volume that is made. How many snapshots it can have; default 8. */
  readonly snapshots?: number
  /** Of a volume that is made. Whether data has checksums too; default true. */
  readonly checksums?: boolean
}

export const STORAGE_OPTIONS: OptionSpecs = {
  format: { type: 'boolean', description: 'Makes a volume on media that hold nothing', default: true },
  readOnly: { type: 'boolean', description: 'Changes nothing, neither by recovery nor by use', default: false },
  durability: {
    type: 'string',
    description: 'When a push completes, of descriptors that do not say: at once, or on stable media',
    values: ['buffered', 'flushed', 'fua'],
    default: 'flushed',
  },
  snapshot: { type: 'string', description: 'The snapshot of this name instead of the live volume, read-only' },
  cacheSize: {
    type: 'integer',
    description: 'Bytes of the block cache, in frames of the pool; 4 MiB, less when the pool is small, when absent',
    min: 65_536,
  },
  commitInterval: {
    type: 'integer',
    description: 'Milliseconds after which what was written goes to the media by itself',
    default: 5000,
    min: 1,
  },
  clusterSize: {
    type: 'integer',
    description: 'Of a volume that is made: bytes by which media are given to files, a power of two; 4,096 when absent',
    min: 1024,
    max: 65_536,
  },
  journalSize: {
    type: 'integer',
    description: 'Of a volume that is made: bytes of the journal; by the size of the medium when absent',
    min: 65_536,
  },
  snapshots: {
    type: 'integer',
    description: 'Of a volume that is made: how many snapshots it can have',
    default: 8,
    min: 0,
    max: 31,
  },
  checksums: {
    type: 'boolean',
    description: 'Of a volume that is made: whether data has checksums too',
    default: true,
  },
}

declare module '@parakernel/queue' {
  interface StorageLibOSOptions {
    storage: StorageOptions
  }
}
