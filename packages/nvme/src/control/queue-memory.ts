import type { DmaMapping, DmaMemory } from '@parakernel/hal'
import type { RingOffsets } from '../queue/grant.ts'

const SUBMISSION_ENTRY = 64
const COMPLETION_ENTRY = 16
const SGL_DESCRIPTOR = 16
const SMALLEST_LIST = 64

/** The memory of one queue pair: two sets of rings, and a list for each slot. The controller reads and writes it. */
export interface QueueMemory {
  readonly mapping: DmaMapping
  readonly rings: readonly [RingOffsets, RingOffsets]
  readonly lists: number
  readonly listBytes: number
}

/** Bytes of a list that has room for every transfer: a power of two below a page, so that none crosses one, or whole pages. */
export function listBytes(maxTransferBytes: number, maxSegments: number, sgl: boolean, page: number): number {
  // The first page has no entry; a transfer that does not begin on a page touches one more.
  const entries = maxTransferBytes / page
  const wanted = Math.max(SMALLEST_LIST, entries * 8, sgl ? maxSegments * SGL_DESCRIPTOR : 0)
  if (wanted <= page) return 2 ** Math.ceil(Math.log2(wanted))
  return Math.ceil(entries / (page / 8 - 1)) * page
}

/** @throws ENOMEM */
export function allocateQueueMemory(memory: DmaMemory, depth: number, list: number, page: number): QueueMemory {
  const whole = (bytes: number) => Math.ceil(bytes / page) * page
  const submission = whole(depth * SUBMISSION_ENTRY)
  const set = submission + whole(depth * COMPLETION_ENTRY)
  const mapping = memory.allocate(whole(2 * set + depth * list))
  const { byteOffset } = mapping
  const ring = (i: number): RingOffsets => ({
    submission: byteOffset + i * set,
    completion: byteOffset + i * set + submission,
  })
  return { mapping, rings: [ring(0), ring(1)], lists: byteOffset + 2 * set, listBytes: list }
}

export function busAddress({ mapping }: QueueMemory, byteOffset: number): number {
  return mapping.busAddress + byteOffset - mapping.byteOffset
}
