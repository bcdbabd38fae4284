import { fstatSync, ftruncateSync } from 'node:fs'
import { check, EBADF, systemError, systemErrorClosing } from '../errno.ts'
import { calls } from '../ffi/calls.ts'

const MFD_CLOEXEC = 1
const MFD_ALLOW_SEALING = 2
const F_ADD_SEALS = 1033
const F_SEAL_SEAL = 1
const F_SEAL_SHRINK = 2
const F_SEAL_GROW = 4

/**
 * A memfd of a fixed size: sealed against shrinking, so that no holder can take pages away from under another (who would
 * die of SIGBUS), and against growing and further seals. Returns the descriptor, which the caller closes.
 */
export function createSealedMemfd(name: string, byteLength: number): number {
  const subject = `memfd ${name}`
  const fd = check(calls().memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), { call: 'memfd_create', subject })
  try {
    ftruncateSync(fd, byteLength)
  } catch (cause) {
    calls().close(fd)
    throw systemError(-((cause as { errno?: number }).errno ?? -5), { call: 'ftruncate', subject, cause })
  }
  const sealed = calls().fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
  if (sealed < 0) throw systemErrorClosing(fd, { call: 'fcntl(F_ADD_SEALS)', subject })
  return fd
}

/** Bytes of the file behind a descriptor. */
export function descriptorSize(fd: number, subject: string): number {
  try {
    return fstatSync(fd).size
  } catch (cause) {
    throw systemError(-((cause as { errno?: number }).errno ?? -EBADF), { call: 'fstat', subject, cause })
  }
}
