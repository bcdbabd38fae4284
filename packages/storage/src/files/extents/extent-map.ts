import type { Core } from '../core.ts'
import { COUNT_AT, DEPTH_AT, INLINE_EXTENTS, INLINE_POINTERS, type Inode, MAP_AT } from '../inode/inode.ts'
import { AT_INDEX, BLOCK_HEADER, TYPE_INDEX, TYPE_LEAF } from '../layout/constants.ts'
import type { BlockParent, MetaBlock } from '../meta/block.ts'
import { Leaf, ROW } from './leaf.ts'

export type FreedRun = (cluster: number, length: number) => void

/**
 * Where the logical clusters of an inode lie. Up to 17 extents stand in the inode's record; more in leaf blocks, of which the record names
 * up to 26, by themselves or through index blocks. Leaves are kept in a list here; the names of leaves and index blocks are written out
 * by `layOut`, before a capture.
 */
export class ExtentMap implements BlockParent {
  readonly #core: Core
  readonly #inode: Inode
  #leaves: Leaf[] = []
  #indexes: MetaBlock[] = []
  /** Results of `lookup`: first cluster, 0 for a hole, and for how many clusters that holds. */
  cluster = 0
  length = 0

  constructor(core: Core, inode: Inode) {
    this.#core = core
    this.#inode = inode
    this.reset()
  }

