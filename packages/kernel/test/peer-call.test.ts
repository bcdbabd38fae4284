import { createPlainWindow, VirtualClock } from '@parakernel/hal'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type PartitionHandle,
  type PartitionPlan,
  type Peers,
  RunLoop,
  runPartitionInline,
  spawnPartition,
} from '../src/index.ts'

const MODULE = new URL('./workers/partitions.ts', import.meta.url).href

const plan = (index: number): PartitionPlan => ({
  name: `p${index}`,
  index,
  partitions: 3,
  module: MODULE,
  grants: [],
  window: createPlainWindow(32),
  heap: { byteOffset: 65_536, byteLength: 0 },
  incoming: [],
  outgoing: [],
  cpu: undefined,
  wait: { kind: 'hybrid' },
  hostModule: undefined,
  data: {},
})

const teardown: (() => unknown)[] = []
afterEach(async () => {
  for (const one of teardown.splice(0).reverse()) await one()
})

type Start = (plan: PartitionPlan, peers?: Peers) => PartitionHandle
const kinds: Record<string, () => readonly [Start, Start]> = {
  'two workers': () => {
    const start: Start = (one, peers) => spawnPartition(one, peers === undefined ? {} : { peers })
    return [start, start]
  },
  'two on one loop': () => {
    const loop = new RunLoop()
    loop.start('guest')
    teardown.push(() => loop.close())
    const start: Start = (one, peers) => runPartitionInline(one, loop, undefined, peers)
    return [start, start]
  },
  'a worker and one in the calling thread': () => {
    const loop = new RunLoop()
    loop.start('guest')
    teardown.push(() => loop.close())
    return [
      (one, peers) => spawnPartition(one, peers === undefined ? {} : { peers }),
      (one, peers) => runPartitionInline(one, loop, undefined, peers),
    ]
  },
}

for (const [kind, starts] of Object.entries(kinds)) {
  describe(`calls between partitions: ${kind}`, () => {
    function pair(): readonly [PartitionHandle, PartitionHandle] {
      const handles: PartitionHandle[] = []
      for (const [i, start] of starts().entries()) handles.push(start(plan(i), (index) => handles[index]))
      teardown.push(() => Promise.all(handles.map((one) => one.stop(2000))))
      return handles as unknown as readonly [PartitionHandle, PartitionHandle]
    }

    it('bring arguments there and results back, both ways at once', async () => {
      const [a, b] = pair()
      const sums = Array.from({ length: 100 }, (_, i) => [
        a.call('ask', 1, 'add', [i, 1]),
        b.call('ask', 0, 'add', [i, 2]),
      ])
      const expected = Array.from({ length: 100 }, (_, i) => [i + 1, i + 2])
      expect(await Promise.all(sums.map((both) => Promise.all(both)))).toEqual(expected)
      expect(await a.call('ask', 1, 'describe', [])).toMatchObject({ name: 'p1', index: 1 })
      // Itself, and by way of another one back to itself.
      expect(await a.call('ask', 0, 'add', [1, 2])).toBe(3)
      expect(await a.call('ask', 1, 'ask', [0, 'add', [2, 3]])).toBe(5)
    })

    it('bring errors back with their code', async () => {
      const [a] = pair()
      const failure = (...args: unknown[]) => a.call('ask', ...args).catch((error: unknown) => error)
      expect(await failure(1, 'fails', [])).toMatchObject({ code: 'ENOENT', subject: 'it', remedy: 'Put it there' })
      expect(await failure(1, 'nothing', [])).toMatchObject({ code: 'ENOSYS' })
      for (const none of [3, -1, 0.5]) expect(await failure(none, 'add', [])).toMatchObject({ code: 'EINVAL' })
      expect(await failure(2, 'add', [])).toMatchObject({ code: 'ENXIO', remedy: expect.stringContaining('started') })
      expect(await failure(1, 'add', [1, 2], -5)).toMatchObject({ code: 'EINVAL' })
    })

    it('end at their deadline, and those after them are not disturbed by a late answer', async () => {
      const [a] = pair()
      await expect(a.call('ask', 1, 'never', [], 20)).rejects.toMatchObject({
        code: 'ETIMEDOUT',
        subject: 'never of partition 1',
      })
      await expect(a.call('ask', 1, 'later', [100], 10)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
      expect(await a.call('ask', 1, 'later', [150])).toBe('in time')
      expect(await a.call('ask', 1, 'add', [1, 1])).toBe(2)
    })

    it('to one that has ended fail with ENXIO', async () => {
      const [a, b] = pair()
      await Promise.all([a.ready, b.ready])
      await b.stop()
      await expect(a.call('ask', 1, 'add', [1, 1])).rejects.toMatchObject({ code: 'ENXIO' })
    })
  })
}

it('a partition without peers is told so', async () => {
  const handle = spawnPartition(plan(0))
  teardown.push(() => handle.stop(2000))
  await expect(handle.call('ask', 1, 'add', [1, 1])).rejects.toMatchObject({ code: 'ENXIO', remedy: /peers/ })
})

it('a worker that crashes in the middle of a call fails it', async () => {
  const handles: PartitionHandle[] = []
  for (const i of [0, 1]) handles.push(spawnPartition(plan(i), { peers: (index) => handles[index] }))
  teardown.push(() => Promise.all(handles.map((one) => one.stop(2000))))
  await expect(handles[0].call('ask', 1, 'exit', [])).rejects.toMatchObject({ code: 'ENXIO' })
})

it('on a virtual clock the deadline is virtual, too', async () => {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const handles: PartitionHandle[] = []
  for (const i of [0, 1]) handles.push(runPartitionInline(plan(i), loop, undefined, (index) => handles[index]))
  await Promise.all(handles.map(({ ready }) => ready))
  loop.start('guest')
  teardown.push(() => loop.close())
  await expect(handles[0].call('ask', 1, 'never', [], 3_600_000)).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  expect(loop.clock.now()).toBeGreaterThanOrEqual(3.6e12)
})
