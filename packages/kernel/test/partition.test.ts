import { createPlainWindow, VirtualClock } from '@parakernel/hal'
import { afterEach, describe, expect, it } from 'vitest'
import {
  createRing,
  type PartitionHandle,
  type PartitionPlan,
  RunLoop,
  runPartitionInline,
  spawnPartition,
} from '../src/index.ts'
import type { Script } from './workers/partitions.ts'

const MODULE = new URL('./workers/partitions.ts', import.meta.url).href

function plan(data: Script = {}, more: Partial<PartitionPlan> = {}): PartitionPlan<Script> {
  return {
    name: 'p0',
    index: 0,
    partitions: 2,
    module: MODULE,
    grants: [],
    window: createPlainWindow(32),
    heap: { byteOffset: 65_536, byteLength: 4096 },
    incoming: [],
    outgoing: [],
    cpu: undefined,
    wait: { kind: 'hybrid' },
    hostModule: undefined,
    debugFrames: true,
    ...more,
    data,
  }
}

const open: { handle: PartitionHandle; loop?: RunLoop }[] = []

afterEach(async () => {
  for (const { handle, loop } of open.splice(0)) {
    await handle.stop(500)
    loop?.close()
  }
})

const kinds = {
  'in a worker': (...args: Parameters<typeof plan>) => {
    const handle = spawnPartition(plan(...args))
    open.push({ handle })
    return handle
  },
  'in the calling thread': (...args: Parameters<typeof plan>) => {
    const loop = new RunLoop()
    loop.start('guest')
    const handle = runPartitionInline(plan(...args), loop)
    open.push({ handle, loop })
    return handle
  },
}

for (const [kind, run] of Object.entries(kinds)) {
  describe(`a partition ${kind}`, () => {
    it('gets what its plan says, and answers calls', async () => {
      const partition = run()
      await partition.ready
      expect(await partition.call('describe')).toEqual({
        name: 'p0',
        index: 0,
        partitions: 2,
        heap: { byteOffset: 65_536, byteLength: 4096 },
        frames: 32,
        debug: true,
        queues: 0,
      })
      expect(await Promise.all([partition.call('add', 1, 2), partition.call('add', 3, 4)])).toEqual([3, 7])
      expect(await partition.call('later', 5)).toBe('in time')
      expect(partition.statistics().loop.timers).toBeGreaterThan(0)
      expect(await partition.stop()).toEqual({ kind: 'stopped' })
      expect(await partition.exited).toEqual({ kind: 'stopped' })
    })

    it('takes calls before it is ready', async () => {
      expect(await run().call('add', 20, 22)).toBe(42)
    })

    it('hands errors on with their code, and survives them', async () => {
      const partition = run()
      await expect(partition.call('fails')).rejects.toMatchObject({
        code: 'ENOENT',
        subject: 'it',
        remedy: 'Put it there',
        message: expect.stringContaining('is not there'),
      })
      await expect(partition.call('nothing')).rejects.toMatchObject({
        code: 'ENOSYS',
        remedy: expect.stringContaining('describe, add'),
      })
      expect(await partition.call('add', 1, 1)).toBe(2)
    })

    it('that fails to start rejects `ready`, and is gone', async () => {
      const partition = run({ fail: 'start' })
      await expect(partition.ready).rejects.toMatchObject({ code: 'EINVAL', subject: 'start' })
      expect(await partition.exited).toMatchObject({ kind: 'crashed', error: { code: 'EINVAL' } })
      await expect(partition.call('add', 1, 1)).rejects.toMatchObject({ code: 'EINVAL' })
    })

    it('that fails to stop says so', async () => {
      const partition = run({ fail: 'stop' })
      await partition.ready
      expect(await partition.stop()).toMatchObject({ kind: 'crashed', error: { message: 'as the script says' } })
    })

    it('refuses calls after its end', async () => {
      const partition = run()
      await partition.ready
      await partition.stop()
      await expect(partition.call('add', 1, 1)).rejects.toMatchObject({ code: 'ENXIO' })
      expect(await partition.stop()).toEqual({ kind: 'stopped' })
    })

    it('names a module that is none', async () => {
      const none = run({}, { module: new URL('./helpers/load.ts', import.meta.url).href })
      await expect(none.ready).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('load.ts') })
    })
  })
}

