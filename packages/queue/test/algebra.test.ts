import { assertNoLeaks, createPlainWindow, DebugFramePool, expr, ParakernelError, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type Completion,
  createQueueRuntime,
  type PushPop,
  QueueAlgebra,
  type QueueDescriptor,
  type QueueLike,
  type QueueToken,
  ScatterGatherArray,
  sgaFromText,
  slice,
} from '../src/index.ts'

function setup(capacity = 256) {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const runtime = createQueueRuntime(loop)
  const pool = new DebugFramePool(createPlainWindow(4096, { frameSize: 512 }))
  const algebra = new QueueAlgebra(runtime, pool, { capacity })
  const open: QueueLike[] = []
  const track = <Queue extends QueueLike>(queue: Queue): Queue => {
    open.push(queue)
    return queue
  }
  onTestFinished(() => {
    for (const queue of open.toReversed()) {
      try {
        algebra.close(queue)
      } catch (error) {
        if (!(error instanceof ParakernelError)) throw error
      }
    }
    for (let next = runtime.waitNext(0); next !== undefined; next = runtime.waitNext(0)) {
      if (next.kind === 'pop') next.sga.free()
    }
    assertNoLeaks(pool)
  })
  const push = (queue: QueueLike, text: string) => {
    const sga = sgaFromText(pool, text)
    const token = algebra.push(queue, sga)
    sga.free()
    return token
  }
  const textOf = (completion: Completion) => {
    if (completion.kind !== 'pop') return `${completion.kind} ${'code' in completion ? completion.code : ''}`.trim()
    const text = new TextDecoder().decode(completion.sga.toBytes())
    completion.sga.free()
    return text
  }
  const wait = (token: QueueToken) => textOf(runtime.wait(token))
  const pop = (queue: QueueLike) => wait(algebra.pop(queue))
  const drain = (queue: QueueLike) => {
    const all: string[] = []
    for (;;) {
      const token = algebra.pop(queue)
      for (let i = 0; i < 8 && runtime.isPending(token); i++) loop.runOnce()
      if (runtime.isPending(token)) {
        runtime.cancel(token)
        runtime.wait(token)
        return all
      }
      all.push(wait(token))
    }
  }
  /** A socket of another libOS: what `give` hands it comes out of its pops, and it keeps what is pushed. */
  const socket = (name = 'net') => {
    const waiting: QueueToken[] = []
    const arrived: string[] = []
    const pushed: string[] = []
    let inRound = false
    const owner = {
      cancel: (_qd: QueueDescriptor, token: QueueToken) => void waiting.splice(waiting.indexOf(token) >>> 0, 1),
    }
    const qd = runtime.open(owner)
    const serve = () => {
      inRound = true
      while (waiting.length > 0 && arrived.length > 0) {
        const text = arrived.shift() as string
        const sga = text === '' ? new ScatterGatherArray(pool, []) : sgaFromText(pool, text)
        runtime.completePop(waiting.shift() as QueueToken, sga, { address: '10.0.0.9', port: 9 })
      }
      inRound = false
    }
    const libos: PushPop = {
      name,
      pool,
      push(_qd, sga) {
        if (inRound) throw new Error('called out of a completion')
        const token = runtime.issue(qd)
        pushed.push(new TextDecoder().decode(sga.toBytes()))
        runtime.completePush(token, sga.byteLength)
        return token
      },
      pop() {
        if (inRound) throw new Error('called out of a completion')
        const token = runtime.issue(qd)
        waiting.push(token)
        loop.defer(serve)
        return token
      },
      close() {},
      asyncClose: () => runtime.issue(qd),
    }
    return {
      queue: { libos, qd },
      pushed,
      get waiting() {
        return waiting.length
      },
      give(...texts: string[]) {
        arrived.push(...texts)
        loop.defer(serve)
      },
    }
  }
  return { algebra, runtime, loop, pool, push, pop, wait, textOf, drain, socket, track }
}

