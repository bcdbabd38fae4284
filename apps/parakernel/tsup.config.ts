import { library } from '../../tools/presets/tsup.ts'

export default library({ entry: { main: 'src/main.ts' }, banner: { js: '#!/usr/bin/env node' } })
