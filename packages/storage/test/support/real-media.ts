import {
  type BlockQueue,
  createFrameWindow,
  createPlainRegion,
  FramePool,
  MonotonicClock,
  type PersistentRegion,
} from '@parakernel/hal'
import { blockBackend, type IoUringOptions } from '@parakernel/io-uring'
import { RunLoop } from '@parakernel/kernel'
import { createHost } from '@parakernel/linux'
import { persistentBackend } from '@parakernel/pmem'
import { type Medium, openBlockMedium, openPersistentMedium } from '../../src/index.ts'

export interface RealMedium {
  readonly loop: RunLoop
  readonly medium: Medium
  close(): Promise<void>
}

export interface RealOptions {
  readonly kind: 'io-uring' | 'pmem'
  readonly path: string
  readonly size: number
  readonly frames?: number
  readonly frameSize?: number
  readonly blockSize?: number
  readonly ring?: Partial<IoUringOptions>
}

/** A file as a medium, through the real backends, on a loop that this thread's Node program turns. */
export async function openRealMedium(options: RealOptions): Promise<RealMedium> {
  const { kind, path, size, frames = 256, frameSize = 16_384, blockSize = 4096 } = options
  const clock = new MonotonicClock()
  const host = createHost()
  const loop = new RunLoop({ clock, host })
  const context = { clock, host }
  const region = createPlainRegion(frames * frameSize)
  const window = createFrameWindow({ region, frameSize, frameCount: frames, headroom: 0 })
  const pool = new FramePool(window)
  if (kind === 'pmem') {
    const device = await persistentBackend.open({ path, size, force: true }, context)
    const grant = device.grant({ byteOffset: 0, byteLength: device.byteLength })
    const memory = (await persistentBackend.attach(grant, context)) as PersistentRegion
    const medium = openPersistentMedium(memory, pool, loop)
    loop.start('guest')
    const close = async () => {
      medium.close()
      loop.close()
      await device.close()
    }
    return { loop, medium, close }
  }
  const device = await blockBackend.open({ path, size, blockSize, ...options.ring }, context)
  const blocks = device.namespaces.get(1) as number
  const grant = device.grant(0, { namespace: 1, firstLba: 0, blocks }, window)
  const queue = (await blockBackend.attach(grant, { pool, clock, host })) as BlockQueue
  const medium = openBlockMedium(queue, loop)
  loop.start('guest')
  const close = async () => {
    medium.close()
    device.reclaim(grant)
    loop.close()
    await device.close()
  }
  return { loop, medium, close }
}
