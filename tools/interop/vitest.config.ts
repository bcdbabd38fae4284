import { machineProject } from '../presets/vitest.ts'

export default machineProject('interop', { testTimeout: 120_000, fileParallelism: false })
