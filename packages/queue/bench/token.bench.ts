// What a token costs: issue, complete and redeem, by each of the waits.
import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { createQueueRuntime, type QueueToken } from '../src/index.ts'

const OPERATIONS = 20_000
const TRIALS = 60

function machine() {
  const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }))
  return { runtime, qd: runtime.open({ cancel: () => {} }) }
}

function waitOne(): number {
  const { runtime, qd } = machine()
  return bestNanoseconds(
    OPERATIONS,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        const token = runtime.issue(qd)
        runtime.completePush(token, 64)
        runtime.wait(token)
      }
    },
    TRIALS,
  )
}

function waitNext(): number {
  const { runtime, qd } = machine()
  return bestNanoseconds(
    OPERATIONS,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        runtime.completePush(runtime.issue(qd), 64)
        runtime.waitNext()
      }
    },
    TRIALS,
  )
}

function waitAnyOver(count: number): number {
  const { runtime, qd } = machine()
  const tokens: QueueToken[] = Array.from({ length: count }, () => runtime.issue(qd))
  let at = 0
  return bestNanoseconds(
    OPERATIONS,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        at = (at + 7) % count
        runtime.completePush(tokens[at], 64)
        const { index } = runtime.waitAny(tokens)
        tokens[index] = runtime.issue(qd)
      }
    },
    TRIALS,
  )
}

/** The list is another array each time, so that nothing is known about it. */
function waitAnyOverNewArrays(): number {
  const { runtime, qd } = machine()
  const tokens: QueueToken[] = Array.from({ length: 10_000 }, () => runtime.issue(qd))
  return bestNanoseconds(
    20,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        runtime.completePush(tokens[i], 64)
        const { index } = runtime.waitAny([...tokens])
        tokens[index] = runtime.issue(qd)
      }
    },
    TRIALS,
  )
}

async function awaited(): Promise<number> {
  const { runtime, qd } = machine()
  let best = Number.POSITIVE_INFINITY
  for (let trial = 0; trial < TRIALS; trial++) {
    const start = performance.now()
    for (let i = 0; i < OPERATIONS; i++) {
      const token = runtime.issue(qd)
      const promise = runtime.completion(token)
      runtime.completePush(token, 64)
      await promise
    }
    best = Math.min(best, performance.now() - start)
  }
  return (best * 1e6) / OPERATIONS
}

await benchCases(
  import.meta,
  { title: 'queue tokens', unit: 'ns', better: 'less', baseline: 'issue, complete, wait' },
  {
    'issue, complete, wait': waitOne,
    'issue, complete, waitNext': waitNext,
    'complete one of 10, waitAny over all, issue': () => waitAnyOver(10),
    'complete one of 100, waitAny over all, issue': () => waitAnyOver(100),
    'complete one of 10000, waitAny over all, issue': () => waitAnyOver(10_000),
    'the same over 10000 in a new array each time': waitAnyOverNewArrays,
    'issue, completion, complete, await': awaited,
  },
)
