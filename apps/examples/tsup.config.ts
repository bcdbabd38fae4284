import { library } from '../../tools/presets/tsup.ts'
import { EXAMPLES } from './src/catalogue.ts'

const ends = EXAMPLES.flatMap(({ name, ends }) => ends.map((end) => `${name}/${end.name}`))

export default library({
  entry: { main: 'src/main.ts', ...Object.fromEntries(ends.map((end) => [end, `src/${end}.ts`])) },
  banner: { js: '#!/usr/bin/env node' },
})
