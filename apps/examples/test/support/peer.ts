import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Run } from './run.ts'

/** Starts a run by its command line, or, without one, interrupts it. */
export interface PeerRequest {
  readonly id: number
  readonly argv?: readonly string[]
}

export type PeerEvent =
  | { readonly id: number; readonly what: 'printed' | 'noted' | 'failed'; readonly text: string }
  | { readonly id: number; readonly what: 'exited'; readonly code: number }

/** Another machine, as far as an example can tell: one process in a network namespace, for all the runs of a test file. */
export interface Peer {
  start(argv: readonly string[]): Run
  stop(): Promise<void>
}

export function startPeer(command: (...program: string[]) => [file: string, args: string[]]): Peer {
  const script = fileURLToPath(new URL('./peer-process.ts', import.meta.url))
  const [file, args] = command(process.execPath, '--conditions=source', script)
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const heard = new Map<number, (event: PeerEvent) => void>()
  createInterface(child.stdout).on('line', (line) => {
    const event = JSON.parse(line) as PeerEvent
    heard.get(event.id)?.(event)
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ask = (request: PeerRequest) => child.stdin.write(`${JSON.stringify(request)}\n`)
  let runs = 0
  return {
    start(argv) {
      const id = runs++
      const texts = { printed: '', noted: '' }
      const exited = new Promise<number>((resolve, reject) => {
        heard.set(id, (event) => {
          if (event.what === 'exited') resolve(event.code)
          else if (event.what === 'failed') reject(new Error(event.text))
          else texts[event.what] += event.text
        })
        void ended.then(() => reject(new Error(`the peer's process has ended: ${texts.noted}`)))
      })
      exited.catch(() => {})
      ask({ id, argv })
      return { printed: () => texts.printed, noted: () => texts.noted, interrupt: () => ask({ id }), exited }
    },
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
