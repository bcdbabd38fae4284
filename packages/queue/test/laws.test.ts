import { assertNoLeaks, createPlainWindow, DebugFramePool, expr, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createQueueRuntime,
  QueueAlgebra,
  type QueueDescriptor,
  type ScatterGatherArray,
  sgaFromBytes,
  type Transform,
} from '../src/index.ts'

const numRuns = process.env['PARAKERNEL_LONG'] === '1' ? 5000 : 100

/** Elements of one queue; each is pushed as two bytes, the letter of its source and a value. */
const values = fc.array(fc.nat(255), { maxLength: 24 })
/** How many rounds of the loop pass between pushes, and between pops. */
const pauses = fc.array(fc.nat(2), { minLength: 1, maxLength: 12 })

class Bench {
  readonly loop = new RunLoop({ clock: new VirtualClock() })
  readonly runtime = createQueueRuntime(this.loop, { tokens: 256 })
  readonly pool = new DebugFramePool(createPlainWindow(256, { frameSize: 256, headroom: 0 }))
  readonly algebra = new QueueAlgebra(this.runtime, this.pool)
  readonly #made: QueueDescriptor[] = []

  /** Remembers queues, and returns the last. */
  made(...queues: QueueDescriptor[]): QueueDescriptor {
    this.#made.push(...queues)
    return queues.at(-1) as QueueDescriptor
  }

  queue(): QueueDescriptor {
    return this.made(this.algebra.queue())
  }

  push(queue: QueueDescriptor, name: string, value: number): void {
    const sga = sgaFromBytes(this.pool, Uint8Array.of(name.charCodeAt(0), value))
    expect(this.runtime.wait(this.algebra.push(queue, sga)).kind).toBe('push')
    sga.free()
  }

  /** Everything that comes out of `queue`, as `a7`. */
  drain(queue: QueueDescriptor, pause: readonly number[] = [0]): string[] {
    const all: string[] = []
    for (let i = 0; ; i++) {
      for (let k = 0; k < pause[i % pause.length]; k++) this.loop.runOnce()
      const token = this.algebra.pop(queue)
      for (let k = 0; k < 8 && this.runtime.isPending(token); k++) this.loop.runOnce()
      this.runtime.cancel(token)
      const completion = this.runtime.wait(token)
      if (completion.kind !== 'pop') return all
      const [letter, value] = completion.sga.toBytes()
      completion.sga.free()
      all.push(`${String.fromCharCode(letter)}${value}`)
    }
  }

