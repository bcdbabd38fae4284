import { spawn } from 'node:child_process'

export interface KillTrial {
  /** Program that runs the load, and its arguments. It prints a line, in one write, for each thing that it was told is durable. */
  readonly program: URL
  readonly args: readonly string[]
  /** Lines after which the program is killed, and milliseconds after that: in the middle of its load. */
  readonly afterLines: number
  readonly afterMs: number
}

/**
 * Runs a program, kills it with SIGKILL in the middle of its load, and returns the whole lines that it printed.
 * @throws when it ends by itself, with what it wrote to its standard error
 */
export function runAndKill({ program, args, afterLines, afterMs }: KillTrial): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=source', program.pathname, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let text = ''
    let errors = ''
    let lines = 0
    let timer: NodeJS.Timeout | undefined
    child.stdout.setEncoding('latin1')
    child.stdout.on('data', (data: string) => {
      text += data
      for (let at = data.indexOf('\n'); at >= 0; at = data.indexOf('\n', at + 1)) lines++
      if (lines >= afterLines) timer ??= setTimeout(() => child.kill('SIGKILL'), afterMs)
    })
    child.stderr.on('data', (data) => {
      errors += data
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (signal !== 'SIGKILL') reject(new Error(`ended by itself with ${code ?? signal}: ${errors}`))
      else
        resolve(
          text
            .slice(0, text.lastIndexOf('\n') + 1)
            .split('\n')
            .slice(0, -1),
        )
    })
  })
}
