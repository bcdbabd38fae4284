import { readFileSync } from 'node:fs'
import { createPlainWindow, type Host } from '@parakernel/hal'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ProcessPlan } from '../../src/index.ts'
import { createRing } from '../../src/index.ts'
import type { Script } from '../workers/partitions.ts'
import { closeAll, hostOrSkip, rootOrSkip, start } from './rig.ts'

const MODULE = new URL('../workers/partitions.ts', import.meta.url).href

let host: Host
beforeEach((context) => {
  host = hostOrSkip(context)
})
afterEach(closeAll)
const run = (data: Script = {}, more: Partial<ProcessPlan> = {}) => start(host, { module: MODULE, data, ...more })

it('runs the module that a worker runs, and answers calls', async () => {
  const partition = run()
  expect(await partition.call('add', 20, 22)).toBe(42)
  expect(await partition.call('describe')).toEqual({
    name: 'p0',
    index: 0,
    partitions: 2,
    heap: { byteOffset: 65_536, byteLength: 4096 },
    frames: 32,
    debug: true,
    queues: 0,
  })
  expect(await partition.call('later', 5)).toBe('in time')
  await expect(partition.call('fails')).rejects.toMatchObject({ code: 'ENOENT', subject: 'it', remedy: 'Put it there' })
  await expect(partition.call('nothing')).rejects.toMatchObject({ code: 'ENOSYS' })
  await expect(partition.call('unclonable')).rejects.toThrow('could not be cloned')
  await expect(partition.call('add', () => {})).rejects.toThrow('could not be cloned')
  expect(partition.statistics().loop.rounds).toBeGreaterThan(0)
  await expect.poll(() => partition.silence()).toBeLessThan(10_000)
  expect(await partition.stop()).toEqual({ kind: 'stopped' })
  expect(partition.exitStatus).toEqual({ code: 0, signal: null })
  await expect(partition.call('add', 1, 1)).rejects.toMatchObject({ code: 'ENXIO' })
  expect(partition.statistics().loop.rounds).toBeGreaterThan(0)
})

it('has another user, no rights and nothing of the environment', async (context) => {
  rootOrSkip(context)
  const partition = run()
  await partition.ready
  const status = readFileSync(`/proc/${partition.pid}/status`, 'latin1')
  expect(status).toMatch(/^Uid:\s+61184\s+61184\s+61184\s+61184$/m)
  expect(status).toMatch(/^Groups:\s*$/m)
  expect(status).toMatch(/^CapPrm:\s+0+$/m)
  expect(status).toMatch(/^CapBnd:\s+0+$/m)
  expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
  expect(status).toMatch(/^Seccomp:\s+2$/m)
  expect(readFileSync(`/proc/${partition.pid}/environ`, 'latin1')).toBe('')
})

it('that fails to start, to stop, or in its loop, says why', async () => {
  const [starts, stops, loops, none] = [
    run({ fail: 'start' }),
    run({ fail: 'stop' }),
    run({ crashAfter: 10 }),
    start(host, { module: new URL('../helpers/load.ts', import.meta.url).href }),
  ]
  await expect(starts.ready).rejects.toMatchObject({ code: 'EINVAL', subject: 'start' })
  expect(await starts.exited).toMatchObject({ kind: 'crashed', error: { code: 'EINVAL' } })
  expect(await stops.stop(60_000)).toMatchObject({ kind: 'crashed', error: { message: 'as the script says' } })
  expect(await loops.exited).toMatchObject({ kind: 'crashed', error: { code: 'EIO' } })
  await expect(none.ready).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('load.ts') })
})

it('that ends by itself, or is killed by somebody, is reported with status or signal', async () => {
  const partition = run()
  await expect(partition.call('exit')).rejects.toMatchObject({ code: 'ENXIO' })
  expect(await partition.exited).toMatchObject({
    kind: 'crashed',
    error: { code: 'EOWNERDEAD', message: expect.stringContaining('code 7') },
  })
  expect(partition.exitStatus).toEqual({ code: 7, signal: null })

  const killed = run()
  await killed.ready
  process.kill(killed.pid as number, 'SIGKILL')
  expect(await killed.exited).toMatchObject({ error: { message: expect.stringContaining('SIGKILL') } })
  expect(killed.exitStatus).toEqual({ code: null, signal: 'SIGKILL' })
})

it('that does not stop is killed at its deadline, and one that is killed loses its calls', async () => {
  const partition = run()
  await partition.ready
  const spinning = partition.call('spin')
  const exit = await partition.stop(300)
  expect(exit).toMatchObject({ kind: 'crashed', error: { code: 'ETIMEDOUT' } })
  await expect(spinning).rejects.toMatchObject({ code: 'ENXIO' })
  expect(partition.exitStatus).toEqual({ code: null, signal: 'SIGKILL' })
})

it('says what is missing when nothing can confine it', async () => {
  const without = new URL('./no-confinement.ts', import.meta.url).href
  const partition = start(host, { module: MODULE, hostModule: without })
  expect(await partition.exited).toMatchObject({
    error: { code: 'EOWNERDEAD', message: expect.stringMatching(/ENOTSUP[\s\S]*Run the partition in a worker/) },
  })
})

it('takes no memory that cannot cross, no rings, and not root', () => {
  const code = (code: string) => expect.objectContaining({ code, remedy: expect.any(String) })
  expect(() => run({}, { window: createPlainWindow(8) })).toThrow(code('ENOTSUP'))
  const ring = createRing({ slots: 8, slotBytes: 8, wake: new SharedArrayBuffer(64) })
  expect(() => run({}, { incoming: [undefined, ring] })).toThrow(code('ENOTSUP'))
  expect(() => run({}, { user: { uid: 0, gid: 0 } })).toThrow(code('EINVAL'))
})
