import { pointers } from '../extents/extent-map.ts'
import { COUNT_AT, DEPTH_AT, INLINE_EXTENTS, INLINE_POINTERS, MAP_AT } from '../inode/inode.ts'
import { AT_INDEX, BLOCK_HEADER, MAX_LOGICAL, TYPE_INDEX, TYPE_LEAF } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import type { MetaBlock } from '../meta/block.ts'
import type { BlockReader } from './block-reader.ts'
import type { Claims } from './claims.ts'
import type { Problems } from './problems.ts'

/** What a record's map says, as far as it can be believed. */
export interface LoadedMap {
  /** [logical, cluster, length] of each extent, in order. */
  readonly rows: number[]
  /** Something was wrong: the map in memory is not to be used as it stands. */
  readonly damaged: boolean
}

/** Reads and verifies the map of one inode, and claims every cluster that it names, each once for all inodes. */
export class MapLoader {
  readonly #geometry: Geometry
  readonly #reader: BlockReader
  readonly #claims: Claims
  readonly #problems: Problems
  /** Clusters of blocks of maps that were found damaged. */
  readonly obsolete: number[] = []
  /** Of the map that is being loaded. */
  #blocks: number[] = []

  constructor(geometry: Geometry, reader: BlockReader, claims: Claims, problems: Problems) {
    this.#geometry = geometry
    this.#reader = reader
    this.#claims = claims
    this.#problems = problems
  }

  async load(number: number, block: MetaBlock, base: number, name: string): Promise<LoadedMap> {
    this.#blocks = []
    const loaded = await this.#load(number, block, base, name)
    if (loaded.damaged) this.obsolete.push(...this.#blocks)
    return loaded
  }

  async #load(number: number, block: MetaBlock, base: number, name: string): Promise<LoadedMap> {
    const { view, bytes } = block
    const depth = view.getUint8(base + DEPTH_AT)
    const count = view.getUint16(base + COUNT_AT, true)
    const rows: number[] = []
    if (depth > 2 || count > (depth === 0 ? INLINE_EXTENTS : INLINE_POINTERS) || (depth > 0 && count === 0)) {
      this.#problems.damage(`${name}: a map of depth ${depth} with ${count} entries`, 'the map is dropped')
      return { rows, damaged: true }
    }
    if (depth === 0) {
      const good = this.#rows(view, base + MAP_AT, count, rows, name)
      return { rows, damaged: !good }
    }
    let good = true
    let leaves = this.#named(bytes, base + MAP_AT, count)
    if (depth === 2) {
      const perIndex = this.#geometry.pointersPerIndex
      const all: Named[] = []
      for (const index of leaves) {
        const loaded = await this.#block(index, TYPE_INDEX, number, `${name}: index block`)
        const entries = loaded?.view.getUint32(AT_INDEX, true) ?? 0
        if (loaded === undefined || entries === 0 || entries > perIndex) {
          if (loaded !== undefined) this.#problems.damage(`${name}: an index of ${entries} entries`, 'it is dropped')
          good = false
          continue
        }
        const named = this.#named(loaded.bytes, BLOCK_HEADER, entries)
        if (named[0].first !== index.first) good = this.#misnamed(name)
        all.push(...named)
      }
      leaves = all
    }
    for (const leaf of leaves) {
      const loaded = await this.#block(leaf, TYPE_LEAF, number, `${name}: leaf block`)
      const entries = loaded?.view.getUint32(AT_INDEX, true) ?? 0
      if (loaded === undefined || entries === 0 || entries > this.#geometry.rowsPerLeaf) {
        if (loaded !== undefined) this.#problems.damage(`${name}: a leaf of ${entries} extents`, 'it is dropped')
        good = false
        continue
      }
      if (loaded.view.getUint32(BLOCK_HEADER, true) !== leaf.first) good = this.#misnamed(name)
      if (!this.#rows(loaded.view, BLOCK_HEADER, entries, rows, name)) good = false
    }
    return { rows, damaged: !good }
  }

  #misnamed(name: string): boolean {
    this.#problems.damage(`${name}: a pointer does not say where its block begins`, 'the map is written anew')
    return false
  }

  #named(bytes: Uint8Array, at: number, count: number): Named[] {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return pointers(bytes, at, count).map((cluster, i) => ({ first: view.getUint32(at + 8 * i, true), cluster }))
  }

  async #block({ cluster }: Named, type: number, owner: number, name: string): Promise<MetaBlock | undefined> {
    const { dataStart, dataEnd } = this.#geometry
    if (cluster < dataStart || cluster >= dataEnd) {
      this.#problems.damage(`${name} at cluster ${cluster}, which is none for files`, 'it is dropped')
      return undefined
    }
    if (this.#claims.claim(cluster, 1) < 1) {
      this.#problems.damage(`${name} at cluster ${cluster}, which something else has too`, 'it is dropped')
      return undefined
    }
    this.#blocks.push(cluster)
    return (await this.#reader.run(cluster, 1, type, owner, undefined, name, 'it is dropped'))[0]
  }

  /** Takes the rows that are sound; false when one is not. */
  #rows(view: DataView, at: number, count: number, rows: number[], name: string): boolean {
    const { dataStart, dataEnd } = this.#geometry
    let good = true
    for (let i = 0; i < count; i++) {
      const logical = view.getUint32(at + 12 * i, true)
      const cluster = view.getUint32(at + 12 * i + 4, true)
      const length = view.getUint32(at + 12 * i + 8, true)
      const end = rows.length === 0 ? 0 : rows[rows.length - 3] + rows[rows.length - 1]
      const what = `${name}: extent ${rows.length / 3} (${logical}, ${cluster}, ${length})`
      if (length === 0 || logical < end || logical + length > MAX_LOGICAL) {
        this.#problems.damage(`${what} is out of order`, 'it is dropped')
      } else if (cluster < dataStart || cluster + length > dataEnd) {
        this.#problems.damage(`${what} lies outside of the clusters for files`, 'it is dropped')
      } else {
        const claimed = this.#claims.claim(cluster, length)
        if (claimed > 0) rows.push(logical, cluster, claimed)
        if (claimed === length) continue
        this.#problems.damage(`${what} has clusters that something else has too`, 'it keeps those before them')
      }
      good = false
    }
    return good
  }
}

interface Named {
  /** Logical cluster at which the block's first row begins. */
  readonly first: number
  readonly cluster: number
}
