import { parentPort, workerData } from 'node:worker_threads'
import { BlockStepRunner } from './block/worker-steps.ts'
import { PersistentStepRunner } from './persistent/worker-steps.ts'
import type { Answer } from './worker-protocol.ts'
import { StepRunner } from './worker-steps.ts'

const port = parentPort
const answer = (message: Answer) => port?.postMessage(message)
const started = () => answer({ ok: true, result: 'started' })
const Runner =
  workerData === 'block' ? BlockStepRunner : workerData === 'persistent' ? PersistentStepRunner : StepRunner
const runner = new Runner(started) as { run(step: unknown): Promise<unknown> }

port?.on('message', (step: unknown) => {
  runner.run(step).then(
    (result) => answer({ ok: true, result }),
    (error: Error & { code?: string }) => answer({ ok: false, code: error.code, message: String(error.stack) }),
  )
})
