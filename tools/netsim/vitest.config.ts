import { project } from '../presets/vitest.ts'

export default project('netsim', { testTimeout: 120_000 })
