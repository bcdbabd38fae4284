import type { PersistentBackend, PersistentGrant } from '@parakernel/hal'
import { attachPersistent, EmulatedPersistentMemory } from './device.ts'
import { type PersistentOptions, persistentOptionSpecs } from './options.ts'
import type { PersistentTransport } from './region.ts'

declare module '@parakernel/hal' {
  interface PersistentBackendOptions {
    'emulated-pmem': PersistentOptions
  }
}

/** What a config's `backend: 'emulated-pmem'` resolves to in its storage section. */
export const persistentBackend: PersistentBackend<PersistentOptions> = {
  kind: 'persistent-backend',
  name: 'emulated-pmem',
  options: persistentOptionSpecs,
  probe: () => ({ available: true }),
  open: async (options) => new EmulatedPersistentMemory(options),
  attach: (grant) => attachPersistent(grant as PersistentGrant<PersistentTransport>),
}
