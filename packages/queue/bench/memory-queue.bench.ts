// What an element costs that goes through a memory queue: pushed, popped, and both completions redeemed; directly and through Pdpix.
import { createPlainWindow, FramePool, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { createQueueRuntime, Pdpix, type ScatterGatherArray, sgaFromText } from '../src/index.ts'

const OPERATIONS = 20_000
const TRIALS = 60

function machine() {
  const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }))
  const pool = new FramePool(createPlainWindow(16))
  const pdpix = new Pdpix({ runtime, pool })
  return { runtime, pdpix, algebra: pdpix.algebra, queue: pdpix.queue(), sga: sgaFromText(pool, 'an element') }
}

function throughAlgebra(): number {
  const { runtime, algebra, queue, sga } = machine()
  return bestNanoseconds(
    OPERATIONS,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        runtime.wait(algebra.push(queue, sga))
        free(runtime.wait(algebra.pop(queue)))
      }
    },
    TRIALS,
  )
}

function throughPdpix(): number {
  const { pdpix, queue, sga } = machine()
  return bestNanoseconds(
    OPERATIONS,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        pdpix.wait(pdpix.push(queue, sga))
        free(pdpix.wait(pdpix.pop(queue)))
      }
    },
    TRIALS,
  )
}

/** The pop is there first, so that the element never lies in the queue. */
function popFirst(): number {
  const { runtime, algebra, queue, sga } = machine()
  return bestNanoseconds(
    OPERATIONS,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        const pop = algebra.pop(queue)
        runtime.wait(algebra.push(queue, sga))
        free(runtime.wait(pop))
      }
    },
    TRIALS,
  )
}

function free(completion: { readonly kind: string; readonly sga?: ScatterGatherArray }): void {
  completion.sga?.free()
}

await benchCases(
  import.meta,
  { title: 'a memory queue', unit: 'ns', better: 'less', baseline: 'push, wait, pop, wait' },
  {
    'push, wait, pop, wait': throughAlgebra,
    'the same through Pdpix': throughPdpix,
    'pop, push, wait, wait': popFirst,
  },
)
