import { compareNames } from '@parakernel/queue'
import type { Core } from '../core.ts'
import type { Inode } from '../inode/inode.ts'
import { AT_INDEX, TYPE_DIRECTORY } from '../layout/constants.ts'
import type { BlockParent, MetaBlock } from '../meta/block.ts'
import { ENTRIES_AT, ENTRY_HEAD, encodeName, entriesOf, USED_AT } from './entries.ts'

export interface DirectoryEntry {
  readonly inode: number
  readonly kind: number
  /** Index of the block that it stands in. */
  readonly block: number
}

/**
 * A directory: entries stand in any order in its blocks, and names are looked up in a hash table that is made when the directory
 * is first used. Adding, removing and finding cost the same whatever its size.
 */
export class Directory implements BlockParent {
  readonly inode: Inode
  readonly #core: Core
  readonly #names = new Map<string, DirectoryEntry>()
  readonly #blocks: MetaBlock[] = []
  /** Blocks that lost entries since they were last found too full. */
  readonly #roomy: number[] = []
  #sorted: string[] | undefined

  constructor(core: Core, inode: Inode) {
    this.#core = core
    this.inode = inode
    inode.map.forEach((_logical, cluster, length) => {
      for (let i = 0; i < length; i++) {
        const block = core.store.blocks.get(cluster + i) as MetaBlock
        block.parent = this
        const index = this.#blocks.push(block) - 1
        for (const { inode, kind, name } of entriesOf(block.bytes)) this.#names.set(name, { inode, kind, block: index })
      }
    })
  }

  get size(): number {
    return this.#names.size
  }

  find(name: string): DirectoryEntry | undefined {
    return this.#names.get(name)
  }

  /** Names in the order of their bytes; the same array until something changes. */
  list(): readonly string[] {
    this.#sorted ??= [...this.#names.keys()].sort(compareNames)
    return this.#sorted
  }

  entries(): IterableIterator<[string, DirectoryEntry]> {
    return this.#names.entries()
  }

  /** Adds a name that is not there. */
  add(name: string, inode: number, kind: number, time: number): void {
    const bytes = encodeName(name)
    const length = ENTRY_HEAD + bytes.length
    const index = this.#withRoom(length)
    const block = this.#blocks[index]
    this.#core.store.touch(block)
    const used = block.view.getUint32(USED_AT, true)
    const at = ENTRIES_AT + used
    block.view.setUint32(at, inode, true)
    block.bytes[at + 4] = kind
    block.bytes[at + 5] = bytes.length
    block.bytes.set(bytes, at + ENTRY_HEAD)
    block.view.setUint32(USED_AT, used + length, true)
    this.#names.set(name, { inode, kind, block: index })
    this.#changed(time)
  }

  remove(name: string, time: number): void {
    const entry = this.#names.get(name) as DirectoryEntry
    const block = this.#blocks[entry.block]
    for (const { name: found, at, length } of entriesOf(block.bytes)) {
      if (found !== name) continue
      this.#core.store.touch(block)
      const used = block.view.getUint32(USED_AT, true)
      const end = ENTRIES_AT + used
      block.bytes.copyWithin(at, at + length, end)
      block.bytes.fill(0, end - length, end)
      block.view.setUint32(USED_AT, used - length, true)
      break
    }
    this.#names.delete(name)
    if (this.#roomy.at(-1) !== entry.block) this.#roomy.push(entry.block)
    this.#changed(time)
  }

  /** Puts another inode behind a name that is there. */
  replace(name: string, inode: number, time: number): void {
    const entry = this.#names.get(name) as DirectoryEntry
    const block = this.#blocks[entry.block]
    for (const { name: found, at } of entriesOf(block.bytes)) {
      if (found !== name) continue
      this.#core.store.touch(block)
      block.view.setUint32(at, inode, true)
      break
    }
    this.#names.set(name, { ...entry, inode })
    this.#changed(time)
  }

  /** Gives back the blocks: an empty directory ends. */
  free(): void {
    for (const block of this.#blocks) this.#core.store.free(block)
    this.#blocks.length = 0
    this.inode.map.freeBlocks()
  }

  moved(block: MetaBlock): void {
    this.inode.map.replace(block.view.getUint32(AT_INDEX, true), block.cluster)
  }

  #changed(time: number): void {
    this.#sorted = undefined
    this.inode.size = this.#names.size
    this.inode.stamp(time)
  }

  #withRoom(length: number): number {
    const last = this.#blocks.length - 1
    if (last >= 0 && this.#room(last) >= length) return last
    while (this.#roomy.length > 0) {
      const index = this.#roomy.at(-1) as number
      if (this.#room(index) >= length) return index
      this.#roomy.pop()
    }
    const index = last + 1
    const block = this.#core.store.create(TYPE_DIRECTORY, this.inode.number, index, this)
    this.inode.map.map(index, block.cluster, 1)
    this.#blocks.push(block)
    return index
  }

  #room(index: number): number {
    const { bytes, view } = this.#blocks[index]
    return bytes.length - ENTRIES_AT - view.getUint32(USED_AT, true)
  }
}
