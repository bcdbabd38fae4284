import { machineProject } from '../presets/vitest.ts'

export default machineProject('lab', { testTimeout: 120_000, fileParallelism: false })
