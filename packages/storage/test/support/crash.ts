import { EmulatedDisk, EmulatedPersistentMemory } from '@parakernel/emulated'
import {
  attachBlockQueue,
  attachPersistentRegion,
  createPlainRegion,
  createPlainWindow,
  FramePool,
  type MemoryRegion,
  type PersistentRegion,
  VirtualClock,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { crashStates, type Mutation, type Recording, recordBlocks, recordPersistent } from '@parakernel/probes'
import { type Medium, makeLog, openBlockMedium, openLog, openPersistentMedium } from '../../src/index.ts'
import { LogOracle } from './oracle.ts'
import { settle } from './rig.ts'
import { runWorkload, type WorkloadOptions } from './workload.ts'

const FRAMES = 96
const FRAME_SIZE = 4096
const UUID = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + 1)
const window = createPlainWindow(FRAMES, { frameSize: FRAME_SIZE, headroom: 0 })

export interface BlockShape {
  readonly blocks: number
  readonly blockSize: number
  readonly volatileCache: boolean
  readonly atomicUnit: number
  readonly reorder?: boolean
}

/** A recorded run, what it promised, and the way to open what a power cut left of it. */
export interface RecordedRun {
  readonly recording: Recording
  readonly oracle: LogOracle
  readonly mount: Mount
}

/** Opens an image as a medium. */
export interface Mount {
  readonly loop: RunLoop
  open(image: Uint8Array): Medium
  /** What was opened last, with all that was written since, but for what only a medium knew. */
  reopen(): Medium
}

export function blockMount(shape: BlockShape): Mount {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  let last = new Uint8Array(0)
  const open = (image: Uint8Array) => {
    last = image as Uint8Array<ArrayBuffer>
    const disk = new EmulatedDisk({ ...shape, clock, media: image })
    const pool = new FramePool(window)
    const grant = disk.grant(0, { namespace: 1, firstLba: 0, blocks: shape.blocks }, window)
    return openBlockMedium(disk.attach(grant, { pool, clock }), loop)
  }
  return { loop, open, reopen: () => open(last) }
}

/** Memory that keeps what is stored, for looking at what a cut left: the recorder has done the losing already. */
export function persistentMount(byteLength: number): Mount {
  const loop = new RunLoop({ clock: new VirtualClock() })
  const region = createPlainRegion(byteLength)
  const bytes = new Uint8Array(region.buffer)
  const reopen = () => openPersistentMedium(plainMemory(region, byteLength), new FramePool(window), loop)
  const open = (image: Uint8Array) => {
    bytes.set(image)
    return reopen()
  }
  return { loop, open, reopen }
}

export function plainMemory(region: MemoryRegion, byteLength: number): PersistentRegion {
  const nothing = () => {}
  return {
    name: 'memory',
    grant: undefined as never,
    region,
    byteOffset: 0,
    byteLength,
    capabilities: { granularity: 64, persistence: 'none' },
    flush: nothing,
    drain: nothing,
    persist: nothing,
    poisonedFrom: () => -1,
    detach: nothing,
  }
}

export async function recordBlockRun(
  shape: BlockShape,
  workload: WorkloadOptions,
  mutation?: Mutation,
): Promise<RecordedRun> {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const { blocks, blockSize } = shape
  const disk = new EmulatedDisk({ ...shape, seed: workload.seed, clock, media: new Uint8Array(blocks * blockSize) })
  const range = { namespace: 1, firstLba: 0, blocks }
  const made = blockMount({ ...shape, volatileCache: false })
  const fresh = made.open(disk.media)
  await settle(made.loop, makeLog(fresh, { uuid: UUID }))
  fresh.close()
  const { device, recording } = recordBlocks(disk, mutation && { mutation })
  const oracle = new LogOracle(recording)
  let grant = device.grant(0, range, window)
  const attach = async () =>
    openBlockMedium(await attachBlockQueue(grant, { pool: new FramePool(window), clock }), loop)
  let medium = await attach()
  const reattach = async () => {
    medium.close()
    device.reclaim(grant)
    grant = device.grant(0, range, window)
    medium = await attach()
    return medium
  }
  await settle(loop, runWorkload(medium, reattach, oracle, workload))
  return { recording, oracle, mount: blockMount({ ...shape, volatileCache: false }) }
}

export async function recordPersistentRun(
  byteLength: number,
  workload: WorkloadOptions,
  mutation?: Mutation,
): Promise<RecordedRun> {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const mount = persistentMount(byteLength)
  const base = new Uint8Array(byteLength)
  const region = createPlainRegion(byteLength)
  const made = openPersistentMedium(plainMemory(region, byteLength), new FramePool(window), loop)
  await settle(loop, makeLog(made, { uuid: UUID }))
  base.set(new Uint8Array(region.buffer, 0, byteLength))
  const memory = new EmulatedPersistentMemory({ size: byteLength }, base)
  const { device, recording } = recordPersistent(memory, mutation && { mutation })
  const oracle = new LogOracle(recording)
  let grant = device.grant({ byteOffset: 0, byteLength })
  const attach = async () =>
    openPersistentMedium(await attachPersistentRegion(grant, { clock }), new FramePool(window), loop)
  let medium = await attach()
  const reattach = async () => {
    // A log that is let go of stores no more: what it still had to commit it does in the rounds before.
    for (let i = 0; i < 20; i++) await undefined
    medium.close()
    device.reclaim(grant)
    grant = device.grant({ byteOffset: 0, byteLength })
    medium = await attach()
    return medium
  }
  await settle(loop, runWorkload(medium, reattach, oracle, workload))
  return { recording, oracle, mount }
}

export interface Enumerated {
  readonly states: number
  /** Name of the first state that breaks a promise, and how. */
  readonly broken?: string
}

/**
 * Opens what each power cut left and holds it against the promises; every few states the log then goes on, dies, and is opened
 * again, so that what lay behind the end cannot come back to life.
 */
export async function enumerate(run: RecordedRun, limit: number, seed = 1): Promise<Enumerated> {
  const { recording, oracle, mount } = run
  const { loop } = mount
  let states = 0
  for (const state of crashStates(recording, { limit, seed })) {
    states++
    const image = state.image()
    const check = async () => {
      const medium = mount.open(image)
      const log = await openLog(medium)
      const verdict = await oracle.verdict(log, state.position)
      if (verdict !== undefined || states % 4 !== 0) {
        medium.close()
        return verdict
      }
      return secondLife(mount, medium, log.next)
    }
    let verdict: string | undefined
    try {
      verdict = await settle(loop, check)
    } catch (error) {
      verdict = String(error)
    }
    if (verdict !== undefined) return { states, broken: `${state.name}: ${verdict}` }
  }
  return { states }
}

/** Goes on behind the end with records as long as a header alone, so that old ones behind them would fit. */
async function secondLife(mount: Mount, medium: Medium, next: number): Promise<string | undefined> {
  medium.close()
  const again = mount.reopen()
  const log = await openLog(again)
  if (log.next !== next) return `a second recovery ends at ${log.next}, the first at ${next}`
  const room = log.capacityBytes - log.usedBytes > 4096
  if (room) await log.write(new Uint8Array(8))
  again.close()
  const third = mount.reopen()
  const last = await openLog(third)
  third.close()
  return last.next === next + (room ? 1 : 0) ? undefined : `goes on to ${last.next} behind a record ${next}`
}
