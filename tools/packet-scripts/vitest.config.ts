import { project } from '../presets/vitest.ts'

export default project('packet-scripts', { testTimeout: 30_000 })
