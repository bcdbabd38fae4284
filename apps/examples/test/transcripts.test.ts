import { describe, expect, test } from 'vitest'
import { EXAMPLES } from '../src/catalogue.ts'
import { goldenOf } from './support/golden.ts'
import { PORT } from './support/port.ts'
import { transcriptOf } from './support/run.ts'

const BACKENDS = {
  'the emulated network, in workers': ['--run', 'workers'],
  'the emulated network, in one thread': ['--run', 'inline'],
  'the emulated network, on a virtual clock': ['--run', 'virtual', '--latency', '20000'],
  'the sockets of the host': ['--libos', 'host', '--run', 'inline'],
}

const ONLINE = EXAMPLES.filter(({ inTurn }) => inTurn !== true)

describe.each(Object.entries(BACKENDS))('on %s', (_, settings) => {
  test.each(ONLINE.map(({ name }, i) => [name, i] as const))('%s says what it always says', async (name, i) => {
    const port = String(PORT + 3 * i)
    expect(await transcriptOf([name, '--app.port', port, ...settings])).toBe(goldenOf(name))
  })
})