  /** Reads the record again; blocks that it names must be in memory. */
  reset(): void {
    const { block, base } = this.#inode
    const { view } = block
    const { blocks } = this.#core.store
    this.#indexes = []
    const depth = view.getUint8(base + DEPTH_AT)
    const count = view.getUint16(base + COUNT_AT, true)
    if (depth === 0) {
      this.#leaves = [this.#inline(count)]
      return
    }
    const own = pointers(block.bytes, base + MAP_AT, count)
    const named: number[] = []
    if (depth === 1) named.push(...own)
    else {
      for (const cluster of own) {
        const index = blocks.get(cluster) as MetaBlock
        index.parent = this
        this.#indexes.push(index)
        for (const leaf of pointers(index.bytes, BLOCK_HEADER, index.view.getUint32(AT_INDEX, true))) named.push(leaf)
      }
    }
    this.#leaves = named.map((cluster) => {
      const leaf = blocks.get(cluster) as MetaBlock
      leaf.parent = this
      return Leaf.of(leaf)
    })
  }

  /** Whether more extents might find no place. */
  get crowded(): boolean {
    const most = INLINE_POINTERS * this.#core.geometry.pointersPerIndex
    return this.#leaves.length > most - (most >> 2)
  }

  get indexBlocks(): number {
    return this.#indexes.length
  }

  /** Looks where `logical` lies, and for how many clusters from there on the answer is the same run or hole. */
  lookup(logical: number, limit: number): void {
    const i = this.#leafOf(logical)
    const leaf = this.#leaves[i]
    const row = leaf.find(logical)
    if (row >= 0) {
      const { rows } = leaf
      const into = logical - rows[row * ROW]
      const left = rows[row * ROW + 2] - into
      if (left > 0) {
        this.cluster = rows[row * ROW + 1] + into
        this.length = Math.min(left, limit)
        return
      }
    }
    this.cluster = 0
    this.length = Math.min(this.#startAfter(i, row) - logical, limit)
  }

  /** Adds a run to a range that is a hole. */
  map(logical: number, cluster: number, length: number): void {
    let i = this.#leafOf(logical)
    let leaf = this.#leaves[i]
    let row = leaf.find(logical)
    if (row >= 0 && this.#joins(leaf, row, logical, cluster)) {
      this.#change(leaf)
      leaf.rows[row * ROW + 2] += length
      this.#joinNext(leaf, row)
      return
    }
    if (leaf.count === leaf.capacity) {
      this.#split(i, row + 1 === leaf.count && i === this.#leaves.length - 1)
      i = this.#leafOf(logical)
      leaf = this.#leaves[i]
      // A leaf that was made for what comes behind the last one is empty.
      if (i + 1 < this.#leaves.length && this.#leaves[i + 1].count === 0) leaf = this.#leaves[++i]
      row = leaf.find(logical)
    }
    this.#change(leaf)
    leaf.insert(row + 1, logical, cluster, length)
    if (row < 0) this.#firstChanged(leaf)
    this.#writeCount(leaf)
    this.#joinNext(leaf, row + 1)
  }

  /** Makes a hole of a range, and says which clusters it had. */
  unmap(from: number, to: number, freed: FreedRun): void {
    let i = this.#leafOf(from)
    while (i < this.#leaves.length) {
      const leaf = this.#leaves[i]
      let row = Math.max(0, leaf.find(from))
      while (row < leaf.count) {
        const { rows } = leaf
        const start = rows[row * ROW]
        const cluster = rows[row * ROW + 1]
        const end = start + rows[row * ROW + 2]
        if (start >= to) return
        const cutFrom = Math.max(start, from)
        const cutTo = Math.min(end, to)
        if (cutFrom >= cutTo) {
          row++
          continue
        }
        this.#change(leaf)
        freed(cluster + (cutFrom - start), cutTo - cutFrom)
        if (start < cutFrom) {
          rows[row * ROW + 2] = cutFrom - start
          if (cutTo < end) {
            this.map(cutTo, cluster + (cutTo - start), end - cutTo)
            return
          }
          row++
          continue
        }
        if (cutTo < end) {
          rows[row * ROW] = cutTo
          rows[row * ROW + 1] = cluster + (cutTo - start)
          rows[row * ROW + 2] = end - cutTo
          if (row === 0) this.#firstChanged(leaf)
          return
        }
        leaf.remove(row)
        this.#writeCount(leaf)
        if (row === 0) this.#firstChanged(leaf)
      }
      if (leaf.count === 0 && this.#drop(i)) continue
      i++
    }
  }

  /** Puts one cluster in the place of another. */
  replace(logical: number, cluster: number): void {
    this.unmap(logical, logical + 1, () => {})
    this.map(logical, cluster, 1)
  }

  /** Visits every extent in order. */
  forEach(visit: (logical: number, cluster: number, length: number) => void): void {
    for (const { rows, count } of this.#leaves) {
      for (let row = 0; row < count * ROW; row += ROW) visit(rows[row], rows[row + 1], rows[row + 2])
    }
  }

  get clusters(): number {
    let sum = 0
    for (const { rows, count } of this.#leaves) for (let row = 0; row < count; row++) sum += rows[row * ROW + 2]
    return sum
  }

  /** Gives back the blocks that the map itself takes: the inode ends. */
  freeBlocks(): void {
    for (const { block } of this.#leaves) if (block !== undefined) this.#core.store.free(block)
    for (const index of this.#indexes) this.#core.store.free(index)
    this.#indexes = []
    this.#leaves = [this.#inline(0)]
    this.#core.staleMaps.delete(this)
  }

  moved(): void {
    this.#core.staleMaps.add(this)
  }

  /** Writes out which leaves and index blocks there are. May move blocks that a snapshot holds, and then has to be called again. */
  layOut(): void {
    this.#core.staleMaps.delete(this)
    const { block, base } = this.#inode
    const leaves = this.#leaves
    if (leaves[0].block === undefined) {
      this.#resizeIndexes(0)
      this.#writeHead(0, leaves[0].count)
      return
    }
    const entries: number[] = []
    for (const leaf of leaves) entries.push(leaf.rows[0], (leaf.block as MetaBlock).cluster)
    const perIndex = this.#core.geometry.pointersPerIndex
    const direct = leaves.length <= INLINE_POINTERS
    this.#resizeIndexes(direct ? 0 : Math.ceil(leaves.length / perIndex))
    if (direct) {
      this.#writeHead(1, leaves.length)
      this.#writePointers(block, base + MAP_AT, entries, 0, leaves.length)
      return
    }
    const top: number[] = []
    for (let i = 0; i < this.#indexes.length; i++) {
      const index = this.#indexes[i]
      const count = Math.min(perIndex, leaves.length - i * perIndex)
      this.#writePointers(index, BLOCK_HEADER, entries, i * perIndex, count)
      if (index.view.getUint32(AT_INDEX, true) !== count) {
        this.#core.store.touch(index)
        index.view.setUint32(AT_INDEX, count, true)
      }
      top.push(entries[i * perIndex * 2], index.cluster)
    }
    this.#writeHead(2, this.#indexes.length)
    this.#writePointers(block, base + MAP_AT, top, 0, this.#indexes.length)
  }

  #inline(count: number): Leaf {
    const { bytes } = this.#inode.block
    const rows = new Uint32Array(bytes.buffer, bytes.byteOffset + this.#inode.base + MAP_AT, INLINE_EXTENTS * ROW)
    return new Leaf(rows, count, undefined)
  }

  /** The last leaf that begins at or before `logical`, or the first. */
  #leafOf(logical: number): number {
    const leaves = this.#leaves
    let low = 1
    let high = leaves.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (leaves[middle].count > 0 && leaves[middle].rows[0] <= logical) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #startAfter(i: number, row: number): number {
    const leaf = this.#leaves[i]
    if (row + 1 < leaf.count) return leaf.rows[(row + 1) * ROW]
    if (i + 1 < this.#leaves.length) return this.#leaves[i + 1].rows[0]
    return Number.POSITIVE_INFINITY
  }

  #joins(leaf: Leaf, row: number, logical: number, cluster: number): boolean {
    const { rows } = leaf
    const length = rows[row * ROW + 2]
    return rows[row * ROW] + length === logical && rows[row * ROW + 1] + length === cluster
  }

  #joinNext(leaf: Leaf, row: number): void {
    if (row + 1 >= leaf.count) return
    const { rows } = leaf
    const next = (row + 1) * ROW
    if (!this.#joins(leaf, row, rows[next], rows[next + 1])) return
    rows[row * ROW + 2] += rows[next + 2]
    leaf.remove(row + 1)
    this.#writeCount(leaf)
  }

  #change(leaf: Leaf): void {
    this.#core.store.touch(leaf.block ?? this.#inode.block)
  }

  #writeCount(leaf: Leaf): void {
    if (leaf.block === undefined) this.#inode.block.view.setUint16(this.#inode.base + COUNT_AT, leaf.count, true)
    else leaf.block.view.setUint32(AT_INDEX, leaf.count, true)
  }

  /** The pointer to a leaf says where its first row begins. */
  #firstChanged(leaf: Leaf): void {
    if (leaf.block !== undefined) this.#core.staleMaps.add(this)
  }

  /** Makes room in a full leaf: the record's rows move to a block, a block's upper half to another. */
  #split(i: number, atEnd: boolean): void {
    const leaf = this.#leaves[i]
    const block = this.#core.store.create(TYPE_LEAF, this.#inode.number, 0, this)
    const other = Leaf.of(block)
    if (leaf.block === undefined) {
      other.rows.set(leaf.rows.subarray(0, leaf.count * ROW))
      other.count = leaf.count
      this.#inode.touch()
      leaf.rows.fill(0)
      this.#leaves = [other]
    } else if (atEnd) this.#leaves.push(other)
    else {
      const kept = leaf.count >> 1
      this.#change(leaf)
      other.count = leaf.count - kept
      other.rows.set(leaf.rows.subarray(kept * ROW, leaf.count * ROW))
      leaf.rows.fill(0, kept * ROW, leaf.count * ROW)
      leaf.count = kept
      this.#writeCount(leaf)
      this.#leaves.splice(i + 1, 0, other)
    }
    this.#writeCount(other)
    this.moved()
  }

  /** Drops an empty leaf. False when it is the record's own, which stays. */
  #drop(i: number): boolean {
    const { block } = this.#leaves[i]
    if (block === undefined) return false
    this.#core.store.free(block)
    this.#leaves.splice(i, 1)
    this.moved()
    if (this.#leaves.length > 0) return true
    this.#inode.touch()
    const { bytes } = this.#inode.block
    bytes.fill(0, this.#inode.base + MAP_AT, this.#inode.base + MAP_AT + INLINE_EXTENTS * ROW * 4)
    this.#leaves = [this.#inline(0)]
    return false
  }

  #resizeIndexes(count: number): void {
    while (this.#indexes.length > count) this.#core.store.free(this.#indexes.pop() as MetaBlock)
    while (this.#indexes.length < count) {
      this.#indexes.push(this.#core.store.create(TYPE_INDEX, this.#inode.number, 0, this))
    }
  }

  #writeHead(depth: number, count: number): void {
    this.#inode.touch()
    const { view } = this.#inode.block
    view.setUint8(this.#inode.base + DEPTH_AT, depth)
    view.setUint16(this.#inode.base + COUNT_AT, count, true)
  }

  /** Writes entries `from` to `from + count` as pointers, if they are not there; zeroes the one behind them. */
  #writePointers(block: MetaBlock, at: number, entries: readonly number[], from: number, count: number): void {
    const limit = block === this.#inode.block ? INLINE_POINTERS : this.#core.geometry.pointersPerIndex
    for (let i = 0; i < limit; i++) {
      const first = i < count ? entries[(from + i) * 2] : 0
      const cluster = i < count ? entries[(from + i) * 2 + 1] : 0
      const place = at + i * 8
      if (block.view.getUint32(place, true) === first && block.view.getUint32(place + 4, true) === cluster) continue
      this.#core.store.touch(block)
      block.view.setUint32(place, first, true)
      block.view.setUint32(place + 4, cluster, true)
    }
  }
}

/** The clusters that a list of pointers names. */
export function pointers(bytes: Uint8Array, at: number, count: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: count }, (_, i) => view.getUint32(at + i * 8 + 4, true))
}
