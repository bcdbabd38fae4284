import { type BackendContext, createPlainWindow, FramePool, type Host } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, type QueueRuntime } from '@parakernel/queue'

/** Bytes a frame: the largest cluster of a volume. */
const FRAME_SIZE = 65_536
const FRAMES = 160

/** What a libOS runs on in this process: a loop as guest of Node's, frames, tokens. */
export interface Machine {
  readonly loop: RunLoop
  readonly pool: FramePool
  readonly runtime: QueueRuntime
  readonly context: BackendContext
}

export async function createMachine(warn: (message: string) => void): Promise<Machine> {
  const host = await hostOfThisMachine()
  const loop = new RunLoop(host === undefined ? {} : { host })
  loop.start()
  const pool = new FramePool(createPlainWindow(FRAMES, { frameSize: FRAME_SIZE, headroom: 0 }))
  const context = { clock: loop.clock, warn, ...(host !== undefined && { host }) }
  return { loop, pool, runtime: createQueueRuntime(loop), context }
}

/** Sleeping on descriptors; elsewhere than on Linux the loop polls. */
async function hostOfThisMachine(): Promise<Host | undefined> {
  if (process.platform !== 'linux') return undefined
  const { createHost } = await import('@parakernel/linux')
  return createHost()
}
