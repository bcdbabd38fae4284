import type { Host } from '@parakernel/hal'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { PartitionHandle } from '../../src/index.ts'
import { closeAll, hostOrSkip, start } from './rig.ts'

const MODULE = new URL('../workers/partitions.ts', import.meta.url).href
const CALLER = new URL('../workers/peer-caller.ts', import.meta.url).href
const LIAR = new URL('../workers/liar.ts', import.meta.url).href

let host: Host
beforeEach((context) => {
  host = hostOrSkip(context)
})
afterEach(closeAll)

it('a process calls methods of other partitions by way of the control plane', async () => {
  const handles: PartitionHandle[] = []
  const peers = (index: number) => handles[index]
  handles.push(start(host, { name: 'p0', index: 0, module: MODULE }, { peers }))
  handles.push(start(host, { name: 'p1', index: 1, module: CALLER }, { peers }))
  expect(await handles[1].call('ask', 0, 'add', [1, 2])).toBe(3)
  await expect(handles[1].call('ask', 0, 'nothing')).rejects.toMatchObject({ code: 'ENOSYS' })
  await expect(handles[1].call('ask', 2, 'add')).rejects.toMatchObject({ code: 'EINVAL' })
  expect(await handles[0].stop()).toEqual({ kind: 'stopped' })
  await expect(handles[1].call('ask', 0, 'add', [1, 2])).rejects.toMatchObject({ code: 'ENXIO' })
})

it.each(['garbage', 'a length beyond all messages', 'a value that is no message'])(
  'a process that sends %s is killed, and nothing else happens',
  async (what) => {
    const partition = start(host, { module: LIAR })
    await partition.ready
    const call = partition.call('send', what).catch((error) => error.code)
    expect(await partition.exited).toMatchObject({ kind: 'crashed', error: { code: 'EPROTO' } })
    expect(partition.exitStatus).toEqual({ code: null, signal: 'SIGKILL' })
    expect(await call).toBe('ENXIO')
  },
)

it('a process that lies in its status page is not believed', async () => {
  const partition = start(host, { module: LIAR })
  await partition.call('lie')
  const { loop, roundTimes } = partition.statistics()
  for (const value of [...Object.values(loop), ...roundTimes.counts, roundTimes.sum]) {
    expect(Number.isSafeInteger(value) && value >= 0).toBe(true)
  }
  expect(partition.silence()).toBeGreaterThanOrEqual(0)
  expect(await partition.stop()).toEqual({ kind: 'stopped' })
})
