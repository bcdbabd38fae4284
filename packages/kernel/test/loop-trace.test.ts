import { RecordRing, recordRingBuffer, VirtualClock } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { LoopTrace, type Pollable, RunLoop, TRACE_ROUND, TRACE_STALL, TRACE_TIMERS } from '../src/index.ts'
import { LogHistogram } from '../src/loop/log-histogram.ts'
import { gcCount } from './helpers/gc-count.ts'

function pollable(poll: () => number): Pollable {
  return { poll, wake: { kind: 'none' }, arm: () => false }
}

describe('a histogram by powers of two', () => {
  it('counts every value in the bucket of its power', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 2 ** 31 - 1, noNaN: true })), (values) => {
        const histogram = new LogHistogram()
        for (const value of values) histogram.record(value)
        const { counts, sum } = histogram.snapshot()
        const expected = counts.map((_, i) => {
          const from = i === 0 ? 0 : 2 ** (i - 1)
          return values.filter((value) => Math.floor(value) >= from && Math.floor(value) < 2 ** i).length
        })
        expect([...counts.slice(1)]).toEqual(expected.slice(1))
        expect(counts.reduce((a, b) => a + b, 0)).toBe(values.length)
        expect(sum).toBeCloseTo(
          values.reduce((a, b) => a + b, 0),
          -3,
        )
      }),
    )
  })

  it('takes what is too large as its largest', () => {
    const histogram = new LogHistogram()
    histogram.record(1e15)
    expect(histogram.snapshot()).toMatchObject({ sum: 2 ** 31 - 1 })
    expect(histogram.snapshot().counts[31]).toBe(1)
  })
})

test('the time of a round runs from its start to the next one, and only rounds with work count', () => {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  let work = 0
  loop.add(pollable(() => work))
  const round = (found: number, after: number) => {
    work = found
    loop.runOnce()
    clock.advance(after)
  }
  round(1, 700)
  round(0, 1e9)
  round(3, 1000)
  round(0, 5)
  const { counts, sum } = loop.counters.roundTimes.snapshot()
  expect(sum).toBe(1700)
  expect(counts[10]).toBe(2)
})

test('a trace has the rounds with work and their timers, for as long as it hangs there', () => {
  const clock = new VirtualClock(1000)
  const loop = new RunLoop({ clock })
  const buffer = recordRingBuffer(4)
  let work = 1
  loop.add(
    pollable(() => {
      clock.advance(10)
      return work
    }),
  )
  loop.runOnce()
  loop.trace = new LoopTrace(buffer, clock)
  loop.timers.at(1010, () => {})
  loop.runOnce()
  work = 0
  loop.runOnce()
  loop.trace = undefined
  work = 1
  loop.runOnce()
  expect(new RecordRing(buffer).records()).toEqual([
    { kind: TRACE_TIMERS, start: 1010, end: 1010, a: 1, b: 0 },
    { kind: TRACE_ROUND, start: 1010, end: 1020, a: 2, b: 1 },
  ])
})

test('what is overwritten is known, and a traced round allocates nothing', async () => {
  const clock = new VirtualClock(0.5)
  const loop = new RunLoop({ clock })
  const buffer = recordRingBuffer(64)
  loop.trace = new LoopTrace(buffer, clock)
  loop.add(pollable(() => 1))
  const body = () => {
    for (let i = 0; i < 1_000_000; i++) loop.runOnce()
  }
  for (let i = 0; i < 3; i++) body()
  expect(await gcCount(body)).toBe(0)
  const ring = new RecordRing(buffer)
  expect([ring.written, ring.records().length]).toEqual([4_000_000, 64])
})

test('an owner that sleeps and yields leaves both in the trace', async () => {
  const loop = new RunLoop({ wait: { kind: 'sleep', gather: 0 }, wake: new SharedArrayBuffer(64) })
  const buffer = recordRingBuffer(1024)
  loop.trace = new LoopTrace(buffer, loop.clock)
  loop.add(pollable(() => 0))
  let ticks = 0
  loop.timers.every(2_000_000, () => ticks++)
  loop.start('owner')
  while (ticks < 5) await new Promise((resolve) => setTimeout(resolve, 1))
  loop.close()
  const records = new RecordRing(buffer).records()
  const slept = records.filter(({ kind }) => kind === 3)
  expect(slept.length).toBeGreaterThan(0)
  for (const { start, end } of records) expect(end).toBeGreaterThanOrEqual(start)
  expect(records.filter(({ kind }) => kind === TRACE_TIMERS).length).toBeGreaterThanOrEqual(5)
})

test('a stall is in the trace, around the round that was too long', async () => {
  const loop = new RunLoop({ wait: { kind: 'spin' }, stall: { bound: 5_000_000 } })
  const buffer = recordRingBuffer(4096)
  loop.trace = new LoopTrace(buffer, loop.clock)
  let isLong = false
  loop.add(
    pollable(() => {
      if (!isLong) return 0
      isLong = false
      const end = process.cpuUsage().user + 30_000
      while (process.cpuUsage().user < end);
      return 1
    }),
  )
  loop.start('guest')
  await new Promise((resolve) => setTimeout(resolve, 20))
  isLong = true
  while (loop.counters.get('stalls') === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    isLong ||= loop.counters.get('preemptions') > 0 && loop.counters.get('stalls') === 0
  }
  loop.close()
  const records = new RecordRing(buffer).records()
  const stalls = records.filter(({ kind }) => kind === TRACE_STALL)
  expect(stalls).toHaveLength(loop.counters.get('stalls'))
  const inStall = records.filter(({ kind, start }) => kind === TRACE_ROUND && start === stalls[0].start)
  expect(inStall).toHaveLength(1)
  expect(stalls[0].end).toBeGreaterThanOrEqual(inStall[0].end)
  expect(stalls[0].end - stalls[0].start).toBeGreaterThan(5_000_000)
})
