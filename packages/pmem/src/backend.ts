import {
  type Availability,
  type BackendContext,
  ParakernelError,
  type PersistentBackend,
  type PersistentGrant,
  type PersistentRegion,
  reasonOf,
} from '@parakernel/hal'
import { foreign } from '@parakernel/linux'
import { PmemDevice } from './control/device.ts'
import { LineRange } from './data/line-range.ts'
import { PageRange } from './data/page-range.ts'
import { optionSpecs, type PmemOptions } from './options.ts'
import type { PmemTransport } from './transport.ts'

/** Persistent memory as a backend: a file that is mapped, on DAX or on any file system. */
export const persistentBackend: PersistentBackend<PmemOptions> = {
  kind: 'persistent-backend',
  name: 'pmem',
  options: optionSpecs,

  probe(): Availability {
    try {
      foreign()
      return { available: true }
    } catch (error) {
      if (!(error instanceof ParakernelError)) throw error
      return { available: false, missing: reasonOf(error), remedy: error.remedy ?? 'Use the emulated backend' }
    }
  },

  async open(options: PmemOptions, context: BackendContext): Promise<PmemDevice> {
    // Grants name this module, by which a worker finds `attach`.
    return new PmemDevice(options, context, import.meta.url)
  },

  attach(grant: PersistentGrant): PersistentRegion {
    const held = grant as PersistentGrant<PmemTransport>
    const { writeBack } = held.transport
    if (writeBack.by === 'page') return new PageRange(held)
    return new LineRange(held, writeBack.instruction, writeBack.by === 'fence')
  },
}
