import { expect, test } from 'vitest'
import {
  attachNetQueue,
  ControlBlock,
  createPlainWindow,
  FramePool,
  NetCounters,
  type NetQueueGrant,
  VirtualClock,
} from '../src/index.ts'
import { capabilities } from './support/capabilities.ts'

function grantOf(module: string): NetQueueGrant<{ tag: string }> {
  return {
    module,
    device: 'test0',
    queue: 3,
    window: createPlainWindow(4),
    capabilities,
    control: new ControlBlock().buffer,
    counters: new NetCounters().values.buffer as SharedArrayBuffer,
    transport: { tag: 'mine' },
  }
}

test.each(['sync', 'async'])('a grant attaches through the module that it names (%s)', async (kind) => {
  const module = new URL(`./support/${kind}-backend.ts`, import.meta.url).href
  const grant = structuredClone(grantOf(module))
  const pool = new FramePool(grant.window)
  const queue = await attachNetQueue(grant, { pool, clock: new VirtualClock() })
  expect(queue.grant.transport).toEqual({ tag: 'mine' })
  expect(queue.pool).toBe(pool)
})

test('what attach throws reaches the caller', async () => {
  const grant = { ...grantOf(new URL('./support/sync-backend.ts', import.meta.url).href), queue: 99 }
  await expect(
    attachNetQueue(grant, { pool: new FramePool(grant.window), clock: new VirtualClock() }),
  ).rejects.toMatchObject({ code: 'ESTALE' })
})
