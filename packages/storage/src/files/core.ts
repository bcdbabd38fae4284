import type { ExtentMap } from './extents/extent-map.ts'
import { InodeTable } from './inode/table.ts'
import type { Geometry } from './layout/geometry.ts'
import type { Loaded } from './load/loader.ts'
import type { MetaBlock } from './meta/block.ts'
import type { MetaStore } from './meta/store.ts'
import { Bitmap } from './space/bitmap.ts'
import { ChecksumTable } from './space/checksums.ts'
import { Space } from './space/space.ts'

/** The metadata of one mounted volume: what all its parts share. */
export class Core {
  readonly geometry: Geometry
  readonly store: MetaStore
  readonly root: MetaBlock
  readonly space: Space
  readonly checksums: ChecksumTable
  readonly inodes: InodeTable
  /** Maps whose lists of leaves have to be written out before a capture. */
  readonly staleMaps = new Set<ExtentMap>()

  constructor(loaded: Loaded, frozen: Int32Array | undefined) {
    const { geometry, store, root, bitmap, checksums } = loaded
    this.geometry = geometry
    this.store = store
    this.root = root
    this.space = new Space(new Bitmap(bitmap, store, geometry), frozen, geometry)
    store.places = this.space
    this.checksums = new ChecksumTable(checksums, store, geometry)
    this.inodes = new InodeTable(this)
    this.inodes.reset()
  }
}
