import { machineProject } from '../presets/vitest.ts'

export default machineProject('tool-bench', { testTimeout: 60_000 })
