import { getUint64 } from '../../format/header.ts'
import type { Medium } from '../../medium/medium.ts'
import { KIND_AT, LINKS_AT, SIZE_AT } from '../inode/inode.ts'
import {
  DIRECTORY,
  FILE,
  FREE,
  INODE_SIZE,
  ROOT,
  TABLE,
  TABLE_INODE,
  TYPE_BITMAP,
  TYPE_CHECKSUMS,
  TYPE_DIRECTORY,
  TYPE_INODES,
} from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import { TABLE_AT } from '../layout/root.ts'
import type { MetaBlock } from '../meta/block.ts'
import type { Overlay } from '../meta/delta.ts'
import { MetaStore } from '../meta/store.ts'
import { wordsOf } from '../space/bitmap.ts'
import { population, setBits } from '../space/bits.ts'
import { BlockReader } from './block-reader.ts'
import { Claims } from './claims.ts'
import { MapLoader } from './map-loader.ts'
import type { Problems } from './problems.ts'
import { checkTree } from './tree.ts'

/** An inode as the loader found it. */
export interface FoundInode {
  readonly number: number
  readonly kind: number
  readonly block: MetaBlock
  readonly base: number
  rows: number[]
  /** Of a directory, in order. */
  blocks: MetaBlock[]
  /** A directory has it, or it was found adrift. */
  reached: boolean
}

/** All metadata of one volume or snapshot, in memory and verified. */
export interface Loaded {
  readonly geometry: Geometry
  readonly store: MetaStore
  readonly root: MetaBlock
  readonly bitmap: readonly MetaBlock[]
  readonly checksums: readonly MetaBlock[]
  readonly inodes: ReadonlyMap<number, FoundInode>
  /** What was found in use, fixed places apart. */
  readonly used: Int32Array
  /** Unlinked while they were open when power failed. */
  readonly orphans: readonly number[]
  /** Live, but in no directory. */
  readonly adrift: readonly number[]
  /** Inodes whose maps have to be made anew from `rows`. */
  readonly remap: readonly FoundInode[]
  /** Clusters of the map blocks that `remap` makes useless. They count as used until the repair is done. */
  readonly obsolete: readonly number[]
  /** Blocks of the checksum table that are lost. */
  readonly lostChecksums: readonly number[]
  readonly directories: number
}

/** What a loader starts from. */
export interface LoadSource {
  readonly medium: Medium
  readonly geometry: Geometry
  /** The root's bytes, with the journal's changes. */
  readonly root: Uint8Array
  readonly overlay: Overlay | undefined
  readonly problems: Problems
  /** The bitmap of a snapshot, in the place of the live one's blocks. */
  readonly snapshotBitmap?: Int32Array
  /** The checksum table, where it is in memory: it is the same for all. */
  readonly checksums?: readonly MetaBlock[]
}

/**
 * Reads all metadata and verifies it: every number before it is used, every block's checksum, that nothing has two owners, and that
 * the directories are a tree. What is wrong is reported, and what is left in memory is sound but for what `remap` and `adrift` name;
 * so the same walk serves mounting (which refuses damage), checking and repairing. Writes nothing.
 */
export async function load(source: LoadSource): Promise<Loaded> {
  return new Loader(source).run()
}

class Loader {
  readonly #source: LoadSource
  readonly #geometry: Geometry
  readonly #problems: Problems
  readonly #store: MetaStore
  readonly #reader: BlockReader
  readonly #claims: Claims
  readonly #maps: MapLoader
  readonly #inodes = new Map<number, FoundInode>()
  readonly #remap: FoundInode[] = []

  constructor(source: LoadSource) {
    const { medium, geometry, overlay, problems } = source
    this.#source = source
    this.#geometry = geometry
    this.#problems = problems
    this.#store = new MetaStore(geometry.clusterSize, geometry.uuid)
    this.#reader = new BlockReader(medium, geometry, overlay, this.#store, problems)
    this.#claims = new Claims(geometry.clusters)
    this.#maps = new MapLoader(geometry, this.#reader, this.#claims, problems)
  }

