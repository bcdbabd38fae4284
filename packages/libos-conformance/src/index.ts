export type { NetworkFeature, NetworkLibosConformance, NetworkLibosFixture } from './network/fixture.ts'
export { networkLibosConformance, networkTitles } from './network/suite.ts'
export type {
  ReopenOptions,
  StorageFeature,
  StorageLibosConformance,
  StorageLibosFixture,
  StorageSetup,
} from './storage/fixture.ts'
export { type FsxOptions, type FsxParty, type FsxReport, runFsx } from './storage/fsx/run.ts'
export { storageLibosConformance, storageTitles } from './storage/suite.ts'
