import { ParakernelError } from '@parakernel/hal'
import type { Core } from '../core.ts'
import { AT_INDEX, FREE, INODE_SIZE, TABLE_INODE, TYPE_INODES } from '../layout/constants.ts'
import { TABLE_AT } from '../layout/root.ts'
import type { BlockParent, MetaBlock } from '../meta/block.ts'
import { Inode, KIND_AT } from './inode.ts'

/** All inodes, by number. The table is laid out as a file is; its own inode stands in the root. */
export class InodeTable implements BlockParent {
  readonly table: Inode
  readonly blocks: MetaBlock[] = []
  /** Inodes in use. */
  live = 0
  readonly #core: Core
  /** Numbers of free records, the lowest on top. */
  readonly #free: number[] = []
  readonly #inodes = new Map<number, Inode>()

  constructor(core: Core) {
    this.#core = core
    this.table = new Inode(core, TABLE_INODE, core.root, TABLE_AT)
  }

  /** Reads the table's blocks, which must be in memory. */
  reset(): void {
    this.table.map.reset()
    this.blocks.length = 0
    this.#free.length = 0
    this.#inodes.clear()
    this.live = 0
    const { inodesPerBlock } = this.#core.geometry
    this.table.map.forEach((_logical, cluster, length) => {
      for (let i = 0; i < length; i++) {
        const block = this.#core.store.blocks.get(cluster + i) as MetaBlock
        block.parent = this
        this.blocks.push(block)
      }
    })
    for (let number = this.blocks.length * inodesPerBlock - 1; number > TABLE_INODE; number--) {
      if (this.kindOf(number) === FREE) this.#free.push(number)
      else this.live++
    }
  }

  /** Numbers below it may exist. */
  get limit(): number {
    return this.blocks.length * this.#core.geometry.inodesPerBlock
  }

  kindOf(number: number): number {
    const { inodesPerBlock } = this.#core.geometry
    const index = Math.floor(number / inodesPerBlock)
    return this.blocks[index].bytes[baseOf(number - index * inodesPerBlock) + KIND_AT]
  }

  get(number: number): Inode {
    const known = this.#inodes.get(number)
    if (known !== undefined) return known
    const { inodesPerBlock } = this.#core.geometry
    const index = Math.floor(number / inodesPerBlock)
    const base = baseOf(number - index * inodesPerBlock)
    const inode = new Inode(this.#core, number, this.blocks[index], base)
    this.#inodes.set(number, inode)
    return inode
  }

  /** Forgets the object of an inode that nobody uses; the record stays. */
  forget(inode: Inode): void {
    if (!this.#core.staleMaps.has(inode.map)) this.#inodes.delete(inode.number)
  }

  allocate(kind: number, parent: number, time: number): Inode {
    if (this.#free.length === 0) this.#grow()
    const inode = this.get(this.#free.pop() as number)
    inode.begin(kind, parent, time)
    this.live++
    return inode
  }

  /** Ends an inode that has no clusters any more. */
  release(inode: Inode): void {
    inode.end()
    this.#inodes.delete(inode.number)
    this.#free.push(inode.number)
    this.live--
  }

  moved(block: MetaBlock): void {
    this.table.map.replace(block.view.getUint32(AT_INDEX, true), block.cluster)
  }

  #grow(): void {
    const { inodesPerBlock } = this.#core.geometry
    const index = this.blocks.length
    if ((index + 1) * inodesPerBlock >= 0xffff_ffff) {
      throw new ParakernelError('ENOSPC', 'the volume has no more inodes', { subject: 'inode table' })
    }
    const block = this.#core.store.create(TYPE_INODES, TABLE_INODE, index, this)
    this.table.map.map(index, block.cluster, 1)
    this.table.size = index + 1
    this.blocks.push(block)
    for (let i = inodesPerBlock - 1; i >= 0; i--) {
      const number = index * inodesPerBlock + i
      if (number > TABLE_INODE) this.#free.push(number)
    }
  }
}

function baseOf(slot: number): number {
  return (slot + 1) * INODE_SIZE
}
