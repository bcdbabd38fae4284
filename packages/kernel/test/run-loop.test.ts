import { VirtualClock, WakeWord } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { type Pollable, RunLoop } from '../src/index.ts'

function pollable(poll: (now: number) => number, more: Partial<Pollable> = {}): Pollable {
  return { poll, wake: { kind: 'none' }, arm: () => false, ...more }
}

/** A pollable that finds no work, but does something of which a test can see that it was polled. */
function quiet(seen: (now: number) => void): Pollable {
  return pollable((now) => {
    seen(now)
    return 0
  })
}

describe('a round', () => {
  it('polls everything once, in turn, then runs what was deferred', () => {
    const loop = new RunLoop({ clock: new VirtualClock(7) })
    const order: string[] = []
    loop.add(pollable((now) => order.push(`a${now}`)))
    loop.add(
      quiet(() => {
        order.push('b')
        loop.defer(() => order.push('later'))
      }),
    )
    loop.timers.at(0, () => order.push('timer'))
    expect(loop.runOnce()).toBe(1 + 2 + 1)
    expect(order).toEqual(['timer', 'a7', 'b', 'later'])
    expect(loop.now).toBe(7)
  })

  it('leaves what a deferred task defers to the next round', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    let rounds = 0
    const again = () => {
      rounds++
      loop.defer(again)
    }
    loop.defer(again)
    loop.runOnce()
    loop.runOnce()
    expect(rounds).toBe(2)
  })

  it('keeps the other deferred tasks when one throws', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    let ran = 0
    loop.defer(() => {
      throw new Error('from the task')
    })
    loop.defer(() => ran++)
    expect(() => loop.runOnce()).toThrow('from the task')
    loop.runOnce()
    expect(ran).toBe(1)
  })

  it('stands pollables that come and go while it runs', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const order: string[] = []
    const a = quiet(() => order.push('a'))
    const b = quiet(() => {
      order.push('b')
      loop.remove(b)
      loop.remove(a)
      loop.add(c)
    })
    const c = quiet(() => order.push('c'))
    for (const each of [a, b, quiet(() => order.push('d'))]) loop.add(each)
    loop.runOnce()
    expect(order).toEqual(['a', 'b', 'd', 'c'])
    loop.add(c)
    loop.runOnce()
    expect(order.slice(4)).toEqual(['d', 'c'])
  })

  it('does not nest', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    loop.defer(() => loop.runOnce())
    expect(() => loop.runOnce()).toThrow(expect.objectContaining({ code: 'EBUSY' }))
    expect(loop.runOnce()).toBe(0)
  })

  it('fires at most 256 timers, so that a crowd of them does not hold up the queues', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    let polls = 0
    loop.add(quiet(() => polls++))
    for (let i = 0; i < 1000; i++) loop.timers.at(0, () => {})
    while (loop.timers.size > 0) loop.runOnce()
    expect(polls).toBe(4)
  })
})

describe('runUntil on a virtual clock', () => {
  it('jumps to the next timer or event, and to the deadline', () => {
    const clock = new VirtualClock()
    const loop = new RunLoop({ clock })
    const seen: number[] = []
    const deliveries = [40, 1e9]
    loop.add(
      pollable(
        (now) => {
          if (deliveries.length === 0 || deliveries[0] > now) return 0
          seen.push(deliveries.shift() as number)
          return 1
        },
        { nextEvent: () => deliveries[0] ?? Infinity },
      ),
    )
    loop.timers.at(5000, (now) => seen.push(now))
    expect(loop.runUntil(() => seen.length === 2)).toBe(true)
    expect(clock.now()).toBe(5000)
    expect(loop.runUntil(() => false, 6000)).toBe(false)
    expect(clock.now()).toBe(6000)
    expect(loop.runUntil(() => false)).toBe(false)
    expect(seen).toEqual([40, 5000, 1e9])
  })

  it('says false when nothing can ever happen, without moving time', () => {
    const clock = new VirtualClock(3)
    expect(new RunLoop({ clock }).runUntil(() => false)).toBe(false)
    expect(clock.now()).toBe(3)
  })

  it('notices a pollable that promises an event and does nothing', () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    loop.add(pollable(() => 0, { nextEvent: () => 0 }))
    expect(() => loop.runUntil(() => false)).toThrow(expect.objectContaining({ code: 'EPROTO' }))
  })
})

