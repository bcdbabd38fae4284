import { machineProject } from '../presets/vitest.ts'

export default machineProject('tool-veth')
