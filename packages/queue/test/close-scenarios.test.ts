import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { describe, expect, it } from 'vitest'
import { createQueueRuntime, type QueueToken } from '../src/index.ts'

/** Time that the toy needs for a push, and for an orderly close, as a TCP queue needs round trips. */
const PUSH_TIME = 10_000
const CLOSE_TIME = 1_000

/** A queue whose pops never find anything and whose pushes and closes take their time. */
function toyQueue() {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const runtime = createQueueRuntime(loop)
  const qd = runtime.open({ cancel: () => {} })
  const after = (time: number, task: () => void) => loop.timers.at(loop.clock.now() + time, task)
  return {
    runtime,
    qd,
    push(): QueueToken {
      const token = runtime.issue(qd)
      after(PUSH_TIME, () => {
        if (runtime.isPending(token)) runtime.completePush(token, 1)
      })
      return token
    },
    pop: (): QueueToken => runtime.issue(qd),
    asyncClose(): QueueToken {
      const token = runtime.issue(qd)
      after(CLOSE_TIME, () => {
        runtime.completeClose(token)
        runtime.close(qd)
      })
      return token
    },
  }
}

const cancelled = { kind: 'failed', code: 'ECANCELED' }

describe.each(['push', 'pop'] as const)('waiting for a %s', (operation) => {
  it('after close', () => {
    const queue = toyQueue()
    const token = queue[operation]()
    queue.runtime.close(queue.qd)
    expect(queue.runtime.wait(token)).toMatchObject({ ...cancelled, token })
    expect(queue.runtime.outstanding).toBe(0)
  })

  it('after an orderly close that was waited for', () => {
    const queue = toyQueue()
    const token = queue[operation]()
    const close = queue.asyncClose()
    expect(queue.runtime.wait(close)).toMatchObject({ kind: 'close', token: close })
    expect(queue.runtime.wait(token)).toMatchObject({ ...cancelled, token })
    expect(queue.runtime.outstanding).toBe(0)
  })

  it('while an orderly close is pending', () => {
    const queue = toyQueue()
    const token = queue[operation]()
    const close = queue.asyncClose()
    expect(queue.runtime.wait(token)).toMatchObject({ ...cancelled, token })
    expect(queue.runtime.wait(close)).toMatchObject({ kind: 'close', token: close })
    expect(queue.runtime.outstanding).toBe(0)
  })
})
