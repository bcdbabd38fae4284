import type { StorageContext, StorageLibOSFactory } from '@parakernel/queue'
import { HostStorage } from './host-storage.ts'
import { HOST_STORAGE_OPTIONS, type HostStorageOptions } from './options.ts'

export const storageLibos: StorageLibOSFactory<HostStorageOptions> = {
  kind: 'storage-libos',
  name: 'host',
  options: HOST_STORAGE_OPTIONS,
  needsBackend: false,
  async create(options: HostStorageOptions, context: StorageContext) {
    return new HostStorage(options, context)
  },
}
