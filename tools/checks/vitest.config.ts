import { project } from '../presets/vitest.ts'

export default project('checks', { testTimeout: 60_000 })
