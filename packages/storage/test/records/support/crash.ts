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
import { crashStates, type Mutation, type Recording, recordBlocks, recordPersistent } from '@parakernel/probes'
import { makeRecords, openBlockMedium, openPersistentMedium, openRecords } from '../../../src/index.ts'
import {
  type BlockShape,
  blockMount,
  type Enumerated,
  type Mount,
  persistentMount,
  plainMemory,
} from '../../support/crash.ts'
import { Random } from '../../support/random.ts'
import { settle } from '../../support/rig.ts'
import { entriesOf, RecordsOracle } from './oracle.ts'
import { type RecordsWorkload, runRecordsWorkload } from './workload.ts'

const UUID = Uint8Array.from({ length: 16 }, (_, i) => i * 5 + 3)
const window = createPlainWindow(96, { frameSize: 4096, headroom: 0 })

export interface RecordsRun {
  readonly recording: Recording
  readonly oracle: RecordsOracle
  readonly mount: Mount
}

export interface RunOptions extends Omit<RecordsWorkload, 'random'> {
  readonly seed: number
}

export async function recordBlocksRun(
  shape: BlockShape,
  options: RunOptions,
  mutation?: Mutation,
): Promise<RecordsRun> {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const { blocks, blockSize } = shape
  const disk = new EmulatedDisk({ ...shape, seed: options.seed, clock, media: new Uint8Array(blocks * blockSize) })
  const range = { namespace: 1, firstLba: 0, blocks }
  const made = blockMount({ ...shape, volatileCache: false })
  const fresh = made.open(disk.media)
  await settle(made.loop, makeRecords(fresh, { uuid: UUID }))
  fresh.close()
  const { device, recording } = recordBlocks(disk, mutation && { mutation })
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
  const oracle = new RecordsOracle(recording)
  await settle(loop, runRecordsWorkload(medium, reattach, oracle, { ...options, random: new Random(options.seed) }))
  return { recording, oracle, mount: blockMount({ ...shape, volatileCache: false }) }
}

export async function recordPersistentRun(
  byteLength: number,
  options: RunOptions,
  mutation?: Mutation,
): Promise<RecordsRun> {
  const clock = new VirtualClock()
  const loop = new RunLoop({ clock })
  const region = createPlainRegion(byteLength)
  const made = openPersistentMedium(plainMemory(region, byteLength), new FramePool(window), loop)
  await settle(loop, makeRecords(made, { uuid: UUID }))
  const base = new Uint8Array(region.buffer, 0, byteLength).slice()
  const memory = new EmulatedPersistentMemory({ size: byteLength }, base)
  const { device, recording } = recordPersistent(memory, mutation && { mutation })
  let grant = device.grant({ byteOffset: 0, byteLength })
  const attach = async () =>
    openPersistentMedium(await attachPersistentRegion(grant, { clock }), new FramePool(window), loop)
  let medium = await attach()
  const reattach = async () => {
    // What was let go of stores no more: what it still had to commit it does in the rounds before.
    for (let i = 0; i < 20; i++) await undefined
    medium.close()
    device.reclaim(grant)
    grant = device.grant({ byteOffset: 0, byteLength })
    medium = await attach()
    return medium
  }
  const oracle = new RecordsOracle(recording)
  await settle(loop, runRecordsWorkload(medium, reattach, oracle, { ...options, random: new Random(options.seed) }))
  return { recording, oracle, mount: persistentMount(byteLength) }
}

/**
 * Opens what each power cut left and holds it against the promises; every few states it then goes on with compaction, a checkpoint and
 * another restart, so that nothing that was dropped comes back.
 */
export async function enumerateRecords(run: RecordsRun, limit: number, seed = 1): Promise<Enumerated> {
  const { recording, oracle, mount } = run
  let states = 0
  for (const state of crashStates(recording, { limit, seed })) {
    states++
    const image = state.image()
    const check = async () => {
      const medium = mount.open(image)
      const store = await openRecords(medium, { cacheBytes: 0 })
      const verdict = await oracle.verdict(store, state.position)
      if (verdict !== undefined || states % 4 !== 0) {
        medium.close()
        return verdict
      }
      const before = JSON.stringify(await entriesOf(store))
      if (states % 8 === 0) await store.compact()
      else await store.checkpoint()
      await store.sync()
      medium.close()
      const again = mount.reopen()
      const after = JSON.stringify(await entriesOf(await openRecords(again, { cacheBytes: 0 })))
      again.close()
      return before === after ? undefined : 'a second life has another content'
    }
    let verdict: string | undefined
    try {
      verdict = await settle(mount.loop, check)
    } catch (error) {
      verdict = error instanceof Error ? String(error.stack) : String(error)
    }
    if (verdict !== undefined) return { states, broken: `${state.name}: ${verdict}` }
  }
  return { states }
}
