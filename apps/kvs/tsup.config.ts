import { library } from '../../tools/presets/tsup.ts'

export default library({
  entry: {
    main: 'src/main.ts',
    client: 'src/client/index.ts',
    'server-partition': 'src/server-partition.ts',
    'load-partition': 'src/load-partition.ts',
  },
})
