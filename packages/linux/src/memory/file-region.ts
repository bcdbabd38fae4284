import { createRegionMemory, type MemoryRegion, ParakernelError } from '@parakernel/hal'
import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { descriptorSize } from './memfd.ts'
import { MAP_FIXED, MAP_SHARED, MAP_SHARED_VALIDATE, MAP_SYNC, mmap, replaceByEmpty } from './mmap.ts'
import { regionAddress } from './region.ts'

const MS_SYNC = 4

/**
 * Lays a file over the pages of a fixed-size shared `WebAssembly.Memory`, so that views, workers and WASM kernels store straight
 * into the file. `byteLength` is a multiple of 64 KiB. The region does not own `fd`.
 *
 * `synchronous` asks for MAP_SYNC: the file's metadata is durable before a page is first written to, and so a write-back
 * of cache lines is all that a store needs. Only DAX has it.
 * Throws ENOTSUP where MAP_SYNC is refused, EINVAL when the file is shorter: touching what lies beyond its end would kill
 * the process.
 */
export function mapFileRegion(fd: number, byteLength: number, subject: string, synchronous: boolean): MemoryRegion {
  const size = descriptorSize(fd, subject)
  if (size < byteLength) {
    throw new ParakernelError('EINVAL', `holds ${size} bytes, the region needs ${byteLength}`, {
      subject,
      remedy: 'Restore the file from a copy, or give the size that it has',
    })
  }
  const memory = createRegionMemory(byteLength)
  const buffer = memory.buffer as SharedArrayBuffer
  if (buffer.byteLength !== byteLength) {
    throw new ParakernelError('EINVAL', `${byteLength} bytes are not a multiple of 64 KiB`, { subject })
  }
  const flags = MAP_FIXED | (synchronous ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED)
  mmap(foreign().addressOf(buffer), byteLength, flags, fd, 0, subject)
  return { kind: 'file', memory, buffer, byteLength, fd }
}

/** Takes the file away: who still looks at the region reads zeros, and what is stored there goes nowhere. */
export function unmapFileRegion(region: MemoryRegion): void {
  replaceByEmpty(regionAddress(region), region.byteLength)
}

/** msync(2): returns when the pages from `address` on have reached the file's storage. Both are multiples of the page size. */
export function syncMapping(address: number, length: number, subject: string): void {
  check(calls().msync(address, length, MS_SYNC), { call: 'msync', subject })
}
