import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EXAMPLES } from '../src/catalogue.ts'
import { goldenOf } from './support/golden.ts'
import { start } from './support/run.ts'

const SIZE = String(16 << 20)
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** Storage backends by what they need in a folder of their own; the first keeps nothing beyond the process. */
const BACKENDS: Readonly<Record<string, (folder: string) => string[]>> = {
  'an emulated disk in memory': () => [],
  'an emulated disk with an image': (folder) => storage('emulated', folder),
  'emulated persistent memory': (folder) => storage('emulated-pmem', folder),
  'io_uring on a file': (folder) => storage('io-uring', folder),
  'persistent memory by msync': (folder) => storage('pmem', folder),
  'files of the host': (folder) => ['--storage.libos', 'host', '--storage.path', folder],
}

const storage = (backend: string, folder: string) => [
  ...['--storage.backend', backend, '--storage.path', join(folder, 'volume'), '--storage.size', SIZE],
]

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parakernel-examples-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Why this machine cannot run a backend, as its own error says. */
const refusal = (noted: string) => /cannot run here: (.*)/.exec(noted)?.[1]

describe.each(Object.entries(BACKENDS))('on %s', (_, settingsIn) => {
  test.for(EXAMPLES.filter(({ inTurn }) => inTurn === true))(
    '$name says what it always says',
    async (example, context) => {
      const run = start([example.name, ...settingsIn(folder())])
      const code = await run.exited
      const refused = refusal(run.noted())
      if (refused !== undefined) return context.skip(refused)
      expect(code, run.noted()).toBe(0)
      expect(run.printed()).toBe(goldenOf(example.name))
    },
  )
})

test('on an NVMe controller', (context) => {
  context.skip('the emulated controller keeps nothing when it is closed, and a real one is in tools/lab alone')
})

describe.each(Object.entries(BACKENDS).slice(1))('on %s, with a process that is killed', (_, settingsIn) => {
  test('journal says what it always says', async (context) => {
    const settings = settingsIn(folder())
    const writing = ['journal', '--end', 'writer', '--crash', 'process', '--run', 'inline', ...settings]
    const child = spawn(process.execPath, ['--conditions=source', MAIN, ...writing])
    const exited = once(child, 'exit')
    const [written, noted] = await Promise.all([text(child.stdout), text(child.stderr)])
    const refused = refusal(noted)
    if (refused !== undefined) return context.skip(refused)
    expect(await exited, noted).toEqual([null, 'SIGKILL'])
    const reader = start(['journal', '--end', 'reader', '--run', 'inline', ...settings])
    expect(await reader.exited, reader.noted()).toBe(0)
    expect(written + reader.printed()).toBe(goldenOf('journal'))
  })
})
