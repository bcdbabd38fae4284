import { createPlainWindow, FramePool, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { describe, expect, it } from 'vitest'
import { createQueueRuntime, Pdpix, type QueueToken, sgaFromText } from '../src/index.ts'

const BATCH = 1000

/** Bytes an operation, the least of several small runs: a collection between the two readings would spoil one of them. */
function bytesEach(operations: number, body: () => void): number {
  let least = Infinity
  for (let i = 0; i < 10; i++) {
    globalThis.gc?.()
    const before = process.memoryUsage().heapUsed
    body()
    const bytes = process.memoryUsage().heapUsed - before
    if (bytes >= 0) least = Math.min(least, bytes / operations)
  }
  return least
}

const times = (count: number, step: () => void) => {
  for (let i = 0; i < count; i++) step()
}

describe('a token allocates', () => {
  const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }))
  const qd = runtime.open({ cancel: () => {} })

  const waits = {
    wait: (token: QueueToken) => runtime.wait(token),
    waitNext: () => runtime.waitNext(),
  }
  for (const [name, wait] of Object.entries(waits)) {
    it(`its completion object, 56 bytes, and nothing else from issue to ${name}`, () => {
      const life = () => {
        for (let i = 0; i < BATCH; i++) {
          const token = runtime.issue(qd)
          runtime.completePush(token, i)
          wait(token)
        }
      }
      times(1000, life)
      const bytes = bytesEach(5 * BATCH, () => times(5, life))
      console.log(`issue, complete, ${name}: ${bytes.toFixed(1)} bytes`)
      expect(bytes).toBeLessThan(60)
    })
  }

  it('nothing when it is issued', () => {
    const tokens: QueueToken[] = new Array(BATCH).fill(0)
    const issue = () => {
      for (let i = 0; i < BATCH; i++) tokens[i] = runtime.issue(qd)
    }
    const before = runtime.outstanding
    // Six batches for each of ten readings fit into the table of 65,536 tokens.
    const bytes = bytesEach(6 * BATCH, () => times(6, issue))
    expect(runtime.outstanding - before).toBe(60 * BATCH)
    expect(bytes).toBeLessThan(1)
    runtime.close(qd)
    while (runtime.waitNext(0) !== undefined);
    expect(runtime.outstanding).toBe(0)
  })
})

describe('an element that goes through a memory queue allocates', () => {
  it('two completions, the handle that is popped, and its place in the queue', () => {
    const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }))
    const pool = new FramePool(createPlainWindow(16))
    const pdpix = new Pdpix({ runtime, pool })
    const queue = pdpix.queue()
    const sga = sgaFromText(pool, 'an element')
    const life = () => {
      for (let i = 0; i < BATCH; i++) {
        pdpix.wait(pdpix.push(queue, sga))
        const popped = pdpix.wait(pdpix.pop(queue))
        if (popped.kind === 'pop') popped.sga.free()
      }
    }
    times(300, life)
    const bytes = bytesEach(2 * BATCH, () => times(2, life))
    console.log(`push, wait, pop, wait: ${bytes.toFixed(1)} bytes`)
    // 56 for a push, 64 for a pop, 56 for the handle and 40 for the place.
    expect(bytes).toBeLessThan(232)
  })
})