  close(): void {
    for (const queue of this.#made.toReversed()) this.algebra.close(queue)
    expect(this.runtime.outstanding).toBe(0)
    assertNoLeaks(this.pool)
  }
}

/** What comes out of the queue that `build` makes of some sources, which are fed in an order that `pause` decides. */
function outcome(
  sources: Readonly<Record<string, readonly number[]>>,
  build: (bench: Bench, queues: Readonly<Record<string, QueueDescriptor>>) => QueueDescriptor,
  pause: readonly number[] = [0],
): string[] {
  const bench = new Bench()
  const queues = Object.fromEntries(Object.keys(sources).map((name) => [name, bench.queue()]))
  const built = build(bench, queues)
  const longest = Math.max(...Object.values(sources).map(({ length }) => length))
  for (let i = 0; i < longest; i++) {
    for (const [name, list] of Object.entries(sources)) if (i < list.length) bench.push(queues[name], name, list[i])
    for (let k = 0; k < pause[i % pause.length]; k++) bench.loop.runOnce()
  }
  const all = bench.drain(built, pause)
  bench.close()
  return all
}

const of = (all: readonly string[], name: string) => all.filter((one) => one.startsWith(name))
const asBag = (all: readonly string[]) => all.toSorted()
const value = expr.load('payload', 1, 1)
const even = expr.eq(expr.modulo(value, 2), 0)
const small = expr.lt(value, 100)
/** A new array with another value. */
const mapped =
  (change: (value: number) => number): Transform =>
  (sga) => {
    const [name, old] = sga.toBytes()
    sga.free()
    return sgaFromBytes(sga.pool, Uint8Array.of(name, change(old)))
  }
const double = (value: number) => (2 * value) & 0xff
const increment = (value: number) => (value + 1) & 0xff

type Build = Parameters<typeof outcome>[1]
const built =
  (make: (algebra: QueueAlgebra, queues: Readonly<Record<string, QueueDescriptor>>) => QueueDescriptor[]): Build =>
  (bench, queues) =>
    bench.made(...make(bench.algebra, queues))

describe('law:', () => {
  const law = (name: string, check: (a: number[], b: number[], pause: number[]) => void) =>
    test(name, () => fc.assert(fc.property(values, values, pauses, check), { numRuns }))

  law('merge commutes, up to the order between its sources, and keeps the order of each', (a, b, pause) => {
    const one = outcome(
      { a, b },
      built((q, { a, b }) => [q.merge(a, b)]),
      pause,
    )
    const two = outcome(
      { a, b },
      built((q, { a, b }) => [q.merge(b, a)]),
      pause,
    )
    expect(asBag(one)).toEqual(asBag(two))
    for (const all of [one, two]) {
      expect(of(all, 'a')).toEqual(a.map((value) => `a${value}`))
      expect(of(all, 'b')).toEqual(b.map((value) => `b${value}`))
    }
  })

  law('merge is associative, up to the order between its sources', (a, b, pause) => {
    const c = [...a, ...b].slice(0, 10)
    const flat = outcome(
      { a, b, c },
      built((q, { a, b, c }) => [q.merge(a, b, c)]),
      pause,
    )
    const nested = outcome(
      { a, b, c },
      built((q, { a, b, c }) => {
        const inner = q.merge(b, c)
        return [inner, q.merge(a, inner)]
      }),
      pause,
    )
    for (const name of ['a', 'b', 'c']) expect(of(nested, name)).toEqual(of(flat, name))
    expect(nested).toHaveLength(flat.length)
  })

  law('two filters are one with both conditions', (a, _, pause) => {
    const both = outcome(
      { a },
      built((q, { a }) => [q.filter(a, expr.all(even, small))]),
      pause,
    )
    for (const [first, second] of [
      [even, small],
      [small, even],
    ]) {
      const nested = built((q, { a }) => {
        const inner = q.filter(a, first)
        return [inner, q.filter(inner, second)]
      })
      expect(outcome({ a }, nested, pause)).toEqual(both)
    }
    expect(both).toEqual(a.filter((value) => value % 2 === 0 && value < 100).map((value) => `a${value}`))
  })

  law('a filter that takes all, and a map that changes nothing, are the queue itself', (a, _, pause) => {
    const itself = a.map((value) => `a${value}`)
    expect(outcome({ a }, (_, { a }) => a, pause)).toEqual(itself)
    expect(
      outcome(
        { a },
        built((q, { a }) => [q.filter(a, expr.always)]),
        pause,
      ),
    ).toEqual(itself)
    expect(
      outcome(
        { a },
        built((q, { a }) => [q.map(a, (sga) => sga)]),
        pause,
      ),
    ).toEqual(itself)
  })

  law('two maps are one of both transforms', (a, _, pause) => {
    const nested = built((q, { a }) => {
      const inner = q.map(a, mapped(double))
      return [inner, q.map(inner, mapped(increment))]
    })
    const fused = outcome(
      { a },
      built((q, { a }) => [
        q.map(
          a,
          mapped((value) => increment(double(value))),
        ),
      ]),
      pause,
    )
    expect(outcome({ a }, nested, pause)).toEqual(fused)
    expect(fused).toEqual(a.map((value) => `a${increment(double(value))}`))
  })

  law('a filter behind a map is one before it, of what the map makes', (a, _, pause) => {
    const before = (sga: ScatterGatherArray) => increment(sga.toBytes()[1]) % 2 === 0
    const first = built((q, { a }) => {
      const inner = q.filter(a, before)
      return [inner, q.map(inner, mapped(increment))]
    })
    const last = built((q, { a }) => {
      const inner = q.map(a, mapped(increment))
      return [inner, q.filter(inner, even)]
    })
    expect(outcome({ a }, last, pause)).toEqual(outcome({ a }, first, pause))
  })

  law('sort is stable, and once more changes nothing', (a, b) => {
    // The letters are equal keys of different elements: what came first comes first.
    const key = expr.modulo(value, 4)
    const once = outcome(
      { a, b },
      built((q, { a, b }) => {
        const both = q.merge(a, b)
        return [both, q.sort(both, key)]
      }),
    )
    const twice = outcome(
      { a, b },
      built((q, { a, b }) => {
        const both = q.merge(a, b)
        const inner = q.sort(both, key)
        return [both, inner, q.sort(inner, key)]
      }),
    )
    const keyOf = (one: string) => Number(one.slice(1)) % 4
    expect(once.map(keyOf)).toEqual(once.map(keyOf).toSorted((x, y) => x - y))
    for (const name of ['a', 'b']) {
      const list = name === 'a' ? a : b
      const stable = list.map((value) => `${name}${value}`).toSorted((x, y) => keyOf(x) - keyOf(y))
      expect(of(once, name)).toEqual(stable)
    }
    expect(twice).toEqual(once)
  })

  law('what qconnect moves is what was there', (a, _, pause) => {
    const through = built((q, { a }) => {
      const to = q.queue()
      const pipe = q.qconnect(a, to)
      return [pipe, to]
    })
    expect(outcome({ a }, through, pause)).toEqual(a.map((value) => `a${value}`))
  })

  law('explain does not change by being asked, or by what goes through', (a, _, pause) => {
    const bench = new Bench()
    const source = bench.queue()
    const above = bench.made(bench.algebra.filter(source, even))
    const top = bench.made(bench.algebra.merge(above, source))
    const stages = () => bench.algebra.explain(top).map(({ what: _, ...stage }) => stage)
    const before = stages()
    expect(before.map(({ operation }) => operation)).toEqual(['merge', 'filter', 'queue'])
    for (const one of a) bench.push(source, 'a', one)
    expect(stages()).toEqual(before)
    bench.drain(top, pause)
    expect(stages()).toEqual(before)
    bench.close()
  })
})