  async run(): Promise<Loaded> {
    const root = this.#store.adopt(ROOT, this.#source.root)
    const lostChecksums: number[] = []
    const bitmap = await this.#bitmap()
    const checksums = await this.#checksums(lostChecksums)
    const table = await this.#table(root)
    const { inodesPerBlock } = this.#geometry
    for (let number = TABLE_INODE + 1; number < table.length * inodesPerBlock; number++) {
      const slot = number % inodesPerBlock
      await this.#inode(number, table[(number - slot) / inodesPerBlock], (slot + 1) * INODE_SIZE)
    }
    const { orphans, adrift, directories } = checkTree(this.#inodes, this.#problems)
    this.#compareBitmap(bitmap)
    return {
      geometry: this.#geometry,
      store: this.#store,
      root,
      bitmap,
      checksums,
      inodes: this.#inodes,
      used: this.#claims.words,
      orphans,
      adrift,
      remap: this.#remap,
      obsolete: this.#maps.obsolete,
      lostChecksums,
      directories,
    }
  }

  async #bitmap(): Promise<MetaBlock[]> {
    const { bitmap, bitmapBlocks } = this.#geometry
    if (this.#source.snapshotBitmap !== undefined) return []
    const blocks = await this.#reader.run(bitmap, bitmapBlocks, TYPE_BITMAP, 0, 0, 'bitmap block', 'it is made anew')
    return blocks.map((block, i) => block ?? this.#reader.substitute(bitmap + i, TYPE_BITMAP, 0, i))
  }

  async #checksums(lost: number[]): Promise<readonly MetaBlock[]> {
    if (this.#source.checksums !== undefined) return this.#source.checksums
    const { checksumTable, checksumBlocks } = this.#geometry
    const repair = 'the checksums are taken from the data as they are'
    const blocks = await this.#reader.run(checksumTable, checksumBlocks, TYPE_CHECKSUMS, 0, 0, 'checksum block', repair)
    return blocks.map((block, i) => {
      if (block !== undefined) return block
      lost.push(i)
      return this.#reader.substitute(checksumTable + i, TYPE_CHECKSUMS, 0, i)
    })
  }

  async #table(root: MetaBlock): Promise<MetaBlock[]> {
    const blocks: MetaBlock[] = []
    if (root.bytes[TABLE_AT + KIND_AT] !== TABLE) {
      this.#problems.lost('the root has no inode table')
      return blocks
    }
    const { rows, damaged } = await this.#maps.load(TABLE_INODE, root, TABLE_AT, 'inode table')
    if (damaged) this.#problems.lost('the map of the inode table is damaged')
    for (let i = 0; i < rows.length; i += 3) {
      if (rows[i] !== blocks.length) this.#problems.lost(`the inode table has no block ${blocks.length}`)
      const [, cluster, length] = rows.slice(i, i + 3)
      const index = blocks.length
      const repair = 'the files in it are lost'
      const run = await this.#reader.run(cluster, length, TYPE_INODES, TABLE_INODE, index, 'inode block', repair)
      run.forEach((block, k) => {
        blocks.push(block ?? this.#reader.substitute(cluster + k, TYPE_INODES, TABLE_INODE, index + k))
      })
    }
    if (blocks.length === 0) this.#problems.lost('the inode table is empty')
    else if (getUint64(root.view, TABLE_AT + SIZE_AT) !== blocks.length) {
      this.#problems.lost('the inode table has not as many blocks as it says')
    }
    return blocks
  }

  async #inode(number: number, block: MetaBlock, base: number): Promise<void> {
    const { view, bytes } = block
    const kind = bytes[base + KIND_AT]
    if (kind === FREE) return
    const name = `inode ${number}`
    if (kind !== FILE && kind !== DIRECTORY) {
      this.#problems.damage(`${name} is of kind ${kind}`, 'it is freed')
      bytes.fill(0, base, base + INODE_SIZE)
      return
    }
    const inode: FoundInode = { number, kind, block, base, rows: [], blocks: [], reached: false }
    this.#inodes.set(number, inode)
    if (view.getUint32(base + LINKS_AT, true) > 1) {
      this.#problems.damage(`${name} says that it has ${view.getUint32(base + LINKS_AT, true)} names`, 'it has one')
      view.setUint32(base + LINKS_AT, 1, true)
    }
    const { rows, damaged } = await this.#maps.load(number, block, base, name)
    inode.rows = rows
    if (damaged) this.#remap.push(inode)
    if (kind === DIRECTORY) await this.#directory(inode)
    else this.#fileSize(inode, name)
  }

  #fileSize({ rows, block, base }: FoundInode, name: string): void {
    const { clusterSize } = this.#geometry
    const size = getUint64(block.view, base + SIZE_AT)
    const mapped = rows.length === 0 ? 0 : rows[rows.length - 3] + rows[rows.length - 1]
    if (size <= Number.MAX_SAFE_INTEGER && mapped <= Math.ceil(size / clusterSize)) return
    this.#problems.damage(
      `${name} says that it is ${size} bytes long, and has ${mapped} clusters`,
      'its length is theirs',
    )
    block.view.setUint32(base + SIZE_AT, (mapped * clusterSize) >>> 0, true)
    block.view.setUint32(base + SIZE_AT + 4, Math.floor((mapped * clusterSize) / 2 ** 32), true)
  }

  async #directory(inode: FoundInode): Promise<void> {
    const { rows, number } = inode
    const name = `directory ${number}`
    for (let i = 0; i < rows.length; i += 3) {
      const [logical, cluster, length] = rows.slice(i, i + 3)
      const index = inode.blocks.length
      if (logical !== index) {
        this.#problems.damage(`${name} has no block ${index}`, 'the blocks behind it take its place')
        if (!this.#remap.includes(inode)) this.#remap.push(inode)
      }
      const repair = 'its names are lost, their files go to /lost+found'
      const run = await this.#reader.run(cluster, length, TYPE_DIRECTORY, number, logical, `${name}: block`, repair)
      run.forEach((block, k) => {
        inode.blocks.push(block ?? this.#reader.substitute(cluster + k, TYPE_DIRECTORY, number, index + k))
      })
    }
  }

  #compareBitmap(blocks: readonly MetaBlock[]): void {
    const { dataStart, dataEnd, clusters } = this.#geometry
    const recorded =
      this.#source.snapshotBitmap?.slice() ??
      wordsOf(
        blocks.map((block) => block.bytes),
        this.#geometry,
      )
    const expected = this.#claims.words.slice()
    for (const words of [recorded, expected]) {
      setBits(words, 0, dataStart)
      setBits(words, dataEnd, clusters - dataEnd)
    }
    let missing = 0
    let leaked = 0
    for (let i = 0; i < expected.length; i++) {
      missing += population(expected[i] & ~recorded[i])
      leaked += population(recorded[i] & ~expected[i])
    }
    const repair = 'the bitmap is made anew'
    if (missing > 0) this.#problems.damage(`bitmap: ${missing} clusters in use count as free`, repair)
    if (leaked > 0) this.#problems.leak(`bitmap: ${leaked} clusters count as used and nothing has them`, repair)
  }
}
