import { crashStates, type Mutation, type Recording } from '@parakernel/probes'
import { checkVolume, type MakeVolumeOptions, makeVolume, mountVolume } from '../../../src/files/index.ts'
import { settle } from '../../support/rig.ts'
import { Driver } from './driver.ts'
import { blockGround, type Ground } from './ground.ts'
import { digestOf, Model, perform, type Step } from './model.ts'

const MOUNT = { commitInterval: Number.POSITIVE_INFINITY, cacheSize: 64 << 10, wallClock: () => 1 }
const VOLUME: MakeVolumeOptions = { clusterSize: 1024, journalSize: 48 << 10, snapshots: 2 }
const DISK = blockGround()

/** Runs that were recorded, with the states that the volume went through and what it acknowledged. */
export interface CrashRun {
  readonly recording: Recording
  /** After so many steps. */
  readonly states: readonly string[]
  /** Position of the recording when each step began. */
  readonly began: readonly number[]
  /** Flushes and forced writes that had been asked for when each step began. */
  readonly promises: readonly Recording['promises'][]
  /** That were written. */
  readonly checkpoints: number
  /** [position, number of steps that were safe]. */
  readonly acknowledged: readonly (readonly [number, number])[]
}

/** A volume with a few files, for workloads to begin with. */
export async function prepare(steps: readonly Step[], ground = DISK) {
  const image = new Uint8Array(ground.byteLength)
  const { loop, medium, pool } = ground.open(image)
  const model = new Model()
  await settle(loop, async () => {
    await makeVolume(medium, VOLUME)
    const volume = await mountVolume(medium, MOUNT)
    const driver = new Driver(volume, pool)
    for (const step of steps) if (await perform(driver, step)) model.apply(step)
    await volume.close()
  })
  medium.close()
  return { image, model }
}

/** Mounts, does the steps, closes; everything that reaches the device is recorded. */
export async function record(
  base: { readonly image: Uint8Array; readonly model: Model },
  steps: readonly Step[],
  mutation?: Mutation,
  ground = DISK,
  close = true,
): Promise<CrashRun> {
  const { loop, medium, pool, recording } = await ground.record(base.image, mutation)
  const model = new Model()
  for (const [path, bytes] of base.model.nodes) model.nodes.set(path, bytes)
  const states = [model.digest()]
  const began: number[] = []
  const promises: Recording['promises'][] = []
  const acknowledged: [number, number][] = []
  let checkpoints = 0
  await settle(loop, async () => {
    const volume = await mountVolume(medium, MOUNT)
    const driver = new Driver(volume, pool)
    for (const step of steps) {
      began.push(recording.position)
      promises.push({ ...recording.promises })
      const done = await perform(driver, step)
      if (done) model.apply(step)
      states.push(model.digest())
      const syncs =
        step.kind === 'sync' || step.kind === 'fsync' || step.kind === 'snapshot' || step.kind === 'unsnapshot'
      if (done && syncs) acknowledged.push([recording.position, states.length - 1])
    }
    began.push(recording.position)
    checkpoints = volume.statistics()['volume']['checkpoints']
    if (!close) return
    await volume.close()
    acknowledged.push([recording.position, states.length - 1])
  })
  medium.close()
  return { recording, states, began, promises, checkpoints, acknowledged }
}

export interface Enumerated {
  readonly states: number
  /** The first state that breaks a promise, and how. */
  readonly broken?: string
}

/** Mounts what each power cut left, and holds it against the promises; of those alone that happen from a position to another. */
export async function enumerate(
  run: CrashRun,
  limit: number,
  seed = 1,
  ground = DISK,
  [from, to] = [0, Number.POSITIVE_INFINITY],
): Promise<Enumerated> {
  let states = 0
  for (const state of crashStates(run.recording, { limit, seed })) {
    if (state.position < from || state.position > to) continue
    states++
    let verdict: string | undefined
    try {
      verdict = await judge(run, state.image(), state.position, states, ground)
    } catch (error) {
      verdict = String(error)
    }
    if (verdict !== undefined) return { states, broken: `${state.name}: ${verdict}` }
  }
  return { states }
}

/** Positions between which the lack of one promise must show: from the step in which it was made to a few steps behind. */
export function aftermath(run: CrashRun, { drop, nth }: Mutation): [number, number] {
  let step = run.promises.findIndex((asked) => asked[drop] >= nth)
  if (step < 0) step = run.promises.length
  return [run.began[Math.max(0, step - 1)] - 20, run.began[step + 5] ?? Number.POSITIVE_INFINITY]
}

function judge(run: CrashRun, image: Uint8Array, position: number, number: number, ground: Ground) {
  const { loop, medium, pool } = ground.open(image)
  return settle(loop, async () => {
    const report = await checkVolume(medium)
    if (!report.clean) return `not clean: ${report.problems.map(({ message }) => message).join('; ')}`
    const volume = await mountVolume(medium, { ...MOUNT, readOnly: number % 4 !== 0 })
    const driver = new Driver(volume, pool)
    const digest = await digestOf(driver)
    let least = 0
    for (const [at, count] of run.acknowledged) if (at <= position) least = count
    let most = least
    while (most < run.began.length - 1 && run.began[most] <= position) most++
    const allowed = run.states.slice(least, most + 1)
    if (!allowed.includes(digest)) return `steps ${least} to ${most} allow ${allowed.join(' | ')}, found ${digest}`
    if (!volume.readOnly) {
      const lost = (await volume.scrub()).lost
      if (lost.length > 0) return `scrub: ${JSON.stringify(lost)}`
      await driver.put('/second-life', new Uint8Array(3000).fill(number))
      await driver.sync()
      await volume.close()
      const again = await checkVolume(medium)
      if (!again.clean)
        return `not clean after a second life: ${again.problems.map(({ message }) => message).join('; ')}`
    } else await volume.close()
    return pool.available === pool.frameCount ? undefined : 'frames are lost'
  }).finally(() => medium.close())
}
