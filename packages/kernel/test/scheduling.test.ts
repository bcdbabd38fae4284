import { VirtualClock } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { BACKGROUND, type Pollable, RunLoop } from '../src/index.ts'

interface Source extends Pollable {
  done: number
  polls: number
}

/** Has always `size` items more, and gives as many as it is asked for; `Infinity` for one that does not look at the limit. */
function greedy(size = 32, obedient = true): Source {
  return {
    done: 0,
    polls: 0,
    poll(_now, limit = Infinity) {
      const work = obedient ? Math.min(size, limit) : size
      this.done += work
      this.polls++
      return work
    },
    wake: { kind: 'none' },
    arm: () => true,
  }
}

const sum = (sources: readonly Source[]) => sources.reduce((total, { done }) => total + done, 0)

describe('scheduling groups', () => {
  it('share the work by their shares, however many pollables a group has', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const crowd = Array.from({ length: 100 }, () => greedy())
    const single = greedy()
    for (const one of crowd) loop.add(one, 'crowd')
    loop.add(single, 'single')
    loop.setShare('single', 3)
    for (let i = 0; i < 1000; i++) loop.runOnce()
    expect(sum(crowd)).toBe(32 * 1000)
    expect(single.done).toBe(3 * 32 * 1000)
    // Within the group, everybody has had the same.
    expect(Math.max(...crowd.map(({ done }) => done)) - Math.min(...crowd.map(({ done }) => done))).toBeLessThanOrEqual(
      32,
    )
    expect(loop.groups()).toMatchObject({
      crowd: { share: 1, pollables: 100, work: 32_000, bounded: 1000 },
      single: { share: 3, pollables: 1, work: 96_000 },
    })
  })

  it('cannot starve one another: whoever waits has its turn in the next round', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    for (let i = 0; i < 1000; i++) loop.add(greedy(64, false))
    let waiting = 0
    let longest = 0
    let since = 0
    loop.add(
      {
        poll() {
          const work = waiting
          if (work > 0) longest = Math.max(longest, loop.counters.get('rounds') - since)
          waiting = 0
          return work
        },
        wake: { kind: 'none' },
        arm: () => waiting > 0,
      },
      BACKGROUND,
    )
    let before = 0
    for (let i = 0; i < 2000; i++) {
      if (waiting === 0) {
        waiting = 1
        since = loop.counters.get('rounds')
      }
      const work = loop.runOnce()
      // The other group did its share in this round, and the last burst in which that came to an end.
      expect(work).toBeLessThanOrEqual(4 * 32 + 64 + 1)
      before += work
    }
    expect(longest).toBe(0)
    expect(before).toBeGreaterThan(2000 * 64)
  })

  it('owe what a poll did beyond the share, so that bursts of any size come out even', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const small = greedy(1)
    const large = greedy(1000, false)
    loop.add(small, 'small')
    loop.add(large, 'large')
    for (let i = 0; i < 10_000; i++) loop.runOnce()
    expect(large.done / small.done).toBeGreaterThan(0.98)
    expect(large.done / small.done).toBeLessThan(1.02)
  })

  it('waste nothing: a group that owes goes on when nobody else has work', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const large = greedy(1000, false)
    loop.add(large, 'large')
    loop.add({ poll: () => 0, wake: { kind: 'none' }, arm: () => false }, BACKGROUND)
    for (let i = 0; i < 100; i++) expect(loop.runOnce()).toBe(1000)
  })

  it('say that there is no work only when nobody has any', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const left = [3, 300, 3000]
    for (const [i] of left.entries()) {
      loop.add(
        {
          poll() {
            const work = Math.min(left[i], 50)
            left[i] -= work
            return work
          },
          wake: { kind: 'none' },
          arm: () => left[i] > 0,
        },
        `group ${i}`,
      )
    }
    let work = 0
    for (let done = loop.runOnce(); done > 0; done = loop.runOnce()) work += done
    expect(work).toBe(3303)
    expect(left).toEqual([0, 0, 0])
  })

  it('stand members that leave and come in the middle of a round', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const order: string[] = []
    const named = (name: string, act = () => {}): Pollable => ({
      poll: () => {
        order.push(name)
        act()
        return 0
      },
      wake: { kind: 'none' },
      arm: () => false,
    })
    const a = named('a')
    const c = named('c')
    const b = named('b', () => {
      loop.remove(a)
      loop.remove(b)
      loop.add(c, BACKGROUND)
    })
    for (const one of [a, b, named('d')]) loop.add(one, BACKGROUND)
    loop.runOnce()
    expect(order).toEqual(['a', 'b', 'd', 'c'])
    order.length = 0
    loop.remove(c)
    loop.runOnce()
    expect(order).toEqual(['d'])
  })

  it('are given shares that make sense', () => {
    const loop = new RunLoop()
    for (const share of [0, -1, 1.5, 1001, Number.NaN]) {
      expect(() => loop.setShare('a', share)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    }
  })
})

