import { VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Completion,
  createQueueRuntime,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
} from '../src/index.ts'

/** What the model knows of a token that is outstanding. */
interface Token {
  readonly qd: QueueDescriptor
  /** What it must complete with: bytes of a push, or a code; undefined while it is pending. */
  result: number | string | undefined
  promised: boolean
}

const resultOf = (completion: Completion): number | string =>
  completion.kind === 'push' ? completion.bytes : completion.kind === 'failed' ? completion.code : completion.kind

const COMPLETIONS = 14

/** The runtime under test beside a model of it; every redemption is checked against the model. */
class Harness {
  readonly clock = new VirtualClock()
  readonly loop = new RunLoop({ clock: this.clock })
  readonly runtime: QueueRuntime = createQueueRuntime(this.loop, {
    tokens: 24,
    completions: COMPLETIONS,
    descriptors: 5,
  })
  readonly queues: QueueDescriptor[] = []
  readonly model = new Map<QueueToken, Token>()
  readonly redeemed = new Set<QueueToken>()
  readonly promises: Promise<void>[] = []
  /** The array that is handed to `waitAny` again and again. */
  readonly list: QueueToken[] = []
  #value = 1

  /** The n-th outstanding token of those that `fits`. */
  pick(n: number, fits: (token: Token) => boolean = () => true): QueueToken | undefined {
    const tokens = [...this.model].filter(([, token]) => fits(token)).map(([token]) => token)
    return tokens.length === 0 ? undefined : tokens[n % tokens.length]
  }

  open(): void {
    if (this.queues.length < 5) this.queues.push(this.runtime.open({ cancel: () => {} }))
    else expect(() => this.runtime.open({ cancel: () => {} })).toThrow(expect.objectContaining({ code: 'EMFILE' }))
  }

  /** @param atOnce a push that has completed when it is issued */
  issue(n: number, atOnce = false): QueueToken | undefined {
    if (this.queues.length === 0) return undefined
    const qd = this.queues[n % this.queues.length]
    const result = atOnce ? this.#value++ : undefined
    const issue = () => (result === undefined ? this.runtime.issue(qd) : this.runtime.issuePushed(qd, result))
    // One with a promise is redeemed when it completes, which the model sees a turn later.
    const done = [...this.model.values()].filter(({ result, promised }) => result !== undefined && !promised).length
    const promisedDone = [...this.model.values()].filter(
      ({ result, promised }) => result !== undefined && promised,
    ).length
    if (this.model.size - promisedDone === 24 || done >= COMPLETIONS) {
      const { refused } = this.runtime
      expect(issue).toThrow(expect.objectContaining({ code: 'ENOBUFS' }))
      expect(this.runtime.refused).toBe(refused + 1)
      return undefined
    }
    const token = issue()
    expect(this.model.has(token)).toBe(false)
    this.model.set(token, { qd, result, promised: false })
    return token
  }

  complete(token: QueueToken): void {
    const entry = this.model.get(token)
    if (entry === undefined || entry.result !== undefined) return
    entry.result = this.#value++
    this.runtime.completePush(token, entry.result)
  }

  completeLater(token: QueueToken, delay: number): void {
    this.loop.timers.at(this.clock.now() + delay, () => this.complete(token))
  }

  fail(token: QueueToken): void {
    const entry = this.model.get(token)
    if (entry === undefined) return
    entry.result = 'EIO'
    this.runtime.fail(token, 'EIO', 'as the test says')
  }

  cancel(token: QueueToken): void {
    const entry = this.model.get(token)
    const pending = entry !== undefined && entry.result === undefined
    if (pending) entry.result = 'ECANCELED'
    expect(this.runtime.cancel(token)).toBe(pending)
  }