describe('runUntil on a real clock', () => {
  it('sleeps until the next timer, not much longer, and not by spinning', () => {
    const loop = new RunLoop({ wait: { kind: 'sleep' } })
    let fired = 0
    const start = loop.clock.now()
    loop.timers.at(start + 20_000_000, () => fired++)
    expect(loop.runUntil(() => fired === 1, start + 1e9)).toBe(true)
    expect(loop.clock.now() - start).toBeGreaterThanOrEqual(20_000_000)
    expect(loop.counters.get('rounds')).toBeLessThan(10)
  })

  it('wakes up once for all timers that leave it the time', () => {
    const sleeps = (slack: number) => {
      const loop = new RunLoop({ wait: { kind: 'sleep' } })
      const start = loop.clock.now()
      for (let i = 1; i <= 100; i++) loop.timers.at(start + i * 2_000_000, () => {}, slack)
      loop.runUntil(() => loop.timers.size === 0)
      return loop.counters.get('sleeps')
    }
    // 200 ms, in steps of 33.6 ms; one sleep more for the way there, and for each that ends a little early.
    expect(sleeps(40_000_000)).toBeLessThanOrEqual(2 * 8)
  })

  it('ends at the deadline, also when there is always work', () => {
    const loop = new RunLoop()
    loop.add(pollable(() => 1))
    const start = loop.clock.now()
    expect(loop.runUntil(() => false, start + 5_000_000)).toBe(false)
    expect(loop.clock.now() - start).toBeGreaterThanOrEqual(5_000_000)
  })

  it('looks every millisecond for a queue that cannot wake anybody', () => {
    const loop = new RunLoop({ wait: { kind: 'sleep' } })
    loop.add(pollable(() => 0))
    loop.runUntil(() => false, loop.clock.now() + 50_000_000)
    expect(loop.counters.get('rounds')).toBeGreaterThan(10)
    expect(loop.counters.get('rounds')).toBeLessThan(80)
  })

  it('does not sleep when arming finds work', () => {
    const loop = new RunLoop({ wait: { kind: 'sleep' } })
    let armed = 0
    const word = new WakeWord(new SharedArrayBuffer(64))
    loop.add(
      pollable(() => (armed > 0 ? 1 : 0), {
        wake: { kind: 'word', word },
        arm: () => armed++ === 0,
      }),
    )
    expect(loop.runUntil(() => loop.counters.get('work') > 0, loop.clock.now() + 1e9)).toBe(true)
    expect(loop.counters.get('sleeps')).toBe(0)
    expect(loop.counters.get('sleepsAvoided')).toBe(1)
    expect(word.sleeping).toBe(false)
  })

  it('never sleeps when it spins', () => {
    const loop = new RunLoop({ wait: { kind: 'spin' } })
    loop.add(pollable(() => 0))
    loop.runUntil(() => false, loop.clock.now() + 20_000_000)
    expect(loop.counters.get('sleeps')).toBe(0)
    expect(loop.counters.get('rounds')).toBeGreaterThan(100)
  })

  it('has nothing to wait for when there is nothing in it', () => {
    expect(new RunLoop().runUntil(() => false)).toBe(false)
  })
})

describe('drivers', () => {
  it('one at a time', () => {
    const loop = new RunLoop()
    loop.start('guest')
    loop.start('guest')
    expect(() => loop.start('owner')).toThrow(expect.objectContaining({ code: 'EBUSY' }))
    loop.stop()
    loop.start('owner')
    loop.close()
    loop.close()
  })

  it('owner: waits in the loop of Node while something depends on it, and blocks again after that', async () => {
    const loop = new RunLoop({ wait: { kind: 'sleep' } })
    loop.add(pollable(() => 0, { wake: { kind: 'word', word: new WakeWord(new SharedArrayBuffer(64)) } }))
    loop.start('owner')
    const release = loop.dependOnNode()
    const turn = async () => {
      const start = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 5))
      await new Promise((resolve) => setTimeout(resolve, 5))
      return performance.now() - start
    }
    await turn()
    expect(Math.min(await turn(), await turn(), await turn())).toBeLessThan(40)
    release()
    release()
    expect(Math.min(await turn(), await turn(), await turn())).toBeGreaterThan(50)
    loop.close()
  })

  it('guest: wakes for timers and tasks that come while it sleeps', async () => {
    const loop = new RunLoop({ wait: { kind: 'sleep' } })
    loop.add(pollable(() => 0, { wake: { kind: 'word', word: new WakeWord(new SharedArrayBuffer(64)) } }))
    loop.start('guest')
    await new Promise((resolve) => setTimeout(resolve, 20))
    const rounds = loop.counters.get('rounds')
    await new Promise<void>((resolve) => loop.defer(resolve))
    await new Promise<void>((resolve) => loop.timers.at(loop.clock.now() + 3_000_000, () => resolve()))
    expect(loop.counters.get('rounds') - rounds).toBeLessThan(20)
    loop.close()
  })

  it('guest: on a virtual clock, promises come before the passing of time', async () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    loop.start('guest')
    const log: string[] = []
    const at = (time: number) => new Promise<void>((resolve) => loop.timers.at(time, () => resolve()))
    const far = at(1e12).then(() => log.push(`far ${loop.clock.now()}`))
    for (let i = 1; i <= 3; i++) {
      await at(loop.clock.now() + 1000)
      log.push(`near ${loop.clock.now()}`)
    }
    await far
    expect(log).toEqual(['near 1000', 'near 2000', 'near 3000', 'far 1000000000000'])
    loop.close()
  })

  it('guest: a round that asks for it lets promises continue within the quantum', async () => {
    const loop = new RunLoop()
    const log: string[] = []
    let polls = 0
    const each = pollable(() => {
      polls++
      if (polls === 1) {
        Promise.resolve().then(() => log.push(`continued at poll ${polls}`))
        loop.requestYield()
      }
      return 1
    })
    loop.add(each)
    loop.start('guest')
    await new Promise((resolve) => setTimeout(resolve, 5))
    loop.close()
    expect(log).toEqual(['continued at poll 1'])
  })
})
