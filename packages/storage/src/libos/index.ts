export { isBlankMedium } from './blank.ts'
export { storageLibos } from './factory.ts'
export type { StorageOptions } from './options.ts'
export { VolumeLibOS } from './volume-libos.ts'
