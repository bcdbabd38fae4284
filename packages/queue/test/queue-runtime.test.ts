import { createPlainWindow, DebugFramePool, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { describe, expect, it } from 'vitest'
import {
  createQueueRuntime,
  type QueueDescriptor,
  type QueueRuntime,
  type QueueToken,
  sgaFromText,
} from '../src/index.ts'

function machine(tokens?: number) {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const runtime = createQueueRuntime(loop, tokens === undefined ? {} : { tokens })
  const cancelled: QueueToken[] = []
  const qd = runtime.open({ cancel: (_qd, token) => cancelled.push(token) })
  return { loop, runtime, qd, cancelled }
}

function later(runtime: QueueRuntime, token: QueueToken, time: number): void {
  runtime.loop.timers.at(time, () => runtime.completePush(token, time))
}

describe('tokens', () => {
  it('are redeemed exactly once', () => {
    const { runtime, qd } = machine()
    const token = runtime.issue(qd)
    expect(token).toBeGreaterThan(0)
    expect(runtime.isPending(token)).toBe(true)
    runtime.completePush(token, 5)
    expect(runtime.isPending(token)).toBe(false)
    expect(runtime.outstanding).toBe(1)
    expect(runtime.wait(token)).toEqual({ kind: 'push', qd, token, bytes: 5 })
    expect(runtime.outstanding).toBe(0)
    expect(() => runtime.wait(token)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => runtime.completion(token)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => runtime.waitAny([token])).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(runtime.cancel(token)).toBe(false)
  })

  it('are bounded by the table, completed ones included', () => {
    const { runtime, qd } = machine(4)
    const tokens = [1, 2, 3, 4].map(() => runtime.issue(qd))
    for (const token of tokens) runtime.completePush(token, 1)
    expect(() => runtime.issue(qd)).toThrow(expect.objectContaining({ code: 'ENOBUFS' }))
    runtime.wait(tokens[2])
    const fresh = runtime.issue(qd)
    expect(tokens).not.toContain(fresh)
    expect(() => runtime.wait(tokens[2])).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(runtime.isPending(fresh)).toBe(true)
  })

  it('stay positive small integers through every generation of a row', () => {
    const { runtime, qd } = machine(1)
    const seen = new Set<number>()
    for (let i = 0; i < 32_767; i++) {
      const token = runtime.issue(qd)
      expect(token > 0 && token <= 0x7fff_ffff).toBe(true)
      seen.add(token)
      runtime.completePush(token, 0)
      runtime.wait(token)
    }
    expect(seen.size).toBe(32_767)
  })

  it('that are completed after their end are counted, and their arrays freed', () => {
    const { runtime, qd } = machine()
    const pool = new DebugFramePool(createPlainWindow(4))
    const token = runtime.issue(qd)
    runtime.cancel(token)
    runtime.completePop(token, sgaFromText(pool, 'late'), undefined)
    expect(runtime.strays).toBe(1)
    expect(pool.available).toBe(4)
    expect(runtime.wait(token)).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
  })
})

describe('waiting', () => {
  it('runs the loop until the token completes, and times out at the deadline', () => {
    const { runtime, qd, loop } = machine()
    const token = runtime.issue(qd)
    later(runtime, token, 1000)
    expect(() => runtime.wait(token, 999)).toThrow(expect.objectContaining({ code: 'ETIMEDOUT' }))
    expect(loop.clock.now()).toBe(999)
    expect(runtime.wait(token, 1)).toMatchObject({ kind: 'push', bytes: 1000 })
  })

  it('returns a completed token at a timeout of 0', () => {
    const { runtime, qd } = machine()
    const token = runtime.issue(qd)
    runtime.completeConnect(token)
    expect(runtime.wait(token, 0).kind).toBe('connect')
  })

  it('says so when nothing can ever complete the token', () => {
    const { runtime, qd } = machine()
    expect(() => runtime.wait(runtime.issue(qd))).toThrow(expect.objectContaining({ code: 'ETIMEDOUT' }))
    expect(runtime.waitNext()).toBeUndefined()
  })

  it('refuses to nest in a round', () => {
    const { runtime, qd, loop } = machine()
    const token = runtime.issue(qd)
    const errors: unknown[] = []
    loop.defer(() => {
      try {
        runtime.wait(token)
      } catch (error) {
        errors.push(error)
      }
    })
    loop.runOnce()
    expect(errors).toEqual([expect.objectContaining({ code: 'EBUSY' })])
  })

  it('waitNext returns completions in the order in which they happened, but none that has a promise', async () => {
    const { runtime, qd } = machine()
    const [a, b, c] = [runtime.issue(qd), runtime.issue(qd), runtime.issue(qd)]
    const promise = runtime.completion(b)
    later(runtime, c, 10)
    later(runtime, b, 20)
    later(runtime, a, 30)
    expect(runtime.waitNext()).toMatchObject({ token: c })
    expect(runtime.waitNext()).toMatchObject({ token: a })
    expect(await promise).toMatchObject({ token: b, bytes: 20 })
    expect(runtime.waitNext(100)).toBeUndefined()
    expect(() => runtime.wait(b)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })

  it('waitNext in a task leaves what a wait is under way for', () => {
    const { runtime, qd, loop } = machine()
    const [a, b] = [runtime.issue(qd), runtime.issue(qd)]
    const other = runtime.issue(qd)
    runtime.completePush(other, 9)
    loop.timers.at(10, () => {
      runtime.completePush(a, 1)
      expect(runtime.waitNext()).toMatchObject({ token: other })
    })
    expect(runtime.wait(a)).toMatchObject({ token: a })
    const third = runtime.issue(qd)
    runtime.completePush(third, 9)
    loop.timers.at(20, () => {
      runtime.completePush(b, 1)
      expect(runtime.waitNext()).toMatchObject({ token: third })
    })
    expect(runtime.waitAny([b])).toMatchObject({ completion: { token: b } })
  })

  it('refuses a token that a promise waits for', () => {
    const { runtime, qd } = machine()
    const token = runtime.issue(qd)
    void runtime.completion(token)
    expect(() => runtime.completion(token)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => runtime.wait(token)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => runtime.waitAny([token])).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })

  it('refuses a synchronous wait for what only Node can complete', async () => {
    const { runtime } = machine()
    const qd = runtime.open({ cancel() {}, needsNodeLoop: true })
    const token = runtime.issue(qd)
    for (const wait of [() => runtime.wait(token), () => runtime.waitAny([token]), () => runtime.waitNext()]) {
      expect(wait).toThrow(expect.objectContaining({ code: 'ENOTSUP', remedy: expect.stringContaining('await') }))
    }
    expect(runtime.waitNext(0)).toBeUndefined()
    setImmediate(() => runtime.completePush(token, 3))
    expect(await runtime.completion(token)).toMatchObject({ bytes: 3 })
  })
})

describe('waitAny', () => {
  it('returns the first to complete, whatever its place', () => {
    const { runtime, qd } = machine()
    const tokens = [0, 1, 2].map(() => runtime.issue(qd))
    later(runtime, tokens[1], 5)
    later(runtime, tokens[0], 7)
    expect(runtime.waitAny(tokens)).toMatchObject({ index: 1, completion: { token: tokens[1] } })
    tokens[1] = runtime.issue(qd)
    expect(runtime.waitAny(tokens)).toMatchObject({ index: 0, completion: { token: tokens[0] } })
    expect(() => runtime.waitAny(tokens, 10)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })

  it('sees tokens that were put into the list without a word', () => {
    const { runtime, qd } = machine()
    const tokens = [0, 1, 2, 3].map(() => runtime.issue(qd))
    runtime.completePush(tokens[0], 1)
    expect(runtime.waitAny(tokens).index).toBe(0)
    const [x, y] = [runtime.issue(qd), runtime.issue(qd)]
    tokens[0] = x
    tokens[3] = y
    later(runtime, y, 50)
    expect(runtime.waitAny(tokens)).toMatchObject({ index: 3, completion: { token: y } })
  })

  it('sees tokens that completed before they were put into the list', () => {
    const { runtime, qd } = machine()
    const tokens = [0, 1, 2].map(() => runtime.issue(qd))
    runtime.completePush(tokens[2], 1)
    expect(runtime.waitAny(tokens).index).toBe(2)
    const early = runtime.issue(qd)
    runtime.completePush(early, 2)
    const stranger = runtime.issue(qd)
    runtime.completePush(stranger, 3)
    tokens[2] = early
    expect(runtime.waitAny(tokens)).toMatchObject({ index: 2, completion: { token: early } })
    expect(runtime.wait(stranger)).toMatchObject({ bytes: 3 })
  })

  it('leaves what it did not return to other waits', () => {
    const { runtime, qd } = machine()
    const tokens = [0, 1, 2].map(() => runtime.issue(qd))
    for (const token of tokens) runtime.completePush(token, 1)
    expect(runtime.waitAny(tokens).index).toBe(0)
    expect(runtime.wait(tokens[1])).toMatchObject({ token: tokens[1] })
    expect(runtime.waitNext()).toMatchObject({ token: tokens[2] })
  })

  it('stands it when a task redeems its tokens while it waits', () => {
    const { runtime, qd, loop } = machine()
    const tokens = [0, 1, 2].map(() => runtime.issue(qd))
    loop.timers.at(10, () => {
      runtime.completePush(tokens[1], 1)
      expect(runtime.wait(tokens[1])).toMatchObject({ bytes: 1 })
      tokens[1] = runtime.issue(qd)
      runtime.completePush(tokens[1], 2)
    })
    expect(runtime.waitAny(tokens)).toMatchObject({ index: 1, completion: { bytes: 2 } })
  })

  it('refuses an empty list and times out', () => {
    const { runtime, qd } = machine()
    expect(() => runtime.waitAny([])).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => runtime.waitAny([runtime.issue(qd)], 5)).toThrow(expect.objectContaining({ code: 'ETIMEDOUT' }))
  })
})

describe('close and cancel', () => {
  it('close fails every pending token once, and leaves completed ones to be redeemed', () => {
    const { runtime, qd } = machine()
    const [done, pending] = [runtime.issue(qd), runtime.issue(qd)]
    runtime.completePush(done, 1)
    runtime.close(qd)
    expect(runtime.wait(pending)).toMatchObject({ kind: 'failed', code: 'ECANCELED', qd })
    expect(runtime.wait(done)).toMatchObject({ kind: 'push' })
    expect(() => runtime.close(qd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(() => runtime.issue(qd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  it('cancel tells the owner, and ends only what is pending', () => {
    const { runtime, qd, cancelled } = machine()
    const token = runtime.issue(qd)
    expect(runtime.cancel(token)).toBe(true)
    expect(cancelled).toEqual([token])
    expect(runtime.cancel(token)).toBe(false)
    expect(runtime.wait(token)).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
  })

  it('descriptors go round, and run out with EMFILE', () => {
    const runtime = createQueueRuntime(new RunLoop({ clock: new VirtualClock() }), { descriptors: 3 })
    const owner = { cancel() {} }
    const first = runtime.open(owner)
    runtime.close(first)
    const qds: QueueDescriptor[] = [runtime.open(owner), runtime.open(owner), runtime.open(owner)]
    expect(qds[0]).not.toBe(first)
    expect(new Set(qds).size).toBe(3)
    expect(() => runtime.open(owner)).toThrow(expect.objectContaining({ code: 'EMFILE' }))
  })
})
