import { project } from '../presets/vitest.ts'

export default project('interop', { testTimeout: 120_000, fileParallelism: false })
