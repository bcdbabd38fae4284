import { library } from '../../tools/presets/tsup.ts'

export default library({ entry: { main: 'src/main.ts', echo: 'src/echo.ts', client: 'src/client.ts' } })
