import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BlockBackendOptions, MonotonicClock } from '@parakernel/hal'
import { diskOf, isInMemory, reachesMedia } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { blockBackend, type IoUringOptions } from '../src/index.ts'
import { MEMORY, Rig, requireIoUring } from './rig.ts'

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

test('the backend says what it is, and every option has a specification', () => {
  const all: Required<IoUringOptions> = {
    path: '',
    size: 0,
    blockSize: 0,
    queues: 0,
    queueDepth: 0,
    direct: 'auto',
    submissionThread: false,
    submissionIdle: 0,
    polledCompletions: false,
    registeredBuffers: false,
  }
  const declared: BlockBackendOptions['io-uring'] = all
  expect(Object.keys(blockBackend.options)).toEqual(Object.keys(declared))
  expect([blockBackend.kind, blockBackend.name]).toEqual(['block-backend', 'io-uring'])
  expect(blockBackend.probe({ clock: new MonotonicClock() })).toEqual({ available: true })
})

test('capabilities are read from what lies beneath', async () => {
  const path = join(rig.folder(), 'image')
  const device = await rig.open({ path })
  const beneath = diskOf(statSync(path).dev)
  expect(device.capabilities).toMatchObject({
    blockSize: 4096,
    volatileCache: true,
    persistence: reachesMedia(path) ? 'media' : 'process-crash',
    attach: 'worker',
    queueDepth: 128,
  })
  if (beneath !== undefined) expect(beneath.physicalBlock).toBeGreaterThanOrEqual(512)
  if (!isInMemory(MEMORY)) return
  const inMemory = await rig.open({ path: join(rig.folder('memory'), 'image'), queueDepth: 16 })
  expect(inMemory.capabilities).toMatchObject({
    blockSize: 4096,
    memoryAlignment: 1,
    volatileCache: false,
    persistence: 'process-crash',
    queueDepth: 16,
  })
})

test('a block that the disk does not write at once is warned of', async () => {
  const path = join(rig.folder(), 'image')
  const physical = diskOf(statSync(rig.folder()).dev)?.physicalBlock ?? 4096
  writeFileSync(path, Buffer.alloc(65_536 * 2))
  await rig.open({ path, blockSize: 65_536 })
  if (physical < 65_536) expect(rig.warnings.join()).toContain('may be torn')
})