describe('queue', () => {
  test('gives what it was given, in order, without a copy', () => {
    const { algebra, pool, runtime, push, pop, track } = setup()
    const queue = track(algebra.queue())
    for (const text of ['a', 'b', 'c'])
      expect(runtime.wait(push(queue, text))).toMatchObject({ kind: 'push', bytes: 1 })
    expect([pop(queue), pop(queue), pop(queue)]).toEqual(['a', 'b', 'c'])
    const sga = sgaFromText(pool, 'same')
    runtime.wait(algebra.push(queue, sga))
    const popped = runtime.wait(algebra.pop(queue))
    expect(popped.kind === 'pop' && popped.sga.segments).toEqual(sga.segments)
    if (popped.kind === 'pop') popped.sga.free()
    sga.free()
  })

  test('a pop waits, and a full queue holds pushes up', () => {
    const { algebra, runtime, push, pop, wait, track } = setup()
    const queue = track(algebra.queue(2))
    const early = algebra.pop(queue)
    expect(runtime.isPending(early)).toBe(true)
    runtime.wait(push(queue, 'early'))
    expect(wait(early)).toBe('early')
    const pushes = ['a', 'b', 'c', 'd'].map((text) => push(queue, text))
    expect(pushes.map((token) => runtime.isPending(token))).toEqual([false, false, true, true])
    expect(pop(queue)).toBe('a')
    expect(pushes.map((token) => runtime.isPending(token))).toEqual([false, false, false, true])
    expect([pop(queue), pop(queue), pop(queue)]).toEqual(['b', 'c', 'd'])
    for (const token of pushes) expect(runtime.wait(token).kind).toBe('push')
  })

  test('a cancelled pop takes nothing, a cancelled push leaves nothing', () => {
    const { algebra, runtime, push, pop, wait, track } = setup()
    const queue = track(algebra.queue(1))
    const given = algebra.pop(queue)
    expect(runtime.cancel(given)).toBe(true)
    expect(wait(given)).toBe('failed ECANCELED')
    runtime.wait(push(queue, 'a'))
    const late = push(queue, 'b')
    expect(runtime.cancel(late)).toBe(true)
    runtime.wait(late)
    expect(pop(queue)).toBe('a')
    runtime.wait(push(queue, 'c'))
    expect(pop(queue)).toBe('c')
  })

  test('an array of another pool is refused', () => {
    const { algebra, track, wait } = setup()
    const queue = track(algebra.queue())
    const other = new DebugFramePool(createPlainWindow(4))
    const sga = sgaFromText(other, 'x')
    expect(wait(algebra.push(queue, sga))).toBe('failed EINVAL')
    sga.free()
  })
})

describe('merge', () => {
  test('a pop comes from either, a push goes to both', () => {
    const { algebra, runtime, push, pop, wait, drain, track } = setup()
    const [a, b] = [track(algebra.queue()), track(algebra.queue())]
    const merged = track(algebra.merge(a, b))
    const waiting = algebra.pop(merged)
    runtime.wait(push(b, 'b1'))
    expect(wait(waiting)).toBe('b1')
    runtime.wait(push(a, 'a1'))
    runtime.wait(push(b, 'b2'))
    expect(drain(merged).sort()).toEqual(['a1', 'b2'])
    runtime.wait(push(merged, 'both'))
    expect([pop(a), pop(b)]).toEqual(['both', 'both'])
  })

  test('takes nothing that nobody wants', () => {
    const { algebra, runtime, push, drain, pop, track } = setup()
    const [a, b] = [track(algebra.queue()), track(algebra.queue())]
    const merged = track(algebra.merge(a, b))
    for (const text of ['1', '2', '3']) runtime.wait(push(a, text))
    for (const text of ['x', 'y']) runtime.wait(push(b, text))
    expect(pop(merged)).toBe('1')
    algebra.close(merged)
    expect([drain(a), drain(b)]).toEqual([
      ['2', '3'],
      ['x', 'y'],
    ])
  })

  test('a push that one of them refuses fails', () => {
    const { algebra, push, wait, track } = setup()
    const a = track(algebra.queue())
    const only = track(algebra.filter(a, expr.never))
    const merged = track(algebra.merge(only, track(algebra.queue())))
    expect(wait(push(merged, 'x'))).toBe('failed EINVAL')
    expect(() => algebra.merge()).toThrow(/nothing is merged/)
  })
})

