import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { createJournal } from './fixtures/journal.ts'

const program = fileURLToPath(new URL('./fixtures/serve.ts', import.meta.url))

async function serve(...args: string[]): Promise<{ child: ChildProcess; events: () => string[] }> {
  const journal = createJournal()
  onTestFinished(journal.remove)
  const child = spawn(process.execPath, ['--conditions=source', program, journal.path, ...args], {
    stdio: ['ignore', 'pipe', args[0] === 'stuck' ? 'ignore' : 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  child.stdout?.on('data', (chunk) => {
    printed += chunk
  })
  await until(() => printed.includes(args[0] === 'stuck' ? 'starting' : 'ready'))
  return { child, events: journal.events }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s stops the machine in order, and the program goes on to its end',
  async (signal) => {
    const { child, events } = await serve()
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(events().slice(-8)).toEqual([
      'partition 1 stops',
      'network 1 shut down',
      'partition 0 stops',
      'network 0 shut down',
      'reclaim 1',
      'reclaim 0',
      'close',
      `exited: signal ${signal}`,
    ])
  },
)

test('a second signal ends a program whose parts do not stop', async () => {
  const { child, events } = await serve('slow')
  child.kill('SIGTERM')
  await until(() => events().includes('partition 1 stops'))
  child.kill('SIGINT')
  expect(await once(child, 'exit')).toEqual([130, null])
  expect(events()).not.toContain('close')
})

test('a signal during the start stops what has started', async () => {
  const { child, events } = await serve('stuck')
  await until(() => events().some((event) => event.startsWith('network 1/2')))
  child.kill('SIGTERM')
  // An unhandled ECANCELED of compose: the program has not caught it.
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(events().slice(-5)).toEqual(['partition 0 stops', 'network 0 shut down', 'reclaim 1', 'reclaim 0', 'close'])
})
