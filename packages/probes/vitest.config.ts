import { project } from '../../tools/presets/vitest.ts'

export default project('probes')
