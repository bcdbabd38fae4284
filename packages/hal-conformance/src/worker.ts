import { parentPort } from 'node:worker_threads'
import type { Answer, Step } from './worker-protocol.ts'
import { StepRunner } from './worker-steps.ts'

const port = parentPort
const answer = (message: Answer) => port?.postMessage(message)
const runner = new StepRunner(() => answer({ ok: true, result: 'started' }))

port?.on('message', (step: Step) => {
  runner.run(step).then(
    (result) => answer({ ok: true, result }),
    (error: Error & { code?: string }) => answer({ ok: false, code: error.code, message: String(error.stack) }),
  )
})
