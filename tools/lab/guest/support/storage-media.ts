import { attachBlockQueue, type BlockDevice, createPlainWindow, FramePool, MonotonicClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { LinuxHost } from '@parakernel/linux'
import { type Medium, openBlockMedium } from '@parakernel/storage'

const FRAME = 4096

/** Gives the work a medium over a whole namespace, on a run loop of its own, and takes everything down afterwards. */
export async function withMedium<T>(
  device: BlockDevice,
  namespace: number,
  work: (medium: Medium, pool: FramePool) => Promise<T>,
): Promise<T> {
  const host = new LinuxHost()
  const clock = new MonotonicClock()
  const loop = new RunLoop({ clock, host })
  const window = createPlainWindow(512, { frameSize: FRAME, headroom: 0 })
  const pool = new FramePool(window)
  const blocks = device.namespaces.get(namespace) as number
  const grant = device.grant(0, { namespace, firstLba: 0, blocks }, window)
  const medium = openBlockMedium(await attachBlockQueue(grant, { pool, clock, host }), loop)
  loop.start('guest')
  try {
    return await work(medium, pool)
  } finally {
    medium.close()
    loop.close()
    await device.close()
  }
}
