export { HostLibOS } from './host-libos.ts'
export { libos } from './libos.ts'
export type { HostOptions } from './options.ts'
