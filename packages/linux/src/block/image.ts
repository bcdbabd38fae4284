import { EAGAIN, EINTR, EOPNOTSUPP, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

export const FALLOC_FL_KEEP_SIZE = 0x01
export const FALLOC_FL_PUNCH_HOLE = 0x02
export const FALLOC_FL_ZERO_RANGE = 0x10

const LOCK_EX = 2
const LOCK_NB = 4

/** flock(2), exclusive: false when another open file has it. It lasts until the last reference to the open file is gone. */
export function tryLock(descriptor: number, subject: string): boolean {
  if (calls().flock(descriptor, LOCK_EX | LOCK_NB) === 0) return true
  const errno = foreign().errno()
  if (errno === EAGAIN) return false
  throw systemError(errno, { call: 'flock', subject })
}

/**
 * Gives a file its size and its blocks, so that writes within it cannot meet a full disk. False where the file system cannot.
 * @throws ENOSPC
 */
export function preallocate(descriptor: number, bytes: number, subject: string): boolean {
  for (;;) {
    if (calls().fallocate(descriptor, 0, 0, bytes) === 0) return true
    const errno = foreign().errno()
    if (errno === EOPNOTSUPP) return false
    if (errno === EINTR) continue
    throw systemError(errno, {
      call: 'fallocate',
      subject,
      remedy: `Free ${bytes} bytes on its file system, or choose a smaller size`,
    })
  }
}
