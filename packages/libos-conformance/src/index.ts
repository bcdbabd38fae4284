export type { NetworkFeature, NetworkLibosConformance, NetworkLibosFixture } from './network/fixture.ts'
export { networkLibosConformance } from './network/suite.ts'
