import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Built } from './build.ts'
import type { ScriptRun } from './scripts.ts'

export interface ScriptResult {
  readonly run: ScriptRun
  readonly outcome: 'passed' | 'failed' | 'timed out' | 'excluded'
  /** What packetdrill said, without its command line. */
  readonly output: string
}

const HOST = join(import.meta.dirname, 'script-host.ts')

/**
 * Runs one script in a network namespace of its own, which ends with it: what its commands set there touches nothing else.
 * Everything that was started is killed when `timeout` milliseconds are over.
 */
export function runScript(built: Built, run: ScriptRun, timeout: number): Promise<ScriptResult> {
  if (run.excluded !== undefined) return Promise.resolve({ run, outcome: 'excluded', output: run.excluded })
  return new Promise((resolve) => {
    const words = ['--net', '--', process.execPath, '--conditions=source', '--no-warnings', HOST]
    const program = spawn('unshare', [...words, built.packetdrill, built.shim, run.path, run.variant], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let late = false
    const collect = (chunk: Buffer) => {
      if (output.length < 100_000) output += chunk.toString()
    }
    program.stdout.on('data', collect)
    program.stderr.on('data', collect)
    const timer = setTimeout(() => {
      late = true
      if (program.pid !== undefined) process.kill(-program.pid, 'SIGKILL')
    }, timeout)
    program.on('error', (error) => {
      output += error.message
    })
    program.on('close', (code) => {
      clearTimeout(timer)
      resolve({ run, outcome: late ? 'timed out' : code === 0 ? 'passed' : 'failed', output: output.trim() })
    })
  })
}
