export type { NetworkFeature, NetworkLibosConformance, NetworkLibosFixture } from './network/fixture.ts'
export { networkLibosConformance, networkTitles } from './network/suite.ts'