describe('batches', () => {
  it('are of one at low load, grow with what is queued, and never beyond the bound', () => {
    const loop = new RunLoop({ clock: new VirtualClock(), batch: 16 })
    let queued = 0
    loop.add({
      poll(_now, limit = Infinity) {
        const work = Math.min(queued, limit)
        queued -= work
        return work
      },
      wake: { kind: 'none' },
      arm: () => queued > 0,
    })
    const histogram = () => {
      const { batches1, batches2, batches4, batches8, batches16, batches32 } = loop.counters.snapshot()
      return [batches1, batches2, batches4, batches8, batches16, batches32]
    }
    for (let i = 0; i < 100; i++) {
      queued++
      loop.runOnce()
      loop.runOnce()
    }
    expect(histogram()).toEqual([100, 0, 0, 0, 0, 0])
    for (let i = 0; i < 100; i++) {
      queued += 5
      loop.runOnce()
    }
    expect(histogram()).toEqual([100, 0, 100, 0, 0, 0])
    queued = 1000
    while (loop.runOnce() > 0);
    expect(histogram()).toEqual([100, 0, 100, 1, 62, 0])
    expect(loop.counters.get('work')).toBe(100 + 500 + 1000)
  })

  it('have a bound that is a number of items', () => {
    for (const batch of [0, 1.5, -3]) {
      expect(() => new RunLoop({ batch })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    }
  })
})

describe('a seeded order', () => {
  /** Two pollables share a word without care: one loses what the other wrote when it comes second. */
  function trace(seed: number | undefined, rounds = 50): string {
    const loop = new RunLoop({ clock: new VirtualClock(), ...(seed !== undefined && { seed }) })
    let order = ''
    for (const name of 'abcd') {
      loop.add({
        poll: () => {
          order += name
          return 0
        },
        wake: { kind: 'none' },
        arm: () => false,
      })
    }
    for (let i = 0; i < rounds; i++) loop.runOnce()
    return order
  }

  it('polls everybody once a round, differently each time, and the same for a seed', () => {
    const order = trace(7)
    for (let at = 0; at < order.length; at += 4) expect([...order.slice(at, at + 4)].sort().join('')).toBe('abcd')
    expect(new Set(order.match(/..../g)).size).toBeGreaterThan(10)
    expect(trace(7)).toBe(order)
    expect(trace(8)).not.toBe(order)
    expect(trace(undefined)).toBe('abcd'.repeat(50))
  })

  it('brings out a race that the fixed order hides', () => {
    const broken = (seed: number | undefined) => {
      const loop = new RunLoop({ clock: new VirtualClock(), ...(seed !== undefined && { seed }) })
      let written = false
      let lost = 0
      const quiet = (step: () => void): Pollable => ({
        poll: () => {
          step()
          return 0
        },
        wake: { kind: 'none' },
        arm: () => false,
      })
      loop.add(quiet(() => (written = true)))
      loop.add(
        quiet(() => {
          if (!written) lost++
          written = false
        }),
      )
      for (let i = 0; i < 20; i++) loop.runOnce()
      return lost
    }
    expect(broken(undefined)).toBe(0)
    expect(broken(1)).toBeGreaterThan(0)
    expect(broken(1)).toBe(broken(1))
  })

  it('is for virtual clocks alone', () => {
    expect(() => new RunLoop({ seed: 1 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  })
})
