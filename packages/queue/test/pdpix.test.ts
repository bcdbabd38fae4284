import { assertNoLeaks, createPlainWindow, DebugFramePool, expr, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { describe, expect, test } from 'vitest'
import { createQueueRuntime, Pdpix, type QueueDescriptor, type QueueToken, sgaFromText } from '../src/index.ts'

function machine(options?: Parameters<typeof createQueueRuntime>[1]) {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const runtime = createQueueRuntime(loop, options)
  const pool = new DebugFramePool(createPlainWindow(256, { frameSize: 512 }))
  const pdpix = new Pdpix({ runtime, pool })
  const push = (qd: QueueDescriptor, text: string) => {
    const sga = sgaFromText(pool, text)
    const token = pdpix.push(qd, sga)
    pdpix.sgaFree(sga)
    return token
  }
  const pop = (token: QueueToken) => {
    const completion = pdpix.wait(token)
    if (completion.kind !== 'pop') throw new Error(`a ${completion.kind}`)
    const text = new TextDecoder().decode(completion.sga.toBytes())
    completion.sga.free()
    return text
  }
  return { loop, runtime, pool, pdpix, push, pop }
}

const code = (value: string) => expect.objectContaining({ code: value })

describe('Pdpix', () => {
  test('pushes, pops and closes every queue by its descriptor', () => {
    const { pdpix, pool, runtime, push, pop } = machine()
    const queue = pdpix.queue()
    const sevens = pdpix.filter(queue, expr.eq(expr.load('payload', 0, 1), 0x37))
    for (const text of ['1', '7a', '2', '7b']) pdpix.wait(push(queue, text))
    expect([pop(pdpix.pop(sevens)), pop(pdpix.pop(queue)), pop(pdpix.pop(sevens))]).toEqual(['7a', '1', '7b'])
    const waiting = pdpix.pop(sevens)
    const closed = pdpix.asyncClose(sevens)
    expect(pdpix.waitAll([waiting, closed])).toMatchObject([
      { kind: 'failed', code: 'ECANCELED' },
      { kind: 'close', qd: sevens },
    ])
    expect(pop(pdpix.pop(queue))).toBe('2')
    pdpix.close(queue)
    for (const call of [() => pdpix.pop(queue), () => pdpix.close(queue), () => pdpix.getsockname(queue)]) {
      expect(call).toThrow(code('EBADF'))
    }
    expect(runtime.outstanding).toBe(0)
    assertNoLeaks(pool)
  })

  test('says which libOS is missing, or is another', () => {
    const { pdpix } = machine()
    const queue = pdpix.queue()
    expect(() => pdpix.socket('stream')).toThrow(/no network libOS/)
    expect(() => pdpix.open('/x')).toThrow(/no storage libOS/)
    expect(() => pdpix.creat('/x')).toThrow(/no storage libOS/)
    expect(() => pdpix.bind(queue, { address: '0.0.0.0', port: 0 })).toThrow(/libOS algebra, and no socket/)
    expect(() => pdpix.seek(queue, 0)).toThrow(/libOS algebra, and no file/)
    expect(pdpix.explain(queue)).toMatchObject([{ operation: 'queue' }])
  })

  test('blocking calls leave no token behind, whatever happens', () => {
    const { loop, pdpix, pool, runtime, push } = machine()
    const queue = pdpix.queue(1)
    expect(() => pdpix.blockingPop(queue, 1000)).toThrow(code('ETIMEDOUT'))
    expect(runtime.outstanding).toBe(0)
    const sga = sgaFromText(pool, 'x')
    expect(pdpix.blockingPush(queue, sga)).toMatchObject({ kind: 'push', bytes: 1 })
    expect(() => pdpix.blockingPush(queue, sga, 1000)).toThrow(code('ETIMEDOUT'))
    let inside: unknown
    loop.defer(() => {
      try {
        pdpix.blockingPush(queue, sga)
      } catch (error) {
        inside = error
      }
    })
    loop.runOnce()
    expect(inside).toEqual(code('EBUSY'))
    sga.free()
    const popped = pdpix.blockingPop(queue)
    if (popped.kind === 'pop') popped.sga.free()
    loop.timers.at(loop.clock.now() + 500, () => push(queue, 'later'))
    const later = pdpix.blockingPop(queue, 1000)
    expect(later).toMatchObject({ kind: 'pop' })
    if (later.kind === 'pop') later.sga.free()
    expect(pdpix.waitNext()).toMatchObject({ kind: 'push' })
    expect(runtime.outstanding).toBe(0)
    pdpix.close(queue)
    assertNoLeaks(pool)
  })

  test('a socket that its libOS closes takes what stands above it along, and its number is free', () => {
    const { pdpix, pool, runtime } = machine({ descriptors: 3 })
    const libos = {
      name: 'toy',
      pool,
      push: (qd: QueueDescriptor) => runtime.issue(qd),
      pop: (qd: QueueDescriptor) => runtime.issue(qd),
      close: (qd: QueueDescriptor) => runtime.close(qd),
      asyncClose: (qd: QueueDescriptor) => runtime.issue(qd),
    }
    const open = () => runtime.open({ cancel: () => {} }, libos)
    for (let i = 0; i < 10; i++) {
      const socket = open()
      const above = pdpix.filter(socket, expr.always)
      const waiting = pdpix.pop(above)
      pdpix.close(socket)
      expect(pdpix.wait(waiting)).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
      pdpix.close(above)
    }
    expect(runtime.outstanding).toBe(0)
  })
})

describe('waitAll', () => {
  test('gives every completion in the order of the list, and nothing when time is over', () => {
    const { loop, pdpix, runtime } = machine()
    const qd = runtime.open({ cancel: () => {} })
    const tokens = Array.from({ length: 5 }, () => runtime.issue(qd))
    for (const [i, token] of tokens.entries()) {
      loop.timers.at(loop.clock.now() + (5 - i) * 100, () => runtime.completePush(token, i))
    }
    expect(() => pdpix.waitAll(tokens, 350)).toThrow(code('ETIMEDOUT'))
    expect([runtime.outstanding, runtime.unredeemed]).toEqual([5, 3])
    expect(pdpix.waitAll(tokens)).toMatchObject(tokens.map((token, bytes) => ({ kind: 'push', token, bytes })))
    expect(pdpix.waitAll([])).toEqual([])
    expect(runtime.outstanding).toBe(0)
  })

  test('refuses what it cannot wait for, and redeems nothing then', () => {
    const { loop, runtime } = machine()
    const qd = runtime.open({ cancel: () => {} })
    const [one, two] = [runtime.issue(qd), runtime.issue(qd)]
    runtime.completePush(one, 1)
    expect(() => runtime.waitAll([one, one])).toThrow(/twice/)
    expect(() => runtime.waitAll([one, 0 as QueueToken])).toThrow(code('EINVAL'))
    loop.defer(() => {
      runtime.completePush(two, 2)
      expect(runtime.waitNext(0)).toMatchObject({ token: one })
    })
    expect(() => runtime.waitAll([one, two])).toThrow(code('EINVAL'))
    expect(runtime.wait(two, 0)).toMatchObject({ bytes: 2 })
  })
})

describe('completions that nobody redeems', () => {
  test('are bounded: further operations are refused and counted, until some are redeemed', () => {
    const { runtime } = machine({ tokens: 64, completions: 4 })
    const qd = runtime.open({ cancel: () => {} })
    const pending = Array.from({ length: 8 }, () => runtime.issue(qd))
    for (const token of pending.slice(0, 4)) runtime.completePush(token, 0)
    expect(() => runtime.issue(qd)).toThrow(code('ENOBUFS'))
    expect([runtime.refused, runtime.unredeemed]).toEqual([1, 4])
    // What is under way completes all the same: nothing is lost.
    runtime.completePush(pending[4], 0)
    runtime.waitNext()
    expect(() => runtime.issue(qd)).toThrow(code('ENOBUFS'))
    runtime.waitNext()
    pending.push(runtime.issue(qd))
    expect(runtime.refused).toBe(2)
    runtime.close(qd)
    while (runtime.waitNext(0) !== undefined);
    expect([runtime.outstanding, runtime.unredeemed]).toEqual([0, 0])
  })

  test('do not end what stands above a socket: it goes on when there are tokens again', () => {
    const { pdpix, pool, runtime, loop, push, pop } = machine({ completions: 2 })
    const [from, to] = [pdpix.queue(), pdpix.queue()]
    const idle = runtime.open({ cancel: () => {} })
    pdpix.wait(push(from, 'through'))
    const pipe = pdpix.qconnect(from, to)
    for (const token of [runtime.issue(idle), runtime.issue(idle)]) runtime.completePush(token, 0)
    for (let i = 0; i < 5; i++) loop.runOnce()
    expect(runtime.refused).toBeGreaterThan(0)
    while (runtime.waitNext(0) !== undefined);
    expect(pop(pdpix.pop(to))).toBe('through')
    for (const queue of [pipe, from, to]) pdpix.close(queue)
    while (runtime.waitNext(0) !== undefined);
    assertNoLeaks(pool)
  })

  test('cannot be bounded by more than there are tokens', () => {
    expect(() => machine({ tokens: 8, completions: 9 })).toThrow(/9 completions are not between 1 and 8/)
  })
})

describe('fairness', () => {
  test('of 10,000 queues that are all ready, waitAny serves each once before it serves one twice', () => {
    const { runtime } = machine()
    const queues = Array.from({ length: 10_000 }, () => runtime.open({ cancel: () => {} }))
    const tokens = queues.map((qd) => runtime.issue(qd))
    for (const token of tokens) runtime.completePush(token, 0)
    for (let lap = 0; lap < 3; lap++) {
      const served = new Set<number>()
      for (let i = 0; i < queues.length; i++) {
        const { index } = runtime.waitAny(tokens)
        served.add(index)
        // This queue never rests: its next operation has completed at once.
        tokens[index] = runtime.issue(queues[index])
        runtime.completePush(tokens[index], 0)
      }
      expect(served.size).toBe(queues.length)
    }
  })

  test('waitNext serves a quiet queue behind what had completed before, however busy another is', () => {
    const { runtime } = machine()
    const [busy, quiet] = [runtime.open({ cancel: () => {} }), runtime.open({ cancel: () => {} })]
    const more = () => runtime.completePush(runtime.issue(busy), 0)
    for (let i = 0; i < 100; i++) more()
    const token = runtime.issue(quiet)
    runtime.completePush(token, 0)
    let turns = 0
    for (let next = runtime.waitNext(); next?.token !== token; next = runtime.waitNext()) {
      more()
      turns++
    }
    expect(turns).toBe(100)
  })

  test('merge takes turns among sources that always have something', () => {
    const { pdpix, pool, push, pop } = machine()
    const sources = ['a', 'b', 'c'].map((name) => {
      const queue = pdpix.queue()
      for (let i = 0; i < 20; i++) pdpix.wait(push(queue, name))
      return queue
    })
    const merged = pdpix.merge(...sources)
    const seen = Array.from({ length: 30 }, () => pop(pdpix.pop(merged)))
    for (const name of ['a', 'b', 'c']) expect(seen.filter((one) => one === name)).toHaveLength(10)
    for (const queue of [merged, ...sources]) pdpix.close(queue)
    assertNoLeaks(pool)
  })
})
