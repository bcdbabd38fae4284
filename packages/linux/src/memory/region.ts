import { createRegionMemory, type MemoryRegion, ParakernelError } from '@parakernel/hal'
import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { createSealedMemfd, descriptorSize } from './memfd.ts'
import { MAP_FIXED, MAP_SHARED, mmap } from './mmap.ts'

/**
 * Creates the memfd kind of a region: the pages of a fixed-size shared `WebAssembly.Memory` are replaced in place by a
 * sealed memfd's, so that every view, worker and WASM kernel of this process and every process that inherits the
 * descriptor see the same bytes. `name` shows in /proc.
 * Throws ENOMEM, EMFILE; ENOSYS without the FFI.
 */
export function createMemfdRegion(byteLength: number, name: string): MemoryRegion {
  // First the memory: its length is the rounded one that the memfd must have.
  const memory = createRegionMemory(byteLength)
  const fd = createSealedMemfd(name, memory.buffer.byteLength)
  try {
    return layOver(memory, fd, `memfd region ${name}`)
  } catch (error) {
    calls().close(fd)
    throw error
  }
}

/**
 * Maps an inherited memfd as a region, or the part of it from `byteOffset` on, a multiple of a page. `byteLength` is that of the region
 * that the other process created, or of the part.
 * Throws EINVAL when the memfd is shorter: touching what lies beyond its end would kill the process.
 */
export function mapMemfdRegion(fd: number, byteLength: number, byteOffset = 0): MemoryRegion {
  const subject = `memfd ${fd}`
  const memory = createRegionMemory(byteLength)
  const size = descriptorSize(fd, subject)
  const end = byteOffset + memory.buffer.byteLength
  if (size < end) {
    throw new ParakernelError('EINVAL', `holds ${size} bytes, the region needs ${end}`, {
      subject,
      remedy: 'Pass the byteLength of the region that was created with it',
    })
  }
  return layOver(memory, fd, subject, byteOffset)
}

/** Closes the memfd. The pages stay mapped: the engine owns the addresses, and views over them may live. */
export function closeRegion(region: MemoryRegion): void {
  if (region.fd >= 0) check(calls().close(region.fd), { call: 'close', subject: `memfd ${region.fd}` })
}

const MADV_HUGEPAGE = 14

/**
 * Asks for transparent huge pages under a region: a store that is larger than what the TLB reaches spends a tenth of its time
 * less. A kernel that has none, or is told never to give them, changes nothing.
 */
export function adviseHugePages(region: MemoryRegion): void {
  calls().madvise(regionAddress(region), region.byteLength, MADV_HUGEPAGE)
}

/** Address of a region's first byte in this process. It never moves, since the memory has a fixed size. */
export function regionAddress(region: MemoryRegion): number {
  return foreign().addressOf(region.buffer)
}

function layOver(memory: MemoryRegion['memory'], fd: number, subject: string, byteOffset = 0): MemoryRegion {
  const buffer = memory.buffer as SharedArrayBuffer
  const address = foreign().addressOf(buffer)
  mmap(address, buffer.byteLength, MAP_SHARED | MAP_FIXED, fd, byteOffset, subject)
  return { kind: 'memfd', memory, buffer, byteLength: buffer.byteLength, fd }
}