describe('filter', () => {
  const isDigit = (sga: ScatterGatherArray) => /^\d/.test(new TextDecoder().decode(sga.toBytes()))

  test('takes what matches, and leaves the others to the queue below', () => {
    const { algebra, runtime, push, drain, track } = setup()
    const queue = track(algebra.queue())
    runtime.wait(push(queue, '0'))
    runtime.wait(push(queue, 'z'))
    const digits = track(algebra.filter(queue, isDigit))
    for (const text of ['a', '1', 'b', '2']) runtime.wait(push(queue, text))
    expect(drain(digits)).toEqual(['0', '1', '2'])
    expect(drain(queue)).toEqual(['z', 'a', 'b'])
  })

  test('by an expression about the bytes, in one segment or several', () => {
    const { algebra, runtime, pool, push, drain, track } = setup()
    const queue = track(algebra.queue())
    const long = expr.gt(expr.length('payload'), 600)
    const tail = expr.eq(expr.load('payload', 500, 1), 0x62)
    const wanted = track(algebra.filter(queue, expr.all(long, tail)))
    for (const fill of ['a', 'b']) {
      const sga = sgaFromText(pool, fill.repeat(700))
      expect(sga.segments.length).toBeGreaterThan(1)
      runtime.wait(algebra.push(queue, sga))
      sga.free()
    }
    runtime.wait(push(queue, 'b'))
    expect(drain(wanted)).toEqual(['b'.repeat(700)])
    expect(algebra.explain(wanted)).toMatchObject([
      { operation: 'filter', runs: 'software', what: 'length(payload) > 600 and payload[500:1] == 98', from: [queue] },
      { operation: 'queue' },
    ])
  })

  test('a push must match', () => {
    const { algebra, push, wait, pop, track } = setup()
    const queue = track(algebra.queue())
    const digits = track(algebra.filter(queue, isDigit))
    expect(wait(push(digits, 'x'))).toBe('failed EINVAL')
    expect(wait(push(digits, '7'))).toBe('push')
    expect(pop(digits)).toBe('7')
  })

  test('what nobody pops below stops the fetching, and nothing is lost', () => {
    const { algebra, socket, loop, drain, track } = setup(4)
    const { queue, give } = socket()
    const digits = track(algebra.filter(queue, isDigit))
    give('a', 'b', 'c', 'd', 'e', '1')
    expect(drain(digits)).toEqual([])
    for (let i = 0; i < 20; i++) loop.runOnce()
    expect(drain(queue)).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(drain(digits)).toEqual(['1'])
  })

  test('two filters are one with both conditions', () => {
    const { algebra, runtime, push, drain, track } = setup()
    const byte = expr.load('payload', 0, 1)
    const queue = track(algebra.queue())
    const over = track(algebra.filter(queue, expr.ge(byte, 0x33)))
    const between = track(algebra.filter(over, expr.le(byte, 0x36)))
    for (const text of '0123456789') runtime.wait(push(queue, text))
    expect(drain(between)).toEqual(['3', '4', '5', '6'])
    expect(drain(over)).toEqual(['7', '8', '9'])
    expect(drain(queue)).toEqual(['0', '1', '2'])
  })
})

