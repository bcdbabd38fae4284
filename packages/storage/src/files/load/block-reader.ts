import { ParakernelError } from '@parakernel/hal'
import { read } from '../../medium/awaitable.ts'
import type { Medium } from '../../medium/medium.ts'
import type { Geometry } from '../layout/geometry.ts'
import { blockDefect, type MetaBlock, seal, stamp } from '../meta/block.ts'
import type { Overlay } from '../meta/delta.ts'
import type { MetaStore } from '../meta/store.ts'
import type { Problems } from './problems.ts'

/** Bytes of one read at most. */
const CHUNK = 1 << 18

/**
 * Reads blocks of metadata as they are after the journal, verifies them, and hands them to the store. A block that cannot be read or is
 * not what it should be is reported and comes back empty.
 */
export class BlockReader {
  readonly #medium: Medium
  readonly #geometry: Geometry
  readonly #overlay: Overlay | undefined
  readonly #store: MetaStore
  readonly #problems: Problems

  constructor(medium: Medium, geometry: Geometry, overlay: Overlay | undefined, store: MetaStore, problems: Problems) {
    this.#medium = medium
    this.#geometry = geometry
    this.#overlay = overlay
    this.#store = store
    this.#problems = problems
  }

  /**
   * Blocks `first` to `first + count`, of one type and owner; their indexes count from `index`, or say what they like when that is
   * undefined. `name` is what a report calls them, `repair` what it says. A bad one is `undefined`.
   */
  async run(
    first: number,
    count: number,
    type: number,
    owner: number,
    index: number | undefined,
    name: string,
    repair: string,
  ): Promise<(MetaBlock | undefined)[]> {
    const { clusterSize, uuid } = this.#geometry
    const blocks: (MetaBlock | undefined)[] = []
    const step = Math.max(1, Math.floor(CHUNK / clusterSize))
    for (let at = 0; at < count; at += step) {
      const part = Math.min(step, count - at)
      const chunk = await this.#chunk(first + at, part)
      for (let i = 0; i < part; i++) {
        const cluster = first + at + i
        const bytes = chunk[i]
        let reason = typeof bytes === 'string' ? bytes : blockDefect(bytes, type, cluster, uuid)
        if (reason === undefined && typeof bytes !== 'string') {
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
          if (view.getUint32(16, true) !== owner) reason = `is of owner ${view.getUint32(16, true)}, not ${owner}`
          else if (index !== undefined && view.getUint32(20, true) !== index + at + i) {
            reason = `says that it is number ${view.getUint32(20, true)}, not ${index + at + i}`
          }
        }
        if (reason !== undefined) {
          const number = count > 1 ? ` ${at + i}` : ''
          this.#problems.damage(`${name}${number} at cluster ${cluster} ${reason}`, repair)
          blocks.push(undefined)
          continue
        }
        const block = this.#store.adopt(cluster, bytes as Uint8Array)
        if (this.#overlay?.has(cluster)) this.#store.home.set(cluster, block)
        blocks.push(block)
      }
    }
    return blocks
  }

  /** A block that takes the place of a bad one: in memory, until the repair is written. */
  substitute(cluster: number, type: number, owner: number, index: number): MetaBlock {
    const block = this.#store.adopt(cluster, new Uint8Array(this.#geometry.clusterSize))
    stamp(block.view, type, cluster, owner, index, this.#geometry.uuid)
    seal(block.bytes, block.view)
    return block
  }

  /** Bytes of each block, or why they cannot be read. One bad block does not take its neighbours with it. */
  async #chunk(first: number, count: number): Promise<(Uint8Array | string)[]> {
    const { clusterSize } = this.#geometry
    let bytes: Uint8Array | undefined
    try {
      bytes = await read(this.#medium, first * clusterSize, count * clusterSize)
    } catch (error) {
      if (!(error instanceof ParakernelError) || error.code === 'ENOBUFS') throw error
      if (count === 1) {
        if (this.#overlay?.isWhole(first) !== true) return [`cannot be read (${error.code})`]
        bytes = new Uint8Array(clusterSize)
      }
    }
    if (bytes === undefined) {
      const each: (Uint8Array | string)[] = []
      for (let i = 0; i < count; i++) each.push(...(await this.#chunk(first + i, 1)))
      return each
    }
    return Array.from({ length: count }, (_, i) => {
      const block = bytes.subarray(i * clusterSize, (i + 1) * clusterSize)
      this.#overlay?.apply(first + i, block)
      return block
    })
  }
}
