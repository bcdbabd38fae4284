import { BLOCK_HEADER } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import type { MetaBlock } from '../meta/block.ts'
import type { MetaStore } from '../meta/store.ts'

/**
 * CRC32C of every cluster of data, by cluster. Clusters are never written twice while anybody can reach them, so that a
 * checksum belongs to the cluster and not to a version of it: snapshots share the table.
 */
export class ChecksumTable {
  readonly blocks: readonly MetaBlock[]
  readonly #store: MetaStore
  readonly #perBlock: number

  constructor(blocks: readonly MetaBlock[], store: MetaStore, geometry: Geometry) {
    this.blocks = blocks
    this.#store = store
    this.#perBlock = geometry.checksumsPerBlock
  }

  get enabled(): boolean {
    return this.blocks.length > 0
  }

  get(cluster: number): number {
    const index = Math.floor(cluster / this.#perBlock)
    return this.blocks[index].view.getInt32(BLOCK_HEADER + 4 * (cluster - index * this.#perBlock), true)
  }

  set(cluster: number, checksum: number): void {
    const index = Math.floor(cluster / this.#perBlock)
    const block = this.blocks[index]
    this.#store.touch(block)
    block.view.setInt32(BLOCK_HEADER + 4 * (cluster - index * this.#perBlock), checksum, true)
  }
}
