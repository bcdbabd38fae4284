import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLabNamespace, createVethPair, probeLab } from '@parakernel/linux'
import { expect, onTestFinished, test } from 'vitest'
import { goldenOf, joined } from './support/golden.ts'
import { PORT } from './support/port.ts'
import { start } from './support/run.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const blocks = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, block]) => block.trim().split('\n'))
const [opening, anywhere, tap, storage, veth] = blocks
const lab = probeLab()

interface Outcome {
  readonly code: number
  readonly out: string
  readonly error: string
}

interface Started {
  readonly child: ChildProcess
  readonly noted: () => string
  readonly outcome: Promise<Outcome>
}

const HOME = fileURLToPath(new URL('..', import.meta.url))

/** Runs a line as it stands, `examples` being the program from its source. */
function launch(line: string, where: readonly string[] = []): Started {
  const program = [process.execPath, '--conditions=source', fileURLToPath(new URL('../src/main.ts', import.meta.url))]
  const words = line.split(' ').flatMap((word) => (word === 'examples' ? program : [word]))
  const [file, ...args] = [...where, ...words]
  const child = spawn(file, args, {
    cwd: HOME,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let [out, error] = ['', '']
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    error += chunk
  })
  const outcome = once(child, 'close').then(([code]) => ({ code: code as number, out, error }))
  return { child, noted: () => error, outcome }
}

test('has the lines that are run here', () => {
  expect(opening.filter((line) => line.startsWith('examples'))).toEqual(['examples --help', 'examples echo --help'])
  for (const block of [anywhere, tap, veth]) {
    for (const line of block) expect(line).toContain('examples echo')
  }
  for (const line of storage) expect(line).toMatch(/^examples journal/)
  expect([tap.length, veth.length]).toEqual([1, 2])
})

test('examples --help, examples echo --help', async () => {
  const [general, own] = await Promise.all(
    ['examples --help', 'examples echo --help'].map((line) => launch(line).outcome),
  )
  expect(general).toMatchObject({ code: 0, out: expect.stringMatching(/^ {2}echo +sends back what it gets/m) })
  expect(own).toMatchObject({ code: 0, out: expect.stringMatching(/^ {2}--app\.say +what the client says/m) })
})

/** A line that needs no process of its own; its files are in `folder`. */
async function run(line: string, folder = HOME): Promise<Outcome> {
  const [name, ...settings] = line.split(' ').slice(1)
  const isFile = (word: string) => word.startsWith('configs/') || word.startsWith('journal')
  const example = start([name, ...settings.map((word) => (isFile(word) ? resolve(folder, word) : word))])
  return { code: await example.exited, out: example.printed(), error: example.noted() }
}

test.each(anywhere)('%s', async (line) => {
  expect(await run(`${line} --app.port ${PORT + 40}`)).toMatchObject({ code: 0, out: goldenOf('echo') })
})

test.for(storage)('%s', async (line, context) => {
  const folder = mkdtempSync(join(tmpdir(), 'parakernel-examples-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const outcome = await run(line, folder)
  const refused = /cannot run here: (.*)/.exec(outcome.error)?.[1]
  if (refused !== undefined) return context.skip(refused)
  expect(outcome).toMatchObject({ code: 0, out: goldenOf('journal') })
})

test.for(tap)('%s', async (line, context) => {
  if (!lab.available) return context.skip(`a lab needs ${lab.missing}`)
  const namespace = createLabNamespace({ label: 'exrt' })
  onTestFinished(() => namespace.remove())
  const [file, args] = namespace.command()
  expect(await launch(line, [file, ...args]).outcome).toMatchObject({ code: 0, out: goldenOf('echo') })
})

test('both ends of a veth pair', async (context) => {
  if (!lab.available) return context.skip(`a lab needs ${lab.missing}`)
  const pair = createVethPair({ label: 'exrv', peerAddresses: ['10.0.0.2/24'] })
  onTestFinished(() => pair.remove())
  const [here, there] = veth.map((line) => line.replaceAll('pk-lab-4711', pair.interface))
  const server = launch(here)
  while (!server.noted().includes('serving: ')) {
    if (server.child.exitCode !== null) throw new Error(server.noted())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const client = await launch(there).outcome
  expect(client).toMatchObject({ code: 0 })
  server.child.kill('SIGINT')
  const served = await server.outcome
  expect(served).toMatchObject({ code: 0 })
  expect(joined('echo', client.out, served.out)).toBe(goldenOf('echo'))
})

test.each([
  ['examples nothing', 2, /there is no example "nothing"/],
  ['examples echo --run backwards', 2, /app\.run: found "backwards"/],
  ['examples echo please', 2, /takes no words, only settings: please/],
  ['examples echo --end nobody', 1, /has no end "nobody" .*server, client/],
  ['examples echo --end client --libos host', 1, /server: nobody has said where it is .*--at server=/],
  [
    'examples echo --backend af-xdp --interface none0 --address 10.0.0.1/24',
    1,
    /server and client cannot all be on it .*--end server/,
  ],
  ['examples echo --at server=10.0.0.1,client=10.0.0.2', 1, /no end is left to run here/],
  ['examples relay --end client --at relay=127.0.0.1 --libos host --app.port 9', 1, /ECONNREFUSED/],
  ['examples dump --run inline --filter nonsense', 1, /dump: .*found "nonsense" at 0, allowed: a number/],
  ['examples journal --run inline', 1, /cannot crash alone .*--crash process/],
] as const)('%s ends with %i', async (line, code, message) => {
  expect(await run(line)).toMatchObject({ code, error: expect.stringMatching(message) })
})