  close(n: number): void {
    if (this.queues.length === 0) return
    const [qd] = this.queues.splice(n % this.queues.length, 1)
    for (const entry of this.model.values())
      if (entry.qd === qd && entry.result === undefined) entry.result = 'ECANCELED'
    this.runtime.close(qd)
    expect(() => this.runtime.issue(qd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  }

  wait(token: QueueToken, timeout: number): void {
    let completion: Completion
    try {
      completion = this.runtime.wait(token, timeout)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ETIMEDOUT' })
      expect(this.model.get(token)?.result).toBeUndefined()
      return
    }
    expect(completion.token).toBe(token)
    this.redeem(completion)
  }

  waitAny(timeout: number): void {
    const { list } = this
    for (let i = list.length - 1; i >= 0; i--) {
      // Tokens that were redeemed in another way leave the list from any place, unannounced.
      if (!this.model.has(list[i]) || this.model.get(list[i])?.promised) list.splice(i, 1)
    }
    if (list.length === 0) return
    let result: ReturnType<QueueRuntime['waitAny']>
    try {
      result = this.runtime.waitAny(list, timeout)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ETIMEDOUT' })
      for (const token of list) expect(this.model.get(token)?.result).toBeUndefined()
      return
    }
    const { index, completion } = result
    expect(completion.token).toBe(list[index])
    this.redeem(completion)
    const next = this.issue(index)
    if (next !== undefined) list[index] = next
  }

  waitAll(tokens: readonly QueueToken[], timeout: number): void {
    let completions: readonly Completion[]
    try {
      completions = this.runtime.waitAll(tokens, timeout)
    } catch (error) {
      expect(error).toMatchObject({ code: 'ETIMEDOUT' })
      // None is redeemed, and one at least is pending.
      expect(tokens.some((token) => this.model.get(token)?.result === undefined)).toBe(true)
      return
    }
    expect(completions.map(({ token }) => token)).toEqual(tokens)
    for (const completion of completions) this.redeem(completion)
  }

  /** Redeemed by a callback, out of the midst of whatever completes it. */
  notify(token: QueueToken): void {
    const entry = this.model.get(token) as Token
    entry.promised = true
    this.runtime.notify(token, (completion) => {
      // The model may learn of the result behind the call that makes it.
      this.promises.push(Promise.resolve().then(() => this.redeem(completion)))
    })
  }

  waitNext(timeout: number): void {
    const completion = this.runtime.waitNext(timeout)
    if (completion !== undefined) this.redeem(completion)
    else for (const { result, promised } of this.model.values()) expect(promised || result === undefined).toBe(true)
  }

  promise(token: QueueToken): void {
    const entry = this.model.get(token) as Token
    entry.promised = true
    this.promises.push(this.runtime.completion(token).then((completion) => this.redeem(completion)))
  }

  redeem(completion: Completion): void {
    const { token } = completion
    const entry = this.model.get(token)
    expect(entry, 'redeemed twice, or never issued').toBeDefined()
    expect(resultOf(completion)).toBe(entry?.result)
    expect(completion.qd).toBe(entry?.qd)
    this.model.delete(token)
  }

  /** A promise redeems its token when it resolves, which the model sees one turn later. */
  async settle(): Promise<void> {
    await new Promise(setImmediate)
    const waiting = [...this.model.values()].filter(({ promised, result }) => promised && result !== undefined)
    expect(waiting).toEqual([])
    expect(this.runtime.outstanding).toBe(this.model.size)
  }
}

const number = fc.nat(1000)
const delay = fc.integer({ min: 0, max: 50 })
const action = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('open' as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('issue' as const), n: number, list: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('complete' as const), n: number }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('later' as const), n: number, delay }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), n: number }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), n: number }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), n: number }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), n: number, delay }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('waitAny' as const), delay }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('waitNext' as const), delay }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('promise' as const), n: number }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('notify' as const), n: number }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('issueDone' as const), n: number, list: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('waitAll' as const), n: number, count: fc.nat(5), delay }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('swap' as const), n: number, m: number }) },
)

describe('queue runtime', () => {
  it('loses no completion, doubles none and gives none to another token, whatever happens in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 120 }), async (actions) => {
        const h = new Harness()
        h.open()
        const pending = ({ result }: Token) => result === undefined
        const mine = ({ promised }: Token) => !promised
        for (const step of actions) {
          if (step.do === 'open') h.open()
          else if (step.do === 'issue' || step.do === 'issueDone') {
            const token = h.issue(step.n, step.do === 'issueDone')
            if (token !== undefined && step.list) h.list.push(token)
          } else if (step.do === 'close') h.close(step.n)
          else if (step.do === 'waitAny') h.waitAny(step.delay)
          else if (step.do === 'waitNext') h.waitNext(step.delay)
          else if (step.do === 'waitAll') {
            const picked = Array.from({ length: step.count }, (_, i) => h.pick(step.n + 7 * i, mine))
            h.waitAll([...new Set(picked.filter((token) => token !== undefined))], step.delay)
          } else if (step.do === 'swap') {
            // Puts any token of ours anywhere into the list, without a word to the runtime.
            const token = h.pick(step.n, mine)
            if (token !== undefined && !h.list.includes(token)) h.list[step.m % (h.list.length + 1)] = token
          } else {
            const token = h.pick(
              step.n,
              step.do === 'complete' || step.do === 'fail' || step.do === 'later' ? pending : mine,
            )
            if (token === undefined) continue
            if (step.do === 'complete') h.complete(token)
            else if (step.do === 'later') h.completeLater(token, step.delay)
            else if (step.do === 'fail') h.fail(token)
            else if (step.do === 'cancel') h.cancel(token)
            else if (step.do === 'wait') h.wait(token, step.delay)
            else if (step.do === 'notify') h.notify(token)
            else h.promise(token)
          }
          await h.settle()
        }
        while (h.queues.length > 0) h.close(0)
        await h.settle()
        h.list.length = 0
        for (let token = h.pick(0); token !== undefined; token = h.pick(0)) h.wait(token, 0)
        await Promise.all(h.promises)
        expect(h.runtime.outstanding).toBe(0)
        expect(h.runtime.strays).toBe(0)
      }),
      { numRuns: 500 },
    )
  })
})
