import { calls, MAP_ANONYMOUS, MAP_PRIVATE, type MappedRange, mmap } from '@parakernel/linux'

/** Bytes of `struct iovec`. */
export const VECTOR_BYTES = 16
export const ZEROS_BYTES = 65_536
const PAGE = 4096

/**
 * Memory beside a ring that its commands point at. Of the control thread's own making, because a thread's heap goes when the
 * thread does, and a kernel that is late would read vectors of what comes to lie there.
 */
export interface Scratch {
  readonly vectors: MappedRange
  readonly zeros: MappedRange
  free(): void
}

export function createScratch(depth: number, segments: number, subject: string): Scratch {
  const vectorBytes = Math.ceil((depth * segments * VECTOR_BYTES) / PAGE) * PAGE
  const length = vectorBytes + ZEROS_BYTES
  const address = mmap(0, length, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, `${subject} vectors`)
  return {
    vectors: { address, length: vectorBytes },
    zeros: { address: address + vectorBytes, length: ZEROS_BYTES },
    free: () => void calls().munmap(address, length),
  }
}
