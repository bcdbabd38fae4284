import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'

/** Where a run of a file's bytes lies on the block device of its file system. All in bytes. */
export interface FileExtent {
  readonly logical: number
  readonly physical: number
  readonly length: number
}

const FS_IOC_FIEMAP = 0xc020660b
const FIEMAP_EXTENT_LAST = 1
/** struct fiemap without extents, struct fiemap_extent (linux/fiemap.h). */
const HEADER = 32
const EXTENT = 56
const BATCH = 64

/** The extents of a file, in the order of its bytes. Throws ENOTSUP where the file system does not tell. */
export function fileExtents(fd: number, length: number, subject: string): FileExtent[] {
  const bytes = new Uint8Array(HEADER + BATCH * EXTENT)
  const view = new DataView(bytes.buffer)
  const u64 = (at: number) => Number(view.getBigUint64(at, true))
  const extents: FileExtent[] = []
  let from = 0
  while (from < length) {
    bytes.fill(0)
    view.setBigUint64(0, BigInt(from), true)
    view.setBigUint64(8, BigInt(length - from), true)
    view.setUint32(24, BATCH, true)
    check(calls().ioctl(fd, FS_IOC_FIEMAP, bytes), { call: 'ioctl(FS_IOC_FIEMAP)', subject })
    const mapped = view.getUint32(20, true)
    if (mapped === 0) break
    let last = false
    for (let i = 0; i < mapped; i++) {
      const at = HEADER + i * EXTENT
      const extent = { logical: u64(at), physical: u64(at + 8), length: u64(at + 16) }
      extents.push(extent)
      from = extent.logical + extent.length
      last = (view.getUint32(at + 40, true) & FIEMAP_EXTENT_LAST) !== 0
    }
    if (last) break
  }
  return extents
}
