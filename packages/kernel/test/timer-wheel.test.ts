import { VirtualClock } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type TimerId, TimerWheel } from '../src/index.ts'

function wheel(start = 0) {
  const clock = new VirtualClock(start)
  const timers = new TimerWheel(clock, 8)
  const run = (time: number) => {
    clock.advanceTo(time)
    return timers.run(clock.now())
  }
  return { clock, timers, run }
}

describe('timer wheel', () => {
  it('fires in the order of time, then of insertion', () => {
    const { timers, run } = wheel()
    const order: string[] = []
    for (const [time, name] of [
      [5e9, 'd'],
      [3, 'a'],
      [70_000, 'c'],
      [3, 'b'],
      [5e9, 'e'],
    ] as const) {
      timers.at(time, () => order.push(name))
    }
    expect(run(2.5)).toBe(0)
    expect(run(3)).toBe(2)
    expect(run(6e9)).toBe(3)
    expect(order.join('')).toBe('abcde')
    expect(timers.size).toBe(0)
    expect(timers.next()).toBe(Infinity)
  })

  it('hands tasks the time of the round', () => {
    const { timers, run } = wheel()
    const times: number[] = []
    timers.at(10, (now) => times.push(now))
    run(25)
    expect(times).toEqual([25])
  })

  it('knows when the next timer is due, to the nanosecond', () => {
    const { timers, run } = wheel(123_456_789)
    const far = timers.at(9e15, () => {})
    expect(timers.next()).toBe(9e15)
    timers.at(5e9 + 1, () => {})
    expect(timers.next()).toBe(5e9 + 1)
    const near = timers.at(123_456_790, () => {})
    expect(timers.next()).toBe(123_456_790)
    timers.cancel(near)
    expect(timers.next()).toBeLessThanOrEqual(5e9 + 1)
    run(6e9)
    expect(timers.next()).toBe(9e15)
    timers.cancel(far)
    expect(timers.next()).toBe(Infinity)
  })

  it('tells an old id from that of the timer that came after it', () => {
    const { timers, run } = wheel()
    const ids = new Set<TimerId>()
    for (let i = 0; i < 8_000; i++) {
      const id = timers.at(i, () => {})
      expect(id > 0 && id <= 0x7fff_ffff).toBe(true)
      ids.add(id)
      expect(run(i)).toBe(1)
      expect(timers.cancel(id)).toBe(false)
    }
    expect(ids.size).toBe(8_000)
    expect(timers.cancel(0)).toBe(false)
    expect(timers.cancel(-1)).toBe(false)
    expect(timers.cancel(0x7fff_ffff)).toBe(false)
  })

  it('cancels once', () => {
    const { timers, run } = wheel()
    const id = timers.at(5, () => expect.unreachable())
    expect(timers.cancel(id)).toBe(true)
    expect(timers.cancel(id)).toBe(false)
    expect(run(10)).toBe(0)
  })

  it('fires what a task sets for the past in the next run, and not before what was there', () => {
    const { timers, run } = wheel()
    const order: string[] = []
    timers.at(10, () => {
      order.push('first')
      timers.at(1, () => order.push('past'))
      expect(timers.next()).toBe(1)
    })
    timers.at(20, () => order.push('second'))
    expect(run(20)).toBe(2)
    expect(order).toEqual(['first', 'second'])
    expect(timers.next()).toBe(1)
    expect(run(20)).toBe(1)
    expect(order).toEqual(['first', 'second', 'past'])
  })

  it('lets tasks cancel each other and themselves', () => {
    const { timers, run } = wheel()
    let periodic: TimerId = 0
    let runs = 0
    const victim = timers.at(11, () => expect.unreachable())
    timers.at(10, () => expect(timers.cancel(victim)).toBe(true))
    periodic = timers.every(5, () => {
      if (++runs === 3) expect(timers.cancel(periodic)).toBe(true)
    })
    for (let time = 1; time < 100; time++) run(time)
    expect(runs).toBe(3)
    expect(timers.size).toBe(0)
  })

  it('repeats without drift, and does not make up for late rounds', () => {
    const { timers, run } = wheel(1000)
    const times: number[] = []
    timers.every(100, (now) => times.push(now))
    for (const time of [1099, 1100, 1205, 1777, 1799, 1800]) run(time)
    expect(times).toEqual([1100, 1205, 1777, 1800])
    expect(timers.next()).toBe(1900)
  })

  it('stops at a limit, and goes on there', () => {
    const { timers, clock } = wheel()
    const order: number[] = []
    for (let i = 0; i < 10; i++) timers.at(i, () => order.push(i))
    clock.advanceTo(100)
    expect(timers.run(100, 4)).toBe(4)
    expect(timers.next()).toBe(4)
    expect(timers.run(100, 4)).toBe(4)
    expect(timers.run(100)).toBe(2)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('keeps the rest when a task throws', () => {
    const { timers, run } = wheel()
    let fired = 0
    timers.at(1, () => {
      throw new Error('from the task')
    })
    timers.at(2, () => fired++)
    expect(() => run(5)).toThrow('from the task')
    expect(run(5)).toBe(1)
    expect(fired).toBe(1)
  })

  it('parks what is never due, and refuses times that are none', () => {
    const { timers, run } = wheel()
    const id = timers.at(Infinity, () => expect.unreachable())
    expect(timers.next()).toBe(Infinity)
    expect(timers.size).toBe(1)
    run(1e18)
    expect(timers.cancel(id)).toBe(true)
    const invalid = expect.objectContaining({ code: 'EINVAL' })
    expect(() => timers.at(Number.NaN, () => {})).toThrow(invalid)
    expect(() => timers.every(0, () => {})).toThrow(invalid)
    expect(() => timers.every(Infinity, () => {})).toThrow(invalid)
  })

  it('behaves like a sorted list, whatever is set, cancelled and jumped over', () => {
    const distance = fc.oneof(
      fc.integer({ min: -5, max: 300_000 }),
      fc.integer({ min: 0, max: 5_000_000_000 }),
      fc.double({ min: 0, max: 1e15, noNaN: true }),
    )
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('at' as const), distance }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant('every' as const), period: fc.integer({ min: 1, max: 1e9 }) }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('run' as const), distance }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('jump' as const) }) },
    )
    interface Entry {
      id: TimerId
      time: number
      sequence: number
      period: number
      name: number
    }
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.double({ min: 0, max: 1e14, noNaN: true }), (steps, start) => {
        const { clock, timers } = wheel(start)
        const model: Entry[] = []
        const fired: number[] = []
        let sequence = 0
        const runAll = (now: number) => {
          const expected: number[] = []
          for (;;) {
            model.sort((a, b) => a.time - b.time || a.sequence - b.sequence)
            const [entry] = model
            if (entry === undefined || entry.time > now) break
            expected.push(entry.name)
            if (entry.period === 0) model.shift()
            else {
              entry.time += entry.period * (Math.floor((now - entry.time) / entry.period) + 1)
              entry.sequence = sequence++
            }
          }
          fired.length = 0
          expect(timers.run(now)).toBe(expected.length)
          expect(fired).toEqual(expected)
        }
        for (const [name, action] of steps.entries()) {
          if (action.kind === 'at') {
            const time = clock.now() + action.distance
            model.push({ id: timers.at(time, () => fired.push(name)), time, sequence: sequence++, period: 0, name })
          } else if (action.kind === 'every') {
            const time = clock.now() + action.period
            const id = timers.every(action.period, () => fired.push(name))
            model.push({ id, time, sequence: sequence++, period: action.period, name })
          } else if (action.kind === 'cancel') {
            const [entry] = model.length === 0 ? [] : model.splice(action.pick % model.length, 1)
            if (entry !== undefined) expect(timers.cancel(entry.id)).toBe(true)
          } else {
            if (action.kind === 'run') clock.advance(Math.max(0, action.distance))
            else if (model.length > 0) clock.advanceTo(timers.next())
            runAll(clock.now())
          }
          expect(timers.size).toBe(model.length)
          const next = Math.min(Infinity, ...model.map(({ time }) => time))
          expect(timers.next()).toBeLessThanOrEqual(next)
          if (model.length === 0) expect(timers.next()).toBe(Infinity)
        }
        clock.advance(2e15)
        for (const entry of model.filter(({ period }) => period > 0)) {
          expect(timers.cancel(entry.id)).toBe(true)
          model.splice(model.indexOf(entry), 1)
        }
        runAll(clock.now())
        expect(timers.size).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('holds a million timers, and fires every one at its time', () => {
    const { timers, clock } = wheel()
    const total = 1_000_000
    let fired = 0
    let latest = 0
    let late = 0
    let random = 1
    const task = (now: number) => {
      fired++
      if (now < latest) late++
      latest = now
    }
    const ids: TimerId[] = []
    for (let i = 0; i < total; i++) {
      random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff
      ids.push(timers.at(random * 8, task))
    }
    expect(timers.size).toBe(total)
    let cancelled = 0
    for (let i = 0; i < total; i += 4) if (timers.cancel(ids[i])) cancelled++
    expect(cancelled).toBe(total / 4)
    while (timers.size > 0) {
      clock.advanceTo(timers.next() + 10_000_000)
      timers.run(clock.now())
    }
    expect(fired).toBe(total - cancelled)
    expect(late).toBe(0)
  })

  it('takes timers with slack together, each within its own', () => {
    const { timers, clock } = wheel()
    /** How often a clock that jumps from one timer to the next stops. */
    const stops = (slack: number) => {
      const start = clock.now()
      let random = 7
      for (let i = 0; i < 1000; i++) {
        random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff
        const time = start + random
        timers.at(
          time,
          (now) => {
            expect(now).toBeGreaterThanOrEqual(time)
            expect(now).toBeLessThanOrEqual(time + slack)
          },
          slack,
        )
      }
      let count = 0
      while (timers.size > 0) {
        clock.advanceTo(timers.next())
        if (timers.run(clock.now()) > 0) count++
      }
      return count
    }
    expect(stops(0)).toBe(1000)
    // 2.1 s in steps of 8.4 ms, the power of two below the slack.
    expect(stops(10e6)).toBeLessThanOrEqual(257)
    expect(stops(100e6)).toBeLessThanOrEqual(33)
  })

  it('takes timers of different slack together', () => {
    const { timers, run } = wheel(1)
    const fired: number[] = []
    for (const slack of [3_000, 10_000, 2_000_000]) timers.at(4_194_000, (now) => fired.push(now), slack)
    expect(timers.next()).toBe(4_194_304)
    run(4_194_304)
    expect(fired).toEqual([4_194_304, 4_194_304, 4_194_304])
  })

  it('repeats with slack without drift: each time within the slack of its own', () => {
    const { timers, clock } = wheel(12_345)
    const times: number[] = []
    const id = timers.every(1_000_000, (now) => times.push(now), 1_012_345, 300_000)
    while (times.length < 1000) {
      clock.advanceTo(timers.next())
      timers.run(clock.now())
    }
    for (const [i, time] of times.entries()) {
      const asked = 1_012_345 + i * 1_000_000
      expect(time).toBeGreaterThanOrEqual(asked)
      expect(time).toBeLessThanOrEqual(asked + 300_000)
    }
    expect(timers.cancel(id)).toBe(true)
    expect(timers.size).toBe(0)
  })

  it('rounds a time up within its slack, and never beyond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e15 }), fc.integer({ min: 0, max: 1e12 }), (time, slack) => {
        const { timers } = wheel()
        timers.at(time, () => {}, slack)
        expect(timers.next()).toBeGreaterThanOrEqual(time)
        expect(timers.next()).toBeLessThanOrEqual(time + slack)
      }),
    )
    const { timers } = wheel()
    const invalid = expect.objectContaining({ code: 'EINVAL' })
    for (const slack of [-1, Infinity, Number.NaN]) {
      expect(() => timers.at(5, () => {}, slack)).toThrow(invalid)
      expect(() => timers.every(5, () => {}, 5, slack)).toThrow(invalid)
    }
    timers.at(Infinity, () => {}, 1000)
    expect(timers.next()).toBe(Infinity)
  })
})
