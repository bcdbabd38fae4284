import { library } from '../../tools/presets/tsup.ts'

export default library()
