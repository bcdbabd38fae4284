import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Completion, CompletionQueue, createQueueRuntime, type QueueToken } from '../src/index.ts'

function setup() {
  const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }))
  return { runtime, qd: runtime.open({ cancel: () => {} }), completions: new CompletionQueue(runtime) }
}

const bytesOf = (completion: Completion | undefined) => (completion?.kind === 'push' ? completion.bytes : undefined)

describe('a completion queue', () => {
  it('gives what is complete, then what completes, and ends when nothing is outstanding', async () => {
    const { runtime, qd, completions } = setup()
    const tokens = [runtime.issue(qd), runtime.issue(qd), runtime.issue(qd)]
    runtime.completePush(tokens[1], 1)
    completions.add(...tokens)
    expect(completions.outstanding).toBe(3)
    expect(bytesOf(await completions.next())).toBe(1)
    const next = completions.next()
    runtime.completePush(tokens[2], 2)
    runtime.completePush(tokens[0], 3)
    expect(bytesOf(await next)).toBe(2)
    expect(bytesOf(await completions.next())).toBe(3)
    expect(await completions.next()).toBeUndefined()
    expect(completions.outstanding).toBe(0)
    expect(runtime.outstanding).toBe(0)
  })

  it('is iterated, with tokens that are added on the way', async () => {
    const { runtime, qd, completions } = setup()
    const issue = (bytes: number) => {
      const token = runtime.issue(qd)
      completions.add(token)
      queueMicrotask(() => runtime.completePush(token, bytes))
    }
    issue(0)
    const heard: (number | undefined)[] = []
    for await (const done of completions) {
      heard.push(bytesOf(done))
      if (heard.length < 5) issue(heard.length)
    }
    expect(heard).toEqual([0, 1, 2, 3, 4])
  })

  it('takes the tokens over, and nothing that it cannot have', async () => {
    const { runtime, qd, completions } = setup()
    const token = runtime.issue(qd)
    completions.add(token)
    const invalid = expect.objectContaining({ code: 'EINVAL' })
    expect(() => completions.add(token)).toThrow(invalid)
    expect(() => runtime.wait(token)).toThrow(invalid)
    expect(completions.outstanding).toBe(1)
    runtime.completePush(token, 1)
    await completions.next()
    expect(() => completions.add(token)).toThrow(invalid)
    expect(completions.outstanding).toBe(0)
  })

  it('has one waiter', async () => {
    const { runtime, qd, completions } = setup()
    const token = runtime.issue(qd)
    completions.add(token)
    const first = completions.next()
    await expect(completions.next()).rejects.toMatchObject({ code: 'EBUSY' })
    runtime.completePush(token, 9)
    expect(bytesOf(await first)).toBe(9)
  })

  it('hears of cancels and of the closing of a queue', async () => {
    const { runtime, qd, completions } = setup()
    const other = runtime.open({ cancel: () => {} })
    completions.add(runtime.issue(qd), runtime.issue(other))
    runtime.close(other)
    completions.cancel()
    const codes: string[] = []
    for await (const done of completions) codes.push(done.kind === 'failed' ? `${done.qd} ${done.code}` : done.kind)
    expect(codes).toEqual([`${other} ECANCELED`, `${qd} ECANCELED`])
  })

  it('gives each completion once and in order, whatever the order of adding, completing and taking', async () => {
    const step = fc.constantFrom<'issue' | 'add' | 'complete' | 'take'>('issue', 'add', 'complete', 'take')
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 200 }), fc.nat(), async (steps, seed) => {
        const { runtime, qd, completions } = setup()
        const idle: QueueToken[] = []
        const added: QueueToken[] = []
        const happened: QueueToken[] = []
        const taken: QueueToken[] = []
        let at = seed
        const some = (list: QueueToken[]) => list.splice(at++ % list.length, 1)[0]
        for (const one of steps) {
          if (one === 'issue') idle.push(runtime.issue(qd))
          else if (one === 'add' && idle.length > 0) {
            const token = some(idle)
            added.push(token)
            completions.add(token)
          } else if (one === 'complete' && added.length > 0) {
            const token = some(added)
            happened.push(token)
            runtime.completePush(token, 1)
          } else if (one === 'take' && happened.length > taken.length) {
            taken.push((await completions.next())?.token as QueueToken)
          }
        }
        expect(completions.outstanding).toBe(added.length + happened.length - taken.length)
        for (const token of added.splice(0)) {
          happened.push(token)
          runtime.completePush(token, 1)
        }
        for await (const { token } of completions) taken.push(token)
        expect(taken).toEqual(happened)
      }),
    )
  })
})
