import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  attachNetQueue,
  createPlainWindow,
  DebugFramePool,
  RecordRing,
  recordRingBuffer,
  VirtualClock,
} from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loopbackFixture } from '../../hal-conformance/test/loopback/fixture.ts'
import { type TraceDevice, type TraceOptions, trace } from '../src/index.ts'
import { chromeTrace } from '../src/trace/chrome-trace.ts'
import { TraceQueue } from '../src/trace/queue.ts'
import { load, take } from './support/bursts.ts'
import { FakeQueue, numbered } from './support/fake-queue.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trace-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function open(records = 64) {
  const inner = new FakeQueue()
  const clock = new VirtualClock(5_000)
  const ring = recordRingBuffer(records)
  const queue = new TraceQueue(inner, inner.grant, { ring }, clock)
  const events = () =>
    chromeTrace('fake0', new Map([[0, new RecordRing(ring)]])).traceEvents.filter(({ ph }) => ph !== 'M')
  return { inner, clock, queue, events }
}

test('bursts with work are slices, empty polls are nothing', () => {
  const { inner, clock, queue, events } = open()
  take(queue)
  inner.feed(numbered(1))
  inner.feed(numbered(2))
  clock.advanceTo(7_000)
  take(queue)
  clock.advanceTo(8_000)
  queue.transmit(load(queue, [[numbered(3)]]))
  expect(events()).toEqual([
    { name: 'receive', cat: 'net', ph: 'X', ts: 7, dur: 0, pid: 1, tid: 0, args: { entries: 2, capacity: 32 } },
    { name: 'transmit', cat: 'net', ph: 'X', ts: 8, dur: 0, pid: 1, tid: 0, args: { offered: 1, taken: 1 } },
  ])
})

test('a full ring and a refusal are instants', () => {
  const { inner, queue, events } = open()
  inner.room = 1
  const burst = load(queue, [[numbered(1)], [numbered(2)], [numbered(3)]])
  burst.length[0] = 0
  expect(queue.transmit(burst)).toBe(2)
  expect(events().map(({ name, ph, args }) => ({ name, ph, args }))).toEqual([
    { name: 'transmit', ph: 'X', args: { offered: 3, taken: 2 } },
    { name: 'ring full', ph: 'i', args: { left: 1 } },
    { name: 'refused', ph: 'i', args: { entries: 1 } },
  ])
})

test('a sleep lasts from arm to the next call', () => {
  const { inner, clock, queue, events } = open()
  inner.feed(numbered(1))
  expect(queue.arm()).toBe(true)
  take(queue)
  clock.advanceTo(10_000)
  expect(queue.arm()).toBe(false)
  clock.advanceTo(50_000)
  inner.feed(numbered(2))
  take(queue)
  expect(events().map(({ name, ts, dur }) => ({ name, ts, dur }))).toEqual([
    { name: 'receive', ts: 5, dur: 0 },
    { name: 'sleep', ts: 10, dur: 40 },
    { name: 'receive', ts: 50, dur: 0 },
  ])
})

test('the latest events are kept, and the file says how many are not', () => {
  const { inner, clock, queue, events } = open(16)
  for (let i = 0; i < 100; i++) {
    clock.advanceTo(10_000 + i * 1_000)
    inner.feed(numbered(i))
    take(queue)
  }
  expect(events()).toHaveLength(16)
  expect(events().map(({ ts }) => ts)).toEqual(Array.from({ length: 16 }, (_, i) => 94 + i))
})

test('the file is written at close, with a process for the device and a thread for each queue', async () => {
  const fixture = await loopbackFixture(2)
  const clock = new VirtualClock()
  const file = join(directory, 'out.json')
  const device = trace.wrap(fixture.device, { file, events: 16 }, { clock }) as TraceDevice
  for (const number of [0, 1]) {
    const grant = device.grant(number, createPlainWindow(512))
    const queue = await attachNetQueue(grant, { pool: new DebugFramePool(grant.window), clock })
    for (let i = 0; i < 20; i++) {
      await fixture.wire.send(numbered(i), { queue: number })
      take(queue)
    }
  }
  await device.close()
  await device.close()
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as ReturnType<TraceDevice['trace']>
  expect(traceEvents.filter(({ ph }) => ph === 'M').map(({ name, tid, args }) => ({ name, tid, args }))).toEqual([
    { name: 'process_name', tid: 0, args: { name: 'loopback0' } },
    { name: 'thread_name', tid: 0, args: { name: 'queue 0' } },
    { name: 'thread_labels', tid: 0, args: { labels: '4 older events overwritten' } },
    { name: 'thread_name', tid: 1, args: { name: 'queue 1' } },
    { name: 'thread_labels', tid: 1, args: { labels: '4 older events overwritten' } },
  ])
  for (const tid of [0, 1])
    expect(traceEvents.filter((event) => event.ph === 'X' && event.tid === tid)).toHaveLength(16)
})

test('disabled, the device is not wrapped; too few events are refused; a bad place is an error', async () => {
  const { device } = await loopbackFixture(1)
  const context = { clock: new VirtualClock() }
  expect(trace.wrap(device, { enabled: false }, context)).toBe(device)
  for (const wrong of [{ events: 3 }, { path: 'trace.json' }] as TraceOptions[]) {
    expect(() => trace.wrap(device, wrong, context)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  }
  const wrapped = trace.wrap(device, { file: join(directory, 'no', 'such', 'place') }, context)
  await expect(wrapped.close()).rejects.toMatchObject({ code: 'EIO' })
})
