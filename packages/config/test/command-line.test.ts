import { describe, expect, test } from 'vitest'
import { type Program, readCommandLine, readRequest } from '../src/index.ts'
import { oldNode } from '../src/problems/old-node.ts'
import { createApplication } from './support/application.ts'

describe('readCommandLine', () => {
  test('flags with and without values, words, and what follows --', () => {
    const argv = ['run', '--backend', 'af-xdp', '--queues=2', '--frames.debug', '--no-demo', '--config', 'c.yaml', 'x']
    expect(readCommandLine([...argv, '--', '--backend'])).toEqual({
      flags: { backend: 'af-xdp', queues: '2', 'frames.debug': 'true', demo: 'false' },
      file: 'c.yaml',
      help: false,
      printConfig: false,
      positionals: ['run', 'x', '--backend'],
    })
  })

  test('a switch takes no word, a flag given twice is a list', () => {
    expect(readCommandLine(['--demo', 'x', '--dns', 'a', '--dns', 'b', '-h', '--print-config'], ['demo'])).toEqual({
      flags: { demo: 'true', dns: 'a,b' },
      file: undefined,
      help: true,
      printConfig: true,
      positionals: ['x'],
    })
  })
})

test('a Node that is too old is told apart', () => {
  expect(oldNode('20.20.2')).toBe('needs Node.js 22 or newer, and this is 20.20.2')
  for (const version of ['22.0.0', '24.21.0', '100.0.0', undefined]) expect(oldNode(version)).toBeUndefined()
})

describe('readRequest', () => {
  const program = (url: string): Program => ({
    name: 'greet',
    summary: 'greets.',
    examples: ['greet --demo'],
    app: {
      demo: { type: 'boolean', description: 'greets itself', default: false },
      mode: { type: 'string', description: 'how', values: ['loud', 'low'], required: true },
    },
    application: url,
    environment: {},
    directory: false,
  })

  test('runs', async () => {
    const { url } = createApplication()
    const request = await readRequest(program(url), ['--demo', '--app.mode', 'loud', 'Ann'])
    if (request.kind !== 'run') throw new Error(request.text)
    expect(request.config.settings.app).toEqual({ demo: true, mode: 'loud' })
    expect(request.positionals).toEqual(['Ann'])
  })

  test('prints the config', async () => {
    const { url } = createApplication()
    const request = await readRequest(program(url), ['--print-config', '--app.mode', 'low'])
    expect(request).toMatchObject({ kind: 'print', exitCode: 0 })
    expect(request.kind === 'print' && request.text).toMatch(/app\.mode +"low" +--app\.mode/)
  })

  test('prints what is wrong, for exit code 2', async () => {
    const { url } = createApplication()
    expect(await readRequest(program(url), ['--app.mode', 'shy'])).toEqual({
      kind: 'print',
      exitCode: 2,
      text: [
        'config: one problem, nothing was started (EINVAL). Correct and start again:',
        '  app.mode: found "shy" (string), allowed: "loud" or "low" [--app.mode]',
      ].join('\n'),
    })
  })

  test('helps, also when the config is wrong, with the options of what is chosen', async () => {
    const { url } = createApplication()
    const request = await readRequest(program(url), ['--backend', 'af-xdp', '--help', '--partitions', '0'])
    if (request.kind !== 'print') throw new Error('it runs')
    expect(request.exitCode).toBe(0)
    const lines = request.text.split('\n').map((line) => line.trim())
    expect(lines).toContain('greet: greets.')
    expect(lines).toContain('greet --demo')
    expect(request.text).toMatch(/--app\.mode +how: "loud" or "low" \(required\) \[the application\]/)
    expect(request.text).toMatch(/--network\.interface +network interface: a string \(required\) \[af-xdp\]/)
    expect(request.text).toMatch(/--partitions +partitions, .*: an integer from 1 to 256 \(default 1\)/)
    expect(request.text).not.toContain('ringSize')
  })

  test('--config without a file, and with one that cannot be parsed', async () => {
    const { url, write } = createApplication()
    const wrong = (file: string) => ({
      exitCode: 2,
      text: expect.stringMatching(`problem, nothing was started .EINVAL.*\n  ${file}$`),
    })
    expect(await readRequest(program(url), ['--app.mode', 'low', '--config'])).toMatchObject(
      wrong('--config: needs the name of a file'),
    )
    const file = write('half.yaml', 'network: [\n')
    expect(await readRequest(program(url), ['--app.mode', 'low', '--config', file])).toMatchObject(
      wrong('.*half.yaml: Flow sequence .* at line 2, column 1'),
    )
  })

  test.each(['outside.config.ts', 'outside.config.mjs'])(
    '%s, from where this package cannot be found',
    async (name) => {
      const { url, write } = createApplication()
      const text = "import { defineConfig } from '@parakernel/config'\nexport default defineConfig({ partitions: 3 })\n"
      const request = await readRequest(program(url), ['--app.mode', 'low', '--config', write(name, text)])
      if (request.kind !== 'run') throw new Error(request.text)
      expect(request.config.settings.partitions).toBe(3)
      const lost = write(`lost-${name}`, "import 'nobody'\nexport default {}\n")
      expect(await readRequest(program(url), ['--app.mode', 'low', '--config', lost])).toMatchObject({
        exitCode: 2,
        text: expect.stringMatching(/Cannot find package 'nobody'/),
      })
    },
  )
})
