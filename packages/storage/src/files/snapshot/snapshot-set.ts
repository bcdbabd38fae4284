import { ParakernelError } from '@parakernel/hal'
import type { Geometry } from '../layout/geometry.ts'
import { population } from '../space/bits.ts'
import { union } from '../space/space.ts'
import type { SnapshotInfo } from '../volume.ts'
import { SNAPSHOT_NAME_MAX, type Snapshot } from './slots.ts'

/** The snapshots of a volume, in memory. */
export class SnapshotSet {
  readonly #geometry: Geometry
  #snapshots: Snapshot[]
  /** Names of those that are mounted, as often as they are. */
  readonly #mounted: string[] = []

  constructor(geometry: Geometry, snapshots: readonly Snapshot[]) {
    this.#geometry = geometry
    this.#snapshots = [...snapshots]
  }

  get all(): readonly Snapshot[] {
    return this.#snapshots
  }

  /** What all of them hold together; undefined when there is none. */
  get frozen(): Int32Array | undefined {
    const sets = this.#snapshots.map(({ words }) => words)
    return union(sets, this.#geometry.clusters)
  }

  /** @throws ENOENT */
  get(name: string): Snapshot {
    const found = this.#snapshots.find((snapshot) => snapshot.name === name)
    if (found !== undefined) return found
    const known = this.#snapshots.map((snapshot) => snapshot.name).join(', ')
    throw new ParakernelError('ENOENT', 'there is no such snapshot', {
      subject: JSON.stringify(name),
      remedy: known === '' ? 'Make one first' : `There are: ${known}`,
    })
  }

  /** A slot for a new snapshot. @throws EEXIST, ENOSPC, EINVAL, ENAMETOOLONG */
  freeSlot(name: string): number {
    const subject = `snapshot ${JSON.stringify(name)}`
    if (typeof name !== 'string' || name === '' || name.includes('\0') || !name.isWellFormed()) {
      throw new ParakernelError('EINVAL', 'that is no name', { subject })
    }
    if (Buffer.byteLength(name) > SNAPSHOT_NAME_MAX) {
      throw new ParakernelError('ENAMETOOLONG', `the name is longer than ${SNAPSHOT_NAME_MAX} bytes`, { subject })
    }
    if (this.#snapshots.some((snapshot) => snapshot.name === name)) {
      throw new ParakernelError('EEXIST', 'there is one of this name', { subject })
    }
    const { maxSnapshots } = this.#geometry
    for (let slot = 0; slot < maxSnapshots; slot++) {
      if (!this.#snapshots.some((snapshot) => snapshot.slot === slot)) return slot
    }
    throw new ParakernelError('ENOSPC', `all ${maxSnapshots} snapshots of the volume are in use`, {
      subject,
      remedy: 'Delete one',
    })
  }

  add(snapshot: Snapshot): void {
    this.#snapshots.push(snapshot)
  }

  remove(snapshot: Snapshot): void {
    this.#snapshots = this.#snapshots.filter((other) => other !== snapshot)
  }

  mounted(name: string): () => void {
    this.#mounted.push(name)
    return () => {
      const at = this.#mounted.indexOf(name)
      if (at >= 0) this.#mounted.splice(at, 1)
    }
  }

  isMounted(name: string): boolean {
    return this.#mounted.includes(name)
  }

  /** `live`: what the live volume uses. */
  list(live: Int32Array): SnapshotInfo[] {
    return this.#snapshots.map((snapshot) => {
      let exclusive = 0
      for (let i = 0; i < live.length; i++) exclusive += population(snapshot.words[i] & ~live[i])
      return {
        name: snapshot.name,
        created: snapshot.created,
        exclusiveBytes: exclusive * this.#geometry.clusterSize,
      }
    })
  }
}
