export { LevelError } from './errors.ts'
export type { BackendName, OpenedMedium, ParakernelLevelOptions, PlaceOptions, WriteOptions } from './options.ts'
export { ParakernelLevel } from './parakernel-level.ts'
export { ParakernelSnapshot } from './snapshot.ts'
