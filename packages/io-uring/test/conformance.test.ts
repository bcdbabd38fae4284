import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type BlockConformanceOptions, type BlockFixture, blockDeviceConformance } from '@parakernel/hal-conformance'
import { createLoopDevice, LinuxHost, probeIoUring } from '@parakernel/linux'
import { describe, test } from 'vitest'
import { blockBackend, type IoUringOptions } from '../src/index.ts'
import { canMakeLoopDevices, clock, MEMORY, Rig } from './rig.ts'

const BYTES = 16 << 20
const LONG = process.env.PARAKERNEL_LONG === '1'
const HOST = new URL('./host-module.ts', import.meta.url).href

/** A device on a file of its own, or on a loop device over one. */
async function fixture(place: 'disk' | 'memory' | 'loop', options: Partial<IoUringOptions>): Promise<BlockFixture> {
  const rig = new Rig()
  const path = join(rig.folder(place === 'memory' ? 'memory' : 'disk'), 'image')
  let opened: IoUringOptions = { path, size: BYTES, queues: 2, ...options }
  if (place === 'loop') {
    await (await rig.open({ path, size: BYTES })).close()
    const loop = createLoopDevice({ path })
    rig.onClose(() => loop.close())
    opened = { path: loop.path, queues: 2, ...options }
  }
  const context = { clock, host: new LinuxHost(), warn: () => {} }
  const open = async () => {
    const device = await blockBackend.open(opened, context)
    rig.onClose(() => device.close())
    return device
  }
  return { device: await open(), context, hostModule: HOST, reopen: open, close: () => rig.close() }
}

const run = (name: string, place: 'disk' | 'memory' | 'loop', options: Partial<IoUringOptions> = {}) => {
  const conformance: BlockConformanceOptions = {
    name: `io-uring on ${name}`,
    setup: () => fixture(place, options),
    operations: LONG ? 20_000 : 300,
  }
  blockDeviceConformance(conformance)
}

const ring = probeIoUring()
if (!ring.available) {
  test('io-uring conforms', (context) => context.skip(ring.missing))
} else {
  run('a file of a disk', 'disk')
  run('a file of a disk, with a submission thread', 'disk', { submissionThread: true })
  if (LONG) {
    run('a file of a disk, without registered buffers', 'disk', { registeredBuffers: false })
    run('a file of a disk, through the page cache', 'disk', { direct: 'never' })
  }
  if (existsSync(MEMORY)) run('a file in memory', 'memory')
  if (canMakeLoopDevices()) run('a loop device', 'loop')
  else
    describe('io-uring on a loop device', () =>
      test('conforms', (context) => context.skip('needs access to loop devices')))
}
