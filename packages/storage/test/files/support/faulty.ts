import { EmulatedDisk } from '@parakernel/emulated'
import { attachBlockQueue, createPlainWindow, FramePool, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { type BlockFaultOptions, BlockFaultsDevice } from '@parakernel/probes'
import { type MakeVolumeOptions, makeVolume } from '../../../src/files/index.ts'
import { type Medium, openBlockMedium } from '../../../src/index.ts'
import { settle } from '../../support/rig.ts'

const BLOCK = 512
const FRAMES = createPlainWindow(256, { frameSize: 2048, headroom: 0 })

export interface FaultyRig {
  readonly medium: Medium
  readonly pool: FramePool
  readonly device: BlockFaultsDevice
  run<T>(work: () => Promise<T>): Promise<T>
}

/** A medium over bytes that stay, behind faults. */
export async function faultyRig(media: Uint8Array<ArrayBuffer>, faults: BlockFaultOptions): Promise<FaultyRig> {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const blocks = media.length / BLOCK
  const disk = new EmulatedDisk({ clock, blocks, blockSize: BLOCK, volatileCache: false, latency: 1000, media })
  const device = new BlockFaultsDevice(disk, faults)
  const pool = new FramePool(FRAMES)
  const grant = device.grant(0, { namespace: 1, firstLba: 0, blocks }, FRAMES)
  const medium = openBlockMedium(await attachBlockQueue(grant, { pool, clock }), loop)
  return { medium, pool, device, run: (work) => settle(loop, work) }
}

export async function blankVolume(bytes: number, options: MakeVolumeOptions): Promise<Uint8Array<ArrayBuffer>> {
  const media = new Uint8Array(bytes)
  const { medium, run } = await faultyRig(media, {})
  await run(() => makeVolume(medium, options))
  medium.close()
  return media
}
