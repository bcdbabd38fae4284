import { describe, expect, it } from 'vitest'
import { type Pollable, RunLoop } from '../src/index.ts'
import { Gathering } from '../src/loop/gathering.ts'

/** Quiet spells until the next sleep is due, itself included; each but the sleep's brings one item. */
function spellsUntilDue(gathering: Gathering, work: number): number {
  for (let spells = 1; spells < 10_000; spells++) {
    gathering.quiet(work + spells)
    if (gathering.due) return spells
  }
  throw new Error('never due')
}

describe('gathering sleeps', () => {
  it('follow one another while each brings company', () => {
    const gathering = new Gathering(50_000)
    spellsUntilDue(gathering, 0)
    let work = 100
    for (let i = 0; i < 100; i++) {
      expect(gathering.due).toBe(true)
      gathering.slept(work)
      expect(gathering.due).toBe(false)
      work += 3
      gathering.quiet(work)
    }
  })

  it('become rare where they bring single items: one in a thousand spells', () => {
    const gathering = new Gathering(50_000)
    spellsUntilDue(gathering, 0)
    const gaps: number[] = []
    for (let i = 0; i < 9; i++) {
      gathering.slept(1000 * i)
      gathering.quiet(1000 * i + 1)
      gaps.push(1 + spellsUntilDue(gathering, 1000 * i + 1))
    }
    expect(gaps.map((gap) => gap - 1)).toEqual([16, 32, 64, 128, 256, 512, 1024, 1024, 1024])
    gathering.slept(0)
    gathering.quiet(3)
    expect(gathering.due).toBe(true)
  })

  it('are switched off by 0, and by the policies that spin or are always woken', () => {
    for (const wait of [{ kind: 'hybrid', gather: 0 }, { kind: 'spin' }, { kind: 'sleep' }] as const) {
      const loop = new RunLoop({ wait })
      loop.add(alternating())
      for (let i = 0; i < 1000; i++) {
        loop.runOnce()
        expect(loop.mayGather).toBe(false)
      }
    }
  })
})

/** Four items in every other poll. */
function alternating(): Pollable & { polls: number } {
  return {
    polls: 0,
    poll() {
      return this.polls++ % 2 === 0 ? 4 : 0
    },
    wake: { kind: 'none' },
    arm: () => false,
  }
}

describe('a hybrid loop', () => {
  it('sleeps as soon as it is out of work while that pays, and counts it', () => {
    const loop = new RunLoop({ wait: { kind: 'hybrid', spin: 1e6, gather: 50_000 } })
    const queue = alternating()
    loop.add(queue)
    expect(loop.runUntil(() => queue.polls >= 100, loop.clock.now() + 5e9)).toBe(true)
    expect(loop.counters.get('gathers')).toBeGreaterThan(20)
    expect(loop.counters.get('sleeps')).toBe(0)
  })

  it('does not sleep through a timer for it', () => {
    const loop = new RunLoop({ wait: { kind: 'hybrid', spin: 1e6, gather: 50_000 } })
    const queue = alternating()
    loop.add(queue)
    const next = () => {
      loop.timers.at(loop.now + 60_000, next)
    }
    next()
    loop.runUntil(() => queue.polls >= 1000, loop.clock.now() + 5e9)
    expect(loop.counters.get('gathers')).toBe(0)
  })
})
