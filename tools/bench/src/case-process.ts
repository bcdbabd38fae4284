import { type ChildProcess, execFile } from 'node:child_process'
import type { BenchList, CaseOutput } from './types.ts'

/** A case that takes longer hangs. */
const LIMIT_MS = 300_000

const running = new Set<ChildProcess>()

/** Ends what runs, also when this process is told to stop. Called once, by a program. */
export function endWithParent(): void {
  process.on('exit', () => {
    for (const child of running) child.kill('SIGTERM')
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
}

export async function listCases(path: string): Promise<BenchList> {
  return (await lastLine(path, ['--list'])) as BenchList
}

export async function runCase(path: string, name: string): Promise<CaseOutput> {
  return (await lastLine(path, ['--case', name])) as CaseOutput
}

/** What the program prints last, as JSON. Rejects with the error that ended it. */
function lastLine(path: string, args: readonly string[]): Promise<unknown> {
  const flags = ['--conditions=source', '--expose-gc', '--no-warnings']
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [...flags, path, ...args],
      { timeout: LIMIT_MS, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        running.delete(child)
        if (error?.killed) return reject(new Error(`took longer than ${LIMIT_MS / 1000} s`))
        if (error !== null) return reject(new Error(reasonOf(stderr) ?? error.message))
        try {
          resolve(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? ''))
        } catch {
          reject(new Error(`${path} ${args.join(' ')} printed no result: does it call benchCases?`))
        }
      },
    )
    running.add(child)
  })
}

/** The line with the error's message, out of what Node prints for an uncaught one. */
function reasonOf(stderr: string): string | undefined {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /^\w*Error\b.*:/.test(line)) ?? lines.at(-1)
}
