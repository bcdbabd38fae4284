// What a token costs: issue, complete and redeem, by each of the waits. Nanoseconds an operation, the best of many
// short trials, since other processes disturb but never help.
import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, type QueueToken } from '../src/index.ts'

const TRIALS = 60
const OPERATIONS = 20_000

function machine() {
  const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }))
  return { runtime, qd: runtime.open({ cancel: () => {} }) }
}

function measure(name: string, run: (operations: number) => void, operations = OPERATIONS): number {
  let best = Infinity
  for (let trial = 0; trial < TRIALS; trial++) {
    const start = performance.now()
    run(operations)
    best = Math.min(best, ((performance.now() - start) * 1e6) / operations)
  }
  console.log(`${name.padEnd(52)} ${best.toFixed(1).padStart(8)} ns`)
  return best
}

{
  const { runtime, qd } = machine()
  measure('issue, complete, wait', (operations) => {
    for (let i = 0; i < operations; i++) {
      const token = runtime.issue(qd)
      runtime.completePush(token, 64)
      runtime.wait(token)
    }
  })
}

{
  const { runtime, qd } = machine()
  measure('issue, complete, waitNext', (operations) => {
    for (let i = 0; i < operations; i++) {
      runtime.completePush(runtime.issue(qd), 64)
      runtime.waitNext()
    }
  })
}

const any = [10, 100, 10_000].map((count) => {
  const { runtime, qd } = machine()
  const tokens: QueueToken[] = Array.from({ length: count }, () => runtime.issue(qd))
  let at = 0
  return measure(`complete one of ${count}, waitAny over all, issue`, (operations) => {
    for (let i = 0; i < operations; i++) {
      at = (at + 7) % count
      runtime.completePush(tokens[at], 64)
      const { index } = runtime.waitAny(tokens)
      tokens[index] = runtime.issue(qd)
    }
  })
})
console.log(`waitAny over 10,000 costs ${(any[2] / any[0]).toFixed(2)} times what it costs over 10`)

{
  const { runtime, qd } = machine()
  const tokens: QueueToken[] = Array.from({ length: 10_000 }, () => runtime.issue(qd))
  measure(
    'the same with a new array of 10,000 each time',
    (operations) => {
      for (let i = 0; i < operations; i++) {
        runtime.completePush(tokens[i], 64)
        const { index } = runtime.waitAny([...tokens])
        tokens[index] = runtime.issue(qd)
      }
    },
    20,
  )
}

{
  const { runtime, qd } = machine()
  let best = Infinity
  for (let trial = 0; trial < TRIALS; trial++) {
    const start = performance.now()
    for (let i = 0; i < OPERATIONS; i++) {
      const token = runtime.issue(qd)
      const promise = runtime.completion(token)
      runtime.completePush(token, 64)
      await promise
    }
    best = Math.min(best, ((performance.now() - start) * 1e6) / OPERATIONS)
  }
  console.log(`${'issue, completion, complete, await'.padEnd(52)} ${best.toFixed(1).padStart(8)} ns`)
}
