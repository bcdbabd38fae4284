import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import { crc32c } from '../format/crc32c.ts'
import { read } from '../medium/awaitable.ts'
import { Core } from './core.ts'
import type { Engine } from './engine.ts'
import { DIRECTORY } from './layout/constants.ts'
import { Problems } from './load/problems.ts'
import { blockDefect } from './meta/block.ts'
import { Namespace } from './namespace.ts'
import { loadSnapshot } from './snapshot/mount-snapshot.ts'
import type { SnapshotSet } from './snapshot/snapshot-set.ts'
import type { LostRange, ScrubReport } from './volume.ts'

/** Clusters that are read at a time. */
const RUN = 64

/** Reads every cluster in use, of the live volume and of its snapshots, and verifies what has a checksum. */
export async function scrub(engine: Engine, snapshots: SnapshotSet): Promise<ScrubReport> {
  const { committer, core } = engine
  if (!engine.readOnly) {
    await committer.exclusive(function* () {
      yield* committer.commit()
      yield* committer.checkpoint()
    })
  }
  const run = new Scrub(engine)
  await run.metadata()
  await run.tree(core, engine.namespace, '')
  for (const snapshot of snapshots.all) {
    const problems = new Problems()
    const loaded = await loadSnapshot(engine.medium, core.geometry, snapshot, core.checksums.blocks, problems)
    run.bad.push(...problems.list.map(({ message }) => `${snapshot.name}: ${message}`))
    if (problems.damages > 0) continue
    const own = new Core(loaded, snapshot.words)
    await run.tree(own, namespaceOf(own), `${snapshot.name}:`)
  }
  return { bytesRead: run.bytesRead, lost: run.lost, metadata: run.bad }
}

class Scrub {
  bytesRead = 0
  readonly lost: LostRange[] = []
  readonly bad: string[] = []
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Every block of metadata whose home is up to date. */
  async metadata(): Promise<void> {
    const { core, medium } = this.#engine
    const { store, geometry } = core
    for (const block of [...store.blocks.values()]) {
      const { cluster } = block
      if (block.dirty || block.fresh || block.freed || store.home.has(cluster)) continue
      const { type } = block
      const bytes = await this.#read(medium.name, cluster, 1)
      if (typeof bytes !== 'string') this.bytesRead += bytes.length
      const reason = typeof bytes === 'string' ? 'cannot be read' : blockDefect(bytes, type, cluster, geometry.uuid)
      // It may have been written, moved or given up in the meantime.
      if (reason === undefined || block.cluster !== cluster || block.freed || store.home.has(cluster)) continue
      this.bad.push(`block of type ${type} at cluster ${cluster} ${reason}`)
      if (!this.#engine.readOnly) store.home.set(cluster, block)
    }
  }

  /** All files below the root of one tree. */
  async tree(core: Core, names: Namespace, prefix: string): Promise<void> {
    const stack = ['']
    for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
      let children: readonly string[]
      try {
        children = [...names.readdir(path === '' ? '/' : path)]
      } catch {
        // Removed while other files were read.
        continue
      }
      for (const child of children) {
        const own = `${path}/${child}`
        let number: number
        try {
          number = names.lookup(own)
        } catch {
          continue
        }
        if (core.inodes.kindOf(number) === DIRECTORY) stack.push(own)
        else await this.#file(core, number, own, prefix)
      }
    }
  }

  async #file(core: Core, number: number, path: string, prefix: string): Promise<void> {
    const { clusterSize } = core.geometry
    const extents: number[] = []
    core.inodes.get(number).map.forEach((logical, cluster, length) => {
      for (let at = 0; at < length; at += RUN) extents.push(logical + at, cluster + at, Math.min(RUN, length - at))
    })
    for (let i = 0; i < extents.length; i += 3) {
      const [logical, cluster, length] = extents.slice(i, i + 3)
      const bytes = await this.#read(path, cluster, length)
      for (let k = 0; k < length; k++) {
        const part =
          typeof bytes === 'string'
            ? await this.#read(path, cluster + k, 1)
            : bytes.subarray(k * clusterSize, (k + 1) * clusterSize)
        if (typeof part !== 'string') this.bytesRead += clusterSize
        const reason = this.#defect(core, cluster + k, part)
        if (reason === undefined) continue
        // What was overwritten meanwhile is not lost.
        const { map } = core.inodes.get(number)
        map.lookup(logical + k, 1)
        if (map.cluster !== cluster + k) continue
        const again = await this.#read(path, cluster + k, 1)
        const still = this.#defect(core, cluster + k, again)
        if (still !== undefined) this.#report(prefix + path, (logical + k) * clusterSize, clusterSize, still)
      }
    }
  }

  #defect(core: Core, cluster: number, bytes: Uint8Array | string): ErrorCode | undefined {
    if (typeof bytes === 'string') return 'EIO'
    if (!core.checksums.enabled || crc32c(bytes) === core.checksums.get(cluster)) return undefined
    return 'EUCLEAN'
  }

  #report(path: string, position: number, length: number, reason: ErrorCode): void {
    const last = this.lost.at(-1)
    if (last?.path === path && last.reason === reason && last.position + last.length === position) {
      this.lost[this.lost.length - 1] = { ...last, length: last.length + length }
    } else this.lost.push({ path, position, length, reason })
  }

  /** Bytes, or the code of the error. */
  async #read(_what: string, cluster: number, length: number): Promise<Uint8Array | string> {
    const { clusterSize } = this.#engine.core.geometry
    try {
      return await read(this.#engine.medium, cluster * clusterSize, length * clusterSize)
    } catch (error) {
      if (error instanceof ParakernelError && error.code === 'EIO') return error.code
      throw error
    }
  }
}

function namespaceOf(core: Core): Namespace {
  return new Namespace({
    core,
    allowChange: () => {},
    changed: () => {},
    time: () => 0,
    unlinked: () => {},
  })
}
