import { EmulatedDisk, type EmulatedDiskOptions } from '@parakernel/emulated'
import {
  createPlainRegion,
  createPlainWindow,
  FramePool,
  type MemoryRegion,
  type PersistentRegion,
  VirtualClock,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { type Medium, openBlockMedium, openPersistentMedium } from '../../src/index.ts'

const TURNS = 2_000_000
/** Milliseconds that a module may take to load. */
const LOADING = 10_000

/** Runs the loop until a promise is settled: rounds, and between them the continuations of promises. */
export async function settle<T>(loop: RunLoop, work: Promise<T> | (() => Promise<T>)): Promise<T> {
  let settled = false
  const promise = (typeof work === 'function' ? work() : work).finally(() => {
    settled = true
  })
  promise.catch(() => {})
  let quiet = 0
  let since = 0
  for (let turn = 0; !settled; turn++) {
    if (turn > TURNS) throw new Error('the loop runs and runs, and nothing comes of it')
    if (loop.runOnce() > 0) quiet = 0
    else if (++quiet > 8 && !loop.jump()) {
      // A module is being loaded, perhaps; else nothing will ever happen again.
      if (quiet < 12) since = performance.now()
      await new Promise((resolve) => setImmediate(resolve))
      if (performance.now() - since > LOADING) throw new Error('nothing will ever happen again')
    }
    await undefined
    await undefined
    await undefined
  }
  return promise
}

export interface RigOptions extends EmulatedDiskOptions {
  readonly frames?: number
  readonly frameSize?: number
}

/** A disk, its queue as a medium, and the loop that turns it. */
export interface Rig {
  readonly clock: VirtualClock
  readonly loop: RunLoop
  readonly disk: EmulatedDisk
  readonly pool: FramePool
  readonly medium: Medium
  run<T>(work: Promise<T> | (() => Promise<T>)): Promise<T>
}

let window: ReturnType<typeof createPlainWindow> | undefined

export function createRig(options: RigOptions = {}): Rig {
  const { frames = 64, frameSize = 4096, ...rest } = options
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const blockSize = rest.blockSize ?? 512
  const blocks = rest.blocks ?? 256
  const media = rest.media ?? new Uint8Array(blocks * blockSize)
  const disk = new EmulatedDisk({ ...rest, clock, blocks, blockSize, media })
  window ??= createPlainWindow(frames, { frameSize, headroom: 0 })
  const mine = window.frameCount === frames && window.frameSize === frameSize
  const used = mine ? window : createPlainWindow(frames, { frameSize, headroom: 0 })
  const pool = new FramePool(used)
  const grant = disk.grant(0, { namespace: 1, firstLba: 0, blocks }, used)
  const medium = openBlockMedium(disk.attach(grant, { pool, clock }), loop)
  return { clock, loop, disk, pool, medium, run: (work) => settle(loop, work) }
}

/** The same over plain memory that plays persistent memory. */
export function createPersistentRig(
  byteLength: number,
  { frames = 64, frameSize = 4096 }: RigOptions,
  memory: (region: MemoryRegion, byteLength: number) => PersistentRegion,
): Rig {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const pool = new FramePool(createPlainWindow(frames, { frameSize, headroom: 0 }))
  const medium = openPersistentMedium(memory(createPlainRegion(byteLength), byteLength), pool, loop)
  return { clock, loop, disk: undefined as never, pool, medium, run: (work) => settle(loop, work) }
}
