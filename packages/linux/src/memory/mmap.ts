import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

export const PROT_READ = 1
export const PROT_WRITE = 2
export const PROT_EXEC = 4
export const MAP_SHARED = 0x01
export const MAP_PRIVATE = 0x02
/** As MAP_SHARED, and flags that the file does not support are refused with EOPNOTSUPP instead of being ignored. */
export const MAP_SHARED_VALIDATE = 0x03
export const MAP_FIXED = 0x10
export const MAP_ANONYMOUS = 0x20
/** Fault the pages in at once: a ring must not fault in the middle of a burst. */
export const MAP_POPULATE = 0x8000
/** Of a DAX file: metadata is durable before a page can be written to. */
export const MAP_SYNC = 0x80000

/** Bytes mapped from a descriptor. Views over `buffer` must be gone before `unmap`. */
export interface Mapping {
  readonly address: number
  readonly length: number
  readonly buffer: ArrayBuffer
  /** Idempotent. Any later access through `buffer` crashes the process. */
  unmap(): void
}

/** Maps `length` bytes of `descriptor` at `offset`, shared, readable and writable. `subject` names it in errors. */
export function mapDescriptor(descriptor: number, offset: number, length: number, subject: string): Mapping {
  const address = mmap(0, length, MAP_SHARED | MAP_POPULATE, descriptor, offset, subject)
  let mapped = true
  return {
    address,
    length,
    buffer: foreign().view(address, length),
    unmap() {
      if (!mapped) return
      mapped = false
      calls().munmap(address, length)
    },
  }
}

/** mmap(2), read and write. Returns the address; throws with errno. */
export function mmap(
  address: number,
  length: number,
  flags: number,
  descriptor: number,
  offset: number,
  subject: string,
): number {
  const result = Number(calls().mmap(address, length, PROT_READ | PROT_WRITE, flags, descriptor, offset))
  // MAP_FAILED is (void *)-1, far above every user-space address.
  if (result > Number.MAX_SAFE_INTEGER) check(-1, { call: 'mmap', subject })
  return result
}

/**
 * Puts fresh, empty memory in the place of a mapping, at one stroke: whatever the mapping held on to is let go, and a
 * thread that still looks through an old view reads zeros instead of crashing.
 */
export function replaceByEmpty(address: number, length: number): void {
  mmap(address, length, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, 'retired mapping')
}