describe('map', () => {
  test('transforms what is popped and what is pushed, and keeps the sender', () => {
    const { algebra, runtime, pool, push, pop, socket, track } = setup()
    const upper = (sga: ScatterGatherArray) => {
      const text = new TextDecoder().decode(sga.toBytes()).toUpperCase()
      sga.free()
      return sgaFromText(pool, text)
    }
    const { queue, give, pushed } = socket()
    const mapped = track(algebra.map(queue, upper))
    give('hello')
    const completion = runtime.wait(algebra.pop(mapped))
    expect(completion).toMatchObject({ kind: 'pop', qd: mapped, source: { address: '10.0.0.9', port: 9 } })
    if (completion.kind === 'pop') completion.sga.free()
    runtime.wait(push(mapped, 'bye'))
    expect(pushed).toEqual(['BYE'])
    expect(algebra.explain(mapped).map(({ what }) => what)).toEqual(['function upper', 'net'])
    give('again')
    expect(pop(track(algebra.map(mapped, slice(1, 2))))).toBe('GA')
  })

  test('a slice copies nothing, over any number of segments', () => {
    const { algebra, runtime, pool, textOf, track } = setup()
    const queue = track(algebra.queue())
    const mapped = track(algebra.map(queue, slice(400, 300)))
    const text = Array.from({ length: 900 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('')
    const sga = sgaFromText(pool, text)
    runtime.wait(algebra.push(queue, sga))
    sga.free()
    expect(textOf(runtime.wait(algebra.pop(mapped)))).toBe(text.slice(400, 700))
  })

  test('one that throws ends the queue with its words', () => {
    const { algebra, runtime, push, track } = setup()
    const queue = track(algebra.queue())
    const mapped = track(
      algebra.map(queue, () => {
        throw new Error('no such thing')
      }),
    )
    runtime.wait(push(queue, 'x'))
    expect(runtime.wait(algebra.pop(mapped))).toMatchObject({
      kind: 'failed',
      message: expect.stringMatching(/no such/),
    })
    expect(runtime.wait(push(mapped, 'x'))).toMatchObject({ kind: 'failed', code: 'EINVAL' })
  })
})

describe('sort', () => {
  test('gives what is there in order of its key, equal keys in order of arrival', () => {
    const { algebra, runtime, push, drain, track } = setup()
    const queue = track(algebra.queue())
    const sorted = track(algebra.sort(queue, expr.load('payload', 0, 1)))
    for (const text of ['c1', 'a1', 'b1', 'c2', 'a2']) runtime.wait(push(queue, text))
    expect(drain(sorted)).toEqual(['a1', 'a2', 'b1', 'c1', 'c2'])
  })

  test('an urgent element overtakes those that wait', () => {
    const { algebra, runtime, push, pop, track } = setup()
    const queue = track(algebra.queue())
    const sorted = track(algebra.sort(queue, (sga) => -sga.byteLength))
    for (const text of ['aa', 'a', 'aaa']) runtime.wait(push(queue, text))
    expect(pop(sorted)).toBe('aaa')
    runtime.wait(push(queue, 'aaaa'))
    expect([pop(sorted), pop(sorted), pop(sorted)]).toEqual(['aaaa', 'aa', 'a'])
  })

  test('gives back what it took when it is closed', () => {
    const { algebra, runtime, push, drain, track } = setup()
    const queue = track(algebra.queue())
    const sorted = algebra.sort(queue, (sga) => sga.byteLength)
    for (const text of ['ccc', 'bb', 'a']) runtime.wait(push(queue, text))
    algebra.close(sorted)
    expect(drain(queue)).toEqual(['ccc', 'bb', 'a'])
  })
})

describe('qconnect', () => {
  test('moves everything, in order, between two libOSes, and ends with the source', () => {
    const { algebra, runtime, socket, loop, track } = setup()
    const from = socket('net')
    const to = socket('storage')
    const pipe = track(algebra.qconnect(from.queue, to.queue))
    const end = algebra.pop(pipe)
    const texts = Array.from({ length: 100 }, (_, i) => `record ${i}`)
    from.give(...texts)
    loop.runUntil(() => to.pushed.length === 100)
    expect(to.pushed).toEqual(texts)
    expect(runtime.isPending(end)).toBe(true)
    from.give('')
    expect(runtime.wait(end)).toMatchObject({ kind: 'pop', sga: { segments: [] } })
    expect(algebra.explain(pipe)[0]).toMatchObject({
      operation: 'qconnect',
      what: expect.stringMatching(/^100 elements/),
    })
  })

  test('goes as fast as the target takes it', () => {
    const { algebra, runtime, loop, push, pop, track } = setup()
    const from = track(algebra.queue(1000))
    const to = track(algebra.queue(2))
    track(algebra.qconnect(from, to))
    for (let i = 0; i < 100; i++) runtime.wait(push(from, String(i)))
    for (let i = 0; i < 50; i++) loop.runOnce()
    const left = Array.from({ length: 100 }, () => pop(to))
    expect(left).toEqual(Array.from({ length: 100 }, (_, i) => String(i)))
  })

  test('a target that fails ends it, with its error', () => {
    const { algebra, runtime, push, track, wait } = setup()
    const from = track(algebra.queue())
    const pipe = track(algebra.qconnect(from, track(algebra.filter(track(algebra.queue()), expr.never))))
    runtime.wait(push(from, 'x'))
    expect(wait(algebra.pop(pipe))).toBe('failed EINVAL')
    expect(wait(push(pipe, 'x'))).toBe('failed ENOTSUP')
  })
})

describe('above a socket', () => {
  test('errors and ends come through every operation', () => {
    const { algebra, socket, wait, track } = setup()
    const make: ((queue: QueueLike) => QueueDescriptor)[] = [
      (queue) => algebra.filter(queue, expr.always),
      (queue) => algebra.map(queue, (sga) => sga),
      (queue) => algebra.sort(queue, (sga) => sga.byteLength),
      (queue) => algebra.merge(queue),
    ]
    for (const above of make) {
      const { queue, give } = socket()
      const derived = track(above(queue))
      give('last', '')
      expect([wait(algebra.pop(derived)), wait(algebra.pop(derived)), wait(algebra.pop(derived))]).toEqual([
        'last',
        '',
        '',
      ])
    }
  })

  test('closing what stands above leaves the socket open, and gives back', () => {
    const { algebra, socket, drain, wait, track } = setup()
    const { queue, give } = socket()
    const merged = track(algebra.merge(queue))
    const pending = algebra.pop(merged)
    algebra.close(merged)
    expect(wait(pending)).toBe('failed ECANCELED')
    give('after')
    expect(drain(queue)).toEqual(['after'])
    expect(() => algebra.pop(merged)).toThrow(/is no queue of this algebra/)
  })

  test('closing what lies below ends what stands above', () => {
    const { algebra, wait, track } = setup()
    const queue = algebra.queue()
    const above = track(algebra.map(track(algebra.filter(queue, expr.always)), (sga) => sga))
    const pending = algebra.pop(above)
    algebra.close(queue)
    expect(wait(pending)).toBe('failed ECANCELED')
  })
})

test('laws, on random queues, pushes, pops and closes: nothing is lost, doubled or out of order', () => {
  type Step =
    | { readonly kind: 'push'; readonly to: number }
    | { readonly kind: 'pop'; readonly from: number }
    | { readonly kind: 'run' }
    | { readonly kind: 'close'; readonly which: number }
    | { readonly kind: 'cancel'; readonly which: number }
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('push' as const), to: fc.nat(2) }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('pop' as const), from: fc.nat(9) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('run' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const), which: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which: fc.nat(50) }) },
  ) as fc.Arbitrary<Step>
  const shape = fc.array(fc.record({ operation: fc.nat(3), of: fc.nat(9), second: fc.nat(9) }), { maxLength: 5 })
  fc.assert(
    fc.property(shape, fc.array(step, { maxLength: 80 }), (derivations, steps) => {
      const loop = new RunLoop({ clock: new VirtualClock() })
      const runtime = createQueueRuntime(loop)
      const pool = new DebugFramePool(createPlainWindow(512, { frameSize: 256, headroom: 0 }))
      const algebra = new QueueAlgebra(runtime, pool, { capacity: 8 })
      const queues: (QueueDescriptor | undefined)[] = [algebra.queue(), algebra.queue(), algebra.queue()]
      for (const { operation, of, second } of derivations) {
        const source = queues[of % queues.length] as QueueDescriptor
        const other = queues[second % queues.length] as QueueDescriptor
        if (operation === 0) queues.push(algebra.filter(source, expr.eq(expr.modulo(expr.load('payload', 3, 1), 2), 0)))
        else if (operation === 1) queues.push(algebra.map(source, (sga) => sga))
        else if (operation === 2) queues.push(algebra.merge(source, other))
        else queues.push(algebra.sort(source, () => 0))
      }
      let pushed = 0
      const popped: number[] = []
      const pending: QueueToken[] = []
      const redeem = () => {
        for (let next = runtime.waitNext(0); next !== undefined; next = runtime.waitNext(0)) {
          if (next.kind !== 'pop') continue
          if (next.sga.segments.length > 0) popped.push(new DataView(next.sga.toBytes().buffer).getUint32(0))
          next.sga.free()
        }
      }
      for (const one of steps) {
        if (one.kind === 'push') {
          const queue = queues[one.to]
          if (queue === undefined || pool.available < 8) continue
          const sga = sgaFromText(pool, 'abcd')
          pool.view.setUint32(sga.segments[0].address, pushed++)
          pending.push(algebra.push(queue, sga))
          sga.free()
        } else if (one.kind === 'pop') {
          const queue = queues[one.from % queues.length]
          if (queue !== undefined) pending.push(algebra.pop(queue))
        } else if (one.kind === 'close') {
          const at = one.which % queues.length
          const queue = queues[at]
          // Only what stands above: a memory queue that is closed takes its elements along.
          if (at >= 3 && queue !== undefined) {
            algebra.close(queue)
            queues[at] = undefined
          }
        } else if (one.kind === 'cancel') {
          if (pending.length > 0) runtime.cancel(pending[one.which % pending.length])
        } else loop.runOnce()
        redeem()
      }
      // Whatever is still in a queue comes out when all that stand above are closed.
      for (let i = queues.length - 1; i >= 3; i--)
        if (queues[i] !== undefined) algebra.close(queues[i] as QueueDescriptor)
      redeem()
      for (const queue of queues.slice(0, 3) as QueueDescriptor[]) {
        for (let i = 0; i <= pushed; i++) algebra.pop(queue)
        for (let i = 0; i < 4; i++) loop.runOnce()
      }
      redeem()
      for (const queue of queues.slice(0, 3) as QueueDescriptor[]) algebra.close(queue)
      redeem()
      const missing = pushed - new Set(popped).size
      expect(new Set(popped).size, 'nothing comes out twice').toBe(popped.length)
      // A push that was cancelled while it waited for room never comes out, nor what is counted as dropped.
      const cancelled = steps.filter(({ kind }) => kind === 'cancel').length
      expect(missing).toBeLessThanOrEqual(cancelled + algebra.dropped)
      if (!derivations.some(({ operation }) => operation === 1)) expect(algebra.dropped).toBe(0)
      expect(runtime.outstanding).toBe(0)
      assertNoLeaks(pool)
    }),
    { numRuns: process.env['PARAKERNEL_LONG'] === '1' ? 10_000 : 300 },
  )
}, 300_000)
