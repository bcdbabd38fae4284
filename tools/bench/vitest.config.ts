import { project } from '../presets/vitest.ts'

export default project('tool-bench', { testTimeout: 60_000 })
