import { VirtualClock } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { BACKGROUND, type Pollable, RunLoop, type RunLoopOptions, type Stall } from '../src/index.ts'

/** Keeps the thread on a processor for this long. */
function burn(milliseconds: number): void {
  const cpu = () => {
    process.cpuUsage()
    const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage()
    return (user + system) / 1000
  }
  const start = cpu()
  while (cpu() - start < milliseconds);
}

const HOG = 50

function step(name: string, poll: () => number = () => 0): Pollable {
  return { label: name, poll, wake: { kind: 'none' }, arm: () => false }
}

/** Hogs the loop in the polls of these numbers. */
function hog(name: string, ...when: readonly number[]): Pollable {
  let polls = 0
  return step(name, () => {
    if (!when.includes(++polls)) return 0
    burn(HOG)
    return 1
  })
}

function watched(options: RunLoopOptions = {}) {
  const stalls: Stall[] = []
  const loop = new RunLoop({ wait: { kind: 'spin' }, ...options, stall: { report: (stall) => stalls.push(stall) } })
  const run = (milliseconds: number) => {
    const end = loop.clock.now() + milliseconds * 1e6
    loop.runUntil(() => loop.clock.now() >= end)
  }
  /** Until so many were reported; a report comes with the round that follows, or with the end of the run. */
  const runUntilStalled = (count: number) => {
    const end = loop.clock.now() + 20e9
    expect(loop.runUntil(() => stalls.length >= count, end)).toBe(true)
  }
  return { loop, stalls, run, runUntilStalled }
}

describe('a step that hogs the loop', () => {
  it('is reported with its name and duration, and counted', () => {
    const { loop, stalls, run, runUntilStalled } = watched()
    for (let i = 0; i < 10; i++) loop.add(step(`queue ${i}`))
    loop.add(hog('hog', 5))
    runUntilStalled(1)
    run(5)
    expect(stalls).toHaveLength(1)
    expect(stalls[0]).toMatchObject({ step: 'hog', suspects: ['hog'] })
    expect(stalls[0].duration).toBeGreaterThanOrEqual(HOG * 1e6 * 0.9)
    expect(loop.lastStall).toBe(stalls[0])
    expect(loop.counters.get('stalls')).toBe(1)
    expect(loop.counters.get('longestStall')).toBe(stalls[0].duration)
  })

  it('is one of the suspects when others worked as well, and is named the next time', () => {
    const { loop, stalls, runUntilStalled } = watched()
    for (let i = 0; i < 3; i++) loop.add(step(`queue ${i}`, () => 1))
    loop.add(hog('hog', 5, 50))
    loop.add(step('behind', () => 1))
    runUntilStalled(2)
    expect(stalls.map(({ step }) => step)).toEqual([undefined, 'hog'])
    expect(stalls[0].suspects).toContain('hog')
  })

  it('is found in every group', () => {
    const { loop, stalls, runUntilStalled } = watched()
    loop.add(step('queue', () => 1))
    loop.add(hog('hog', 5, 50), BACKGROUND)
    runUntilStalled(2)
    expect(stalls[0].suspects).toEqual(['queue', 'hog'])
    expect(stalls[1].step).toBe('hog')
  })

  it('may say that it did nothing', () => {
    const { loop, stalls, runUntilStalled } = watched()
    let polls = 0
    loop.add(
      step('liar', () => {
        if (++polls === 5 || polls === 50) burn(HOG)
        return 0
      }),
    )
    loop.add(step('other'))
    runUntilStalled(2)
    expect(stalls[0].suspects).toEqual(['liar', 'other'])
    expect(stalls[1].step).toBe('liar')
  })

  it('may be a timer, or a deferred task', () => {
    const { loop, stalls, runUntilStalled } = watched()
    loop.add(step('queue'))
    loop.timers.at(loop.clock.now() + 5e6, function retransmit() {
      burn(HOG)
    })
    runUntilStalled(1)
    loop.defer(function flush() {
      burn(HOG)
    })
    runUntilStalled(2)
    expect(stalls.map(({ step }) => step)).toEqual(['timer retransmit', 'task flush'])
  })

  it('is found among many timers of one round', () => {
    const { loop, stalls, runUntilStalled } = watched()
    for (let i = 0; i < 2; i++) {
      const time = loop.clock.now() + (5 + 100 * i) * 1e6
      loop.timers.at(time, () => {})
      loop.timers.at(time, function slow() {
        burn(HOG)
      })
      loop.timers.at(time, () => {})
    }
    runUntilStalled(2)
    expect(stalls.map(({ step }) => step)).toEqual([undefined, 'timer slow'])
  })

  it('is noticed when the loop is driven, and when it sleeps afterwards', async () => {
    for (const kind of ['guest', 'owner'] as const) {
      const { loop, stalls } = watched({ wait: { kind: 'sleep' } })
      loop.add(hog('hog', 3))
      loop.start(kind)
      const end = performance.now() + 20_000
      while (stalls.length === 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
      loop.close()
      expect(stalls.map(({ step }) => step)).toEqual(['hog'])
    }
  })
})

describe('no stall is', () => {
  it('a loop that is not disturbed, however loaded the machine is', (context) => {
    if (process.threadCpuUsage === undefined) context.skip('Node before 23.9 knows no CPU time of a thread')
    const { loop, stalls, run } = watched()
    for (let i = 0; i < 10; i++) loop.add(step(`queue ${i}`, () => 1))
    loop.timers.every(1e6, () => {})
    run(300)
    expect(stalls).toEqual([])
    expect(loop.counters.get('stalls')).toBe(0)
  })

  it('time in which the thread did not run, which is counted as preemption', (context) => {
    if (process.threadCpuUsage === undefined) context.skip('Node before 23.9 knows no CPU time of a thread')
    const { loop, stalls, run } = watched()
    const nobody = new Int32Array(new SharedArrayBuffer(4))
    let polls = 0
    loop.add(
      step('descheduled', () => {
        if (++polls === 5) Atomics.wait(nobody, 0, 0, HOG)
        return 1
      }),
    )
    run(20)
    expect(stalls).toEqual([])
    expect(loop.counters.get('preemptions')).toBeGreaterThanOrEqual(1)
  })

  it('what Node does in its turn, or the program between rounds', async () => {
    const { loop, stalls } = watched()
    loop.add(step('queue', () => 1))
    for (let i = 0; i < 3; i++) {
      loop.runOnce()
      burn(HOG)
    }
    loop.start('guest')
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      burn(HOG)
    }
    loop.close()
    expect(stalls).toEqual([])
  })

  it('what takes long on a virtual clock alone', () => {
    const { loop, stalls } = watched({ clock: new VirtualClock() })
    loop.timers.at(1e12, () => {})
    loop.runUntil(() => false)
    expect(stalls).toEqual([])
  })
})
