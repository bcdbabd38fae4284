import { machineProject } from '../../tools/presets/vitest.ts'

export default machineProject('app-parakernel')
