import { AT_INDEX, BLOCK_HEADER } from '../layout/constants.ts'
import type { MetaBlock } from '../meta/block.ts'

/** Words of a row: first logical cluster, first cluster of the volume, number of clusters. */
export const ROW = 3

/** Rows of extents in order of their logical clusters: in an inode's record, or in a block of their own. */
export class Leaf {
  readonly rows: Uint32Array
  readonly capacity: number
  readonly block: MetaBlock | undefined
  count: number

  constructor(rows: Uint32Array, count: number, block: MetaBlock | undefined) {
    this.rows = rows
    this.capacity = Math.floor(rows.length / ROW)
    this.count = count
    this.block = block
  }

  static of(block: MetaBlock): Leaf {
    const { bytes, view } = block
    const capacity = Math.floor((bytes.length - BLOCK_HEADER) / (ROW * 4))
    const rows = new Uint32Array(bytes.buffer, bytes.byteOffset + BLOCK_HEADER, capacity * ROW)
    return new Leaf(rows, view.getUint32(AT_INDEX, true), block)
  }

  /** Index of the last row that begins at or before `logical`; -1 when there is none. */
  find(logical: number): number {
    const { rows } = this
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (rows[middle * ROW] <= logical) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  insert(at: number, logical: number, cluster: number, length: number): void {
    const { rows } = this
    rows.copyWithin((at + 1) * ROW, at * ROW, this.count * ROW)
    rows[at * ROW] = logical
    rows[at * ROW + 1] = cluster
    rows[at * ROW + 2] = length
    this.count++
  }

  remove(at: number): void {
    this.rows.copyWithin(at * ROW, (at + 1) * ROW, this.count * ROW)
    this.count--
    this.rows.fill(0, this.count * ROW, (this.count + 1) * ROW)
  }
}
