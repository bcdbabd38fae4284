import { getUint64, setUint64 } from '../../format/header.ts'
import type { Core } from '../core.ts'
import { ExtentMap } from '../extents/extent-map.ts'
import { INODE_SIZE } from '../layout/constants.ts'
import type { MetaBlock } from '../meta/block.ts'

// Fields of an inode's record, in bytes from its start.
export const KIND_AT = 0
export const DEPTH_AT = 1
export const COUNT_AT = 2
export const LINKS_AT = 4
export const SIZE_AT = 8
export const MODIFIED_AT = 16
export const CHANGED_AT = 24
export const GENERATION_AT = 32
/** Of a directory: the inode that has it. */
export const PARENT_AT = 36
/** Extents (12 bytes each) or pointers (8 bytes each). */
export const MAP_AT = 48
export const INLINE_EXTENTS = 17
export const INLINE_POINTERS = 26

/** A record of the inode table, where it lies in its block: reads and writes go to the block's bytes. */
export class Inode {
  readonly number: number
  readonly block: MetaBlock
  /** Of the record, in the block. */
  readonly base: number
  readonly map: ExtentMap
  readonly #core: Core
  readonly #view: DataView

  constructor(core: Core, number: number, block: MetaBlock, base: number) {
    this.#core = core
    this.number = number
    this.block = block
    this.base = base
    this.#view = block.view
    this.map = new ExtentMap(core, this)
  }

  get kind(): number {
    return this.#view.getUint8(this.base + KIND_AT)
  }

  get links(): number {
    return this.#view.getUint32(this.base + LINKS_AT, true)
  }

  set links(value: number) {
    this.touch()
    this.#view.setUint32(this.base + LINKS_AT, value, true)
  }

  /** Bytes; of a directory, entries; of the table, blocks. */
  get size(): number {
    return getUint64(this.#view, this.base + SIZE_AT)
  }

  set size(value: number) {
    this.touch()
    setUint64(this.#view, this.base + SIZE_AT, value)
  }

  get modified(): number {
    return this.#view.getFloat64(this.base + MODIFIED_AT, true)
  }

  get changed(): number {
    return this.#view.getFloat64(this.base + CHANGED_AT, true)
  }

  get parent(): number {
    return this.#view.getUint32(this.base + PARENT_AT, true)
  }

  set parent(value: number) {
    this.touch()
    this.#view.setUint32(this.base + PARENT_AT, value, true)
  }

  /** Contents and status changed at `time`. */
  stamp(time: number): void {
    this.touch()
    this.#view.setFloat64(this.base + MODIFIED_AT, time, true)
    this.#view.setFloat64(this.base + CHANGED_AT, time, true)
  }

  /** Name or links changed at `time`. */
  stampChanged(time: number): void {
    this.touch()
    this.#view.setFloat64(this.base + CHANGED_AT, time, true)
  }

  /** Makes a new inode of a free record. */
  begin(kind: number, parent: number, time: number): void {
    this.touch()
    const generation = this.#view.getUint32(this.base + GENERATION_AT, true)
    this.block.bytes.fill(0, this.base, this.base + INODE_SIZE)
    this.#view.setUint8(this.base + KIND_AT, kind)
    this.#view.setUint32(this.base + LINKS_AT, 1, true)
    this.#view.setUint32(this.base + GENERATION_AT, generation + 1, true)
    this.#view.setUint32(this.base + PARENT_AT, parent, true)
    this.stamp(time)
    this.map.reset()
  }

  /** Makes the record free; its generation stays. */
  end(): void {
    this.touch()
    const generation = this.#view.getUint32(this.base + GENERATION_AT, true)
    this.block.bytes.fill(0, this.base, this.base + INODE_SIZE)
    this.#view.setUint32(this.base + GENERATION_AT, generation, true)
  }

  touch(): void {
    this.#core.store.touch(this.block)
  }
}
