export { persistentBackend } from './backend.ts'
export { PmemDevice } from './control/device.ts'
export type { PmemOptions } from './options.ts'