describe('a worker partition', () => {
  const run = kinds['in a worker']

  it('that throws in its loop is gone with that error, and nothing hangs', async () => {
    const partition = run({ crashAfter: 30 })
    await partition.ready
    const call = partition.call('later', 60_000)
    expect(await partition.exited).toMatchObject({
      kind: 'crashed',
      error: { code: 'EIO', message: expect.stringContaining('thrown in the loop') },
    })
    await expect(call).rejects.toMatchObject({ code: 'ENXIO' })
    expect(await partition.stop()).toMatchObject({ kind: 'crashed' })
  })

  it('whose thread ends by itself is a crash', async () => {
    const partition = run()
    await expect(partition.call('exit')).rejects.toMatchObject({ code: 'ENXIO' })
    expect(await partition.exited).toMatchObject({
      kind: 'crashed',
      error: { code: 'EOWNERDEAD', message: expect.stringContaining('7') },
    })
  })

  it('that does not stop is ended by force', async () => {
    const partition = run()
    await partition.ready
    void partition.call('spin').catch(() => {})
    expect(await partition.stop(100)).toMatchObject({ kind: 'crashed', error: { code: 'ETIMEDOUT' } })
  })

  it('that never gets ready can be stopped', async () => {
    const partition = run({ hang: true })
    expect(await partition.stop(100)).toMatchObject({ kind: 'crashed', error: { code: 'ETIMEDOUT' } })
    await expect(partition.ready).rejects.toMatchObject({ code: 'ETIMEDOUT' })
  })

  it('says so when a result cannot cross', async () => {
    await expect(run().call('unclonable')).rejects.toThrow(/could not be cloned/)
  })

  it('cannot be pinned without a host', async () => {
    await expect(run({}, { cpu: 0 }).ready).rejects.toMatchObject({ code: 'ENOTSUP' })
  })

  it('is woken by a call while it sleeps', async () => {
    const partition = run({}, { wait: { kind: 'sleep' } })
    await partition.ready
    const times: number[] = []
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      const start = performance.now()
      await partition.call('add', 1, 1)
      times.push(performance.now() - start)
    }
    // Its longest sleep is 50 ms; the median of calls that it slept through would be half of that.
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(15)
  })

  it('sends to another by a ring', async () => {
    const windows = [createPlainWindow(8), createPlainWindow(8)]
    const ring = createRing({ slots: 64, slotBytes: 8, wake: windows[1].wake })
    const first = run({}, { window: windows[0], outgoing: [undefined, ring], incoming: [] })
    const second = run({}, { name: 'p1', index: 1, window: windows[1], incoming: [ring], outgoing: [] })
    await Promise.all([first.ready, second.ready])
    expect(await first.call('send', 1, 50)).toBe(50)
    while ((await second.call('received')) !== 50) await new Promise((resolve) => setTimeout(resolve, 1))
  })
})

describe('partitions in one thread', () => {
  it('run on a virtual clock', async () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    loop.start('guest')
    const ring = createRing({ slots: 64, slotBytes: 8, wake: new SharedArrayBuffer(64) })
    const first = runPartitionInline(plan({}, { outgoing: [undefined, ring] }), loop)
    const second = runPartitionInline(plan({}, { index: 1, incoming: [ring] }), loop)
    await Promise.all([first.ready, second.ready])
    await first.call('send', 1, 10)
    expect(await first.call('later', 3_600_000)).toBe('in time')
    expect(loop.clock.now()).toBe(3.6e12)
    expect(await second.call('received')).toBe(10)
    await Promise.all([first.stop(), second.stop()])
    loop.close()
  })
})
