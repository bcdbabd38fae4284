import type { OptionSpecs } from '@parakernel/hal'
import type { Durability } from '@parakernel/queue'

export interface HostStorageOptions {
  /** The folder that is the root of the volume, or of several partitions' volumes each in a folder `partition-0`, ...; made when it is not there. */
  readonly path: string
  /** Refuses everything that changes it; default false. */
  readonly readOnly?: boolean
  /** Of descriptors that ask for none; default `buffered`. */
  readonly durability?: Durability
}

export const HOST_STORAGE_OPTIONS: OptionSpecs = {
  path: {
    type: 'string',
    description: 'The folder that is the root of the volume; made when it is not there',
    required: true,
  },
  readOnly: { type: 'boolean', description: 'Refuses everything that changes the volume', default: false },
  durability: {
    type: 'string',
    description: 'When a push completes, of descriptors that do not say: at once, or on stable media',
    values: ['buffered', 'flushed', 'fua'],
    default: 'buffered',
  },
}

declare module '@parakernel/queue' {
  interface StorageLibOSOptions {
    host: HostStorageOptions
  }
}
