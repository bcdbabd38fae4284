import { AT_SELF, ROOT } from '../layout/constants.ts'
import { type BlockParent, MetaBlock, seal, stamp } from './block.ts'
import type { DeltaWriter } from './delta.ts'

/** Where blocks of metadata get their places from. */
export interface Places {
  /** One cluster, out of the reserve if need be. */
  takeForMetadata(): number
  /** Free as soon as what was captured next is durable. */
  give(cluster: number, length: number): void
  /** Held by a snapshot: must not be written any more. */
  isFrozen(cluster: number): boolean
}

/**
 * All metadata, in memory. A block is touched before it is changed; a capture turns everything that was touched into one list of
 * changes for the journal; a checkpoint writes home what captures left. Captures and checkpoints never overlap (the
 * committer sees to it), and so the version that a checkpoint writes is always the one that is committed.
 */
export class MetaStore {
  readonly blocks = new Map<number, MetaBlock>()
  /** Committed and not yet written home, by place; plain bytes where the block has moved on and a snapshot keeps the old one. */
  readonly home = new Map<number, MetaBlock | Uint8Array>()
  places!: Places
  readonly #volume: Uint8Array
  readonly #clusterSize: number
  #dirty: MetaBlock[] = []
  #freed: MetaBlock[] = []
  #leaving: MetaBlock[] = []

  constructor(clusterSize: number, volume: Uint8Array) {
    this.#clusterSize = clusterSize
    this.#volume = volume
  }

  /** Blocks that differ from what was captured. */
  get dirty(): number {
    return this.#dirty.length
  }

  /** Takes a block that was read. */
  adopt(cluster: number, bytes: Uint8Array, parent?: BlockParent): MetaBlock {
    const block = new MetaBlock(cluster, bytes, parent)
    if (cluster !== ROOT) this.blocks.set(cluster, block)
    return block
  }

  /** A new block, of zeroes, at a place of its own. */
  create(type: number, owner: number, index: number, parent: BlockParent): MetaBlock {
    const cluster = this.places.takeForMetadata()
    const block = this.adopt(cluster, new Uint8Array(this.#clusterSize), parent)
    stamp(block.view, type, cluster, owner, index, this.#volume)
    block.fresh = true
    block.dirty = true
    this.#dirty.push(block)
    return block
  }

  /** Before every change. May move the block: its bytes stay the same array. */
  touch(block: MetaBlock): void {
    if (block.dirty) return
    block.dirty = true
    this.#dirty.push(block)
    if (block.cluster !== ROOT && this.places.isFrozen(block.cluster)) this.#move(block)
    else block.before = block.bytes.slice()
  }

  free(block: MetaBlock): void {
    block.freed = true
    this.#freed.push(block)
    this.places.give(block.cluster, 1)
  }

  /** Logs everything that was touched, with new checksums; `capture` follows if the log finds room, and nothing may change in between. */
  describe(log: DeltaWriter): void {
    for (const block of this.#dirty) {
      if (block.freed) continue
      seal(block.bytes, block.view)
      log.diff(block.cluster, block.fresh ? undefined : block.before, block.bytes)
    }
  }

  /** How long a description would be, about: the same without checksums, into a log that is thrown away. */
  measure(log: DeltaWriter): void {
    for (const block of this.#dirty) {
      if (!block.freed) log.diff(block.cluster, block.fresh ? undefined : block.before, block.bytes)
    }
  }

  /** What was described is what the next commit makes durable. */
  capture(): void {
    for (const block of this.#dirty) {
      block.dirty = false
      block.fresh = false
      // Of a block that was given up, the version that is still committed.
      if (block.freed && block.before !== undefined) block.bytes.set(block.before)
      block.before = undefined
      if (!block.freed && block.cluster !== ROOT) this.home.set(block.cluster, block)
    }
    this.#dirty = []
    this.#leaving.push(...this.#freed)
    this.#freed = []
  }

  /** What was captured is durable. */
  committed(): void {
    for (const block of this.#leaving) {
      if (this.home.get(block.cluster) === block) this.home.delete(block.cluster)
      if (this.blocks.get(block.cluster) === block) this.blocks.delete(block.cluster)
    }
    this.#leaving = []
  }

  /** Forgets old versions that were kept for a snapshot which is gone. */
  dropReleased(): void {
    for (const [cluster, version] of this.home) {
      if (version instanceof Uint8Array && !this.places.isFrozen(cluster)) this.home.delete(cluster)
    }
  }

  /** Logs nothing, and has every block written home: after a repair. */
  rewriteAll(): void {
    for (const block of this.blocks.values()) {
      if (block.freed) continue
      seal(block.bytes, block.view)
      this.home.set(block.cluster, block)
    }
    for (const block of this.#dirty) {
      block.dirty = false
      block.before = undefined
      block.fresh = false
    }
    this.#dirty = []
    this.#leaving = this.#freed
    this.#freed = []
    this.committed()
  }

  #move(block: MetaBlock): void {
    const old = block.cluster
    if (this.home.get(old) === block) this.home.set(old, block.bytes.slice())
    this.blocks.delete(old)
    const cluster = this.places.takeForMetadata()
    block.cluster = cluster
    block.fresh = true
    block.view.setUint32(AT_SELF, cluster, true)
    this.blocks.set(cluster, block)
    this.places.give(old, 1)
    block.parent?.moved(block)
  }
}
