// A process that stands in for another machine: runs examples as its standard input says, and tells what they print.
import { createInterface } from 'node:readline'
import type { PeerEvent, PeerRequest } from './peer.ts'
import { type Run, start } from './run.ts'

const runs = new Map<number, Run>()
const tell = (event: PeerEvent) => process.stdout.write(`${JSON.stringify(event)}\n`)

for await (const line of createInterface(process.stdin)) {
  const { id, argv } = JSON.parse(line) as PeerRequest
  if (argv === undefined) runs.get(id)?.interrupt()
  else {
    const run = start(argv, (what, text) => tell({ id, what, text }))
    runs.set(id, run)
    run.exited.then(
      (code) => tell({ id, what: 'exited', code }),
      (error) => tell({ id, what: 'failed', text: String(error) }),
    )
  }
}
process.exit()
