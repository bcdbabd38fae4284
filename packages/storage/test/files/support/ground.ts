import { EmulatedDisk, EmulatedPersistentMemory } from '@parakernel/emulated'
import {
  attachBlockQueue,
  attachPersistentRegion,
  createPlainRegion,
  createPlainWindow,
  FramePool,
  VirtualClock,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { type Mutation, type Recording, recordBlocks, recordPersistent } from '@parakernel/probes'
import { type Medium, openBlockMedium, openPersistentMedium } from '../../../src/index.ts'
import { plainMemory } from '../../support/crash.ts'

const window = createPlainWindow(192, { frameSize: 1024, headroom: 0 })

export interface Opened {
  readonly loop: RunLoop
  readonly medium: Medium
  readonly pool: FramePool
}

/** What a volume of a crash test stands on. */
export interface Ground {
  readonly byteLength: number
  /** An image as it is, on a medium that loses nothing. */
  open(image: Uint8Array): Opened
  /** A copy of an image, of which everything that is done to it is recorded. */
  record(image: Uint8Array, mutation?: Mutation): Promise<Opened & { readonly recording: Recording }>
}

export interface Shape {
  readonly blocks: number
  readonly blockSize: number
  readonly volatileCache: boolean
  readonly atomicUnit: number
  readonly latency?: number
  readonly jitter?: number
}

export const SHAPE: Shape = { blocks: 400, blockSize: 512, volatileCache: true, atomicUnit: 1 }

export function blockGround(shape: Shape = SHAPE): Ground {
  const { blocks, blockSize, atomicUnit } = shape
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const range = { namespace: 1, firstLba: 0, blocks }
  return {
    byteLength: blocks * blockSize,
    open(image) {
      const pool = new FramePool(window)
      const media = image as Uint8Array<ArrayBuffer>
      const disk = new EmulatedDisk({ blocks, blockSize, atomicUnit, volatileCache: false, clock, media })
      return { loop, pool, medium: openBlockMedium(disk.attach(disk.grant(0, range, window), { pool, clock }), loop) }
    },
    async record(image, mutation) {
      const own = new VirtualClock()
      const turning = new RunLoop({ clock: own })
      const disk = new EmulatedDisk({ ...shape, clock: own, media: image.slice() })
      const { device, recording } = recordBlocks(disk, mutation && { mutation })
      const pool = new FramePool(window)
      const queue = await attachBlockQueue(device.grant(0, range, window), { pool, clock: own })
      return { loop: turning, pool, medium: openBlockMedium(queue, turning), recording }
    },
  }
}

export function persistentGround(byteLength: number): Ground {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const region = createPlainRegion(byteLength)
  const bytes = new Uint8Array(region.buffer)
  return {
    byteLength,
    open(image) {
      bytes.set(image)
      const pool = new FramePool(window)
      const medium = openPersistentMedium(plainMemory(region, byteLength), pool, loop)
      // Whoever made the image looks at it again.
      const close = medium.close.bind(medium)
      medium.close = () => {
        close()
        image.set(bytes.subarray(0, byteLength))
      }
      return { loop, pool, medium }
    },
    async record(image, mutation) {
      const clock = new VirtualClock()
      const turning = new RunLoop({ clock })
      const memory = new EmulatedPersistentMemory({ size: byteLength }, image.slice() as Uint8Array<ArrayBuffer>)
      const { device, recording } = recordPersistent(memory, mutation && { mutation })
      const pool = new FramePool(window)
      const attached = await attachPersistentRegion(device.grant({ byteOffset: 0, byteLength }), { clock })
      return { loop: turning, pool, medium: openPersistentMedium(attached, pool, turning), recording }
    },
  }
}
