import { VirtualClock, WakeWord } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createRing,
  MAX_READY_FLAGS,
  type Pollable,
  ReadyFlags,
  ReadySet,
  RingConsumer,
  RingPollable,
  RingProducer,
  RunLoop,
  readyFlagsBuffer,
} from '../src/index.ts'

function makeSet(count: number) {
  const buffer = readyFlagsBuffer(count)
  const flags = new ReadyFlags(buffer)
  const set = new ReadySet(buffer, new WakeWord(new SharedArrayBuffer(64)), 'set')
  const queued = new Int32Array(count)
  const polls = new Int32Array(count)
  const member = (i: number): Pollable => ({
    label: `queue ${i}`,
    poll(_now, limit = Infinity) {
      polls[i]++
      const work = Math.min(queued[i], limit)
      queued[i] -= work
      return work
    },
    wake: { kind: 'none' },
    arm: () => queued[i] > 0,
  })
  const put = (i: number, items: number) => {
    queued[i] += items
    flags.raise(i)
  }
  return { set, flags, queued, polls, member, put }
}

const drain = (set: ReadySet, limit?: number) => {
  let work = 0
  for (let done = set.poll(0, limit); done > 0; done = set.poll(0, limit)) work += done
  return work
}

describe('a ready set', () => {
  it('polls members that are ready, and none of the others', () => {
    const { set, polls, member, put } = makeSet(1000)
    for (let i = 0; i < 1000; i++) set.add(i, member(i))
    expect(drain(set)).toBe(0)
    polls.fill(0)
    for (const i of [0, 31, 32, 500, 999]) put(i, 3)
    expect(set.arm()).toBe(true)
    expect(set.poll(0)).toBe(15)
    expect(set.poll(0)).toBe(0)
    expect(set.arm()).toBe(false)
    // Once with work, and once more to find that there is no more of it.
    expect([...polls.keys()].filter((i) => polls[i] > 0)).toEqual([0, 31, 32, 500, 999])
    expect(polls.reduce((a, b) => a + b)).toBe(10)
    for (let i = 0; i < 100; i++) set.poll(0)
    expect(polls.reduce((a, b) => a + b)).toBe(10)
  })

  it('does no more than it is asked for, and goes on where it stopped', () => {
    const { set, queued, member, put } = makeSet(1000)
    for (let i = 0; i < 1000; i++) set.add(i, member(i))
    drain(set)
    for (let i = 0; i < 1000; i++) put(i, 10)
    for (let i = 0; i < 100; i++) expect(set.poll(0, 10)).toBe(10)
    expect(queued.filter((left) => left === 0).length).toBe(100)
    expect(drain(set, 64)).toBe(9000)
  })

  it('serves each of many busy members, wherever it is', () => {
    const { set, queued, member, put } = makeSet(64)
    for (let i = 0; i < 64; i++) set.add(i, member(i))
    drain(set)
    for (let i = 0; i < 64; i++) put(i, 1_000_000)
    for (let i = 0; i < 640; i++) set.poll(0, 7)
    const served = [...queued].map((left) => 1_000_000 - left)
    expect(Math.max(...served) - Math.min(...served)).toBeLessThanOrEqual(7)
  })

  it('says what it is, and who of its members worked', () => {
    const { set, member, put } = makeSet(8)
    expect(set.label).toBe('set')
    set.add(3, member(3))
    put(3, 1)
    set.poll(0)
    expect(set.label).toBe('set: queue 3')
  })

  it('finds all work, whatever is raised, polled, added and removed', () => {
    const count = 100
    const index = fc.nat(count - 1)
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({ kind: fc.constant('put' as const), index, items: fc.integer({ min: 1, max: 9 }) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ kind: fc.constant('poll' as const), limit: fc.integer({ min: 1, max: 20 }) }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), index }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('add' as const), index }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { set, queued, member, put } = makeSet(count)
        const present = new Set<number>()
        const add = (i: number) => {
          if (present.has(i)) return
          present.add(i)
          set.add(i, member(i))
        }
        for (let i = 0; i < count; i += 2) add(i)
        const waiting = () => [...present].reduce((sum, i) => sum + queued[i], 0)
        for (const action of steps) {
          if (action.kind === 'put') put(action.index, action.items)
          else if (action.kind === 'add') add(action.index)
          else if (action.kind === 'remove') {
            present.delete(action.index)
            set.remove(action.index)
          } else {
            const before = waiting()
            const done = set.poll(0, action.limit)
            expect(done).toBe(before - waiting())
            expect(done).toBe(Math.min(before, action.limit))
          }
          if (waiting() > 0) expect(set.arm()).toBe(true)
        }
        drain(set)
        expect(waiting()).toBe(0)
        expect(set.arm()).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  it('polls rings of which it is told by their flags alone', () => {
    const flags = readyFlagsBuffer(40)
    const wake = new SharedArrayBuffer(64)
    const set = new ReadySet(flags, new WakeWord(wake))
    const loop = new RunLoop({ clock: new VirtualClock() })
    loop.add(set)
    const received: string[] = []
    const producers = Array.from({ length: 40 }, (_, index) => {
      const ring = createRing({ slots: 64, slotBytes: 8, wake, ready: { flags, index } })
      const consumer = new RingConsumer(ring)
      set.add(index, new RingPollable(consumer, (at) => received.push(`${index}: ${consumer.words[at >> 2]}`)))
      return new RingProducer(ring)
    })
    const send = (index: number, value: number) => {
      const producer = producers[index]
      producer.words[producer.claim() >> 2] = value
      producer.publish()
    }
    while (loop.runOnce() > 0);
    expect(set.arm()).toBe(false)
    send(39, 1)
    send(7, 2)
    send(39, 3)
    expect(set.arm()).toBe(true)
    while (loop.runOnce() > 0);
    expect(received.sort()).toEqual(['39: 1', '39: 3', '7: 2'])
    // More than one poll of a ring takes: the rest needs no other flag.
    for (let i = 0; i < 64; i++) send(3, i)
    let work = 0
    for (let done = loop.runOnce(); done > 0; done = loop.runOnce()) work += done
    expect(work).toBe(64)
  })

  it('refuses flags that are none or taken, and members with a time of their own', () => {
    const { set, member } = makeSet(32)
    const code = (code: string) => expect.objectContaining({ code })
    for (const index of [-1, 32, 0.5]) expect(() => set.add(index, member(0))).toThrow(code('EINVAL'))
    set.add(0, member(0))
    expect(() => set.add(0, member(0))).toThrow(code('EBUSY'))
    expect(() => set.add(1, { ...member(1), nextEvent: () => 5 })).toThrow(code('EINVAL'))
    for (const count of [0, MAX_READY_FLAGS + 1, 1.5]) expect(() => readyFlagsBuffer(count)).toThrow(code('EINVAL'))
  })
})
