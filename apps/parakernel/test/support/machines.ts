import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, compose, type Machine } from '@parakernel/config'
import { onTestFinished } from 'vitest'
import { program } from '../../src/program.ts'
import type { Terminal } from '../../src/terminal.ts'

/** A runtime directory of this test's own: machines of others are not seen. */
export function ownDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'pk-top-'))
  process.env['PARAKERNEL_RUNTIME_DIRECTORY'] = directory
  onTestFinished(() => {
    delete process.env['PARAKERNEL_RUNTIME_DIRECTORY']
    rmSync(directory, { recursive: true, force: true })
  })
  return directory
}

let networks = 0

/** A machine `name` with two partitions that ask another one, and can be seen. */
export async function underLoad(name = 'busy', observe: Config['observe'] = {}): Promise<Machine> {
  const network = `top-${process.pid}-${networks++}`
  const start = (one: string, address: string, more: object) =>
    compose({ network: { libos: 'net', backend: 'emulated', network, address }, ...more } as Config, {
      partition: new URL('../fixtures/echo.ts', import.meta.url),
      name: one,
      signals: false,
    })
  const other = await start('other', '10.0.0.2/24', {})
  onTestFinished(() => other.stop())
  const machine = await start(name, '10.0.0.1/24', { partitions: 2, observe: { socket: 'auto', ...observe } })
  onTestFinished(() => machine.stop())
  for (const partition of [0, 1]) await machine.call(partition, 'begin', { address: '10.0.0.2', port: 7 })
  return machine
}

export interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** The program in this process, without a terminal. */
export async function run(...args: string[]): Promise<Ended> {
  return begin(...args).ended
}

export interface Begun {
  readonly ended: Promise<Ended>
  readonly output: () => string
  interrupt(): void
}

export function begin(...args: string[]): Begun {
  let [stdout, stderr] = ['', '']
  const interrupt = new AbortController()
  const terminal: Terminal = {
    out(line) {
      stdout += `${line}\n`
    },
    err(line) {
      stderr += `${line}\n`
    },
    screen: undefined,
    keys: undefined,
  }
  const ended = program(args, terminal, interrupt.signal).then((status) => ({ status, stdout, stderr }))
  return { ended, output: () => stdout, interrupt: () => interrupt.abort() }
}
