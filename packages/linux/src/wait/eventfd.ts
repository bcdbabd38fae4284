import { check, EAGAIN, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000
const ONE = new Uint8Array(BigUint64Array.of(1n).buffer)

/** A counter that poll(2) can wait for; non-blocking, closed on exec. The caller closes it. */
export function createEventFd(): number {
  return check(calls().eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), { call: 'eventfd', subject: 'eventfd' })
}

/** Makes it readable. A counter at its limit (2^64 - 2 signals unread) is readable already: nothing to do. */
export function writeEventFd(fd: number): void {
  if (Number(calls().write(fd, ONE, 8)) === 8) return
  const errno = foreign().errno()
  if (errno !== EAGAIN) throw systemError(errno, { call: 'write', subject: `eventfd ${fd}` })
}

const drained = new Uint8Array(8)

/** Resets it; false when it was not set. */
export function readEventFd(fd: number): boolean {
  if (Number(calls().read(fd, drained, 8)) === 8) return true
  const errno = foreign().errno()
  if (errno !== EAGAIN) throw systemError(errno, { call: 'read', subject: `eventfd ${fd}` })
  return false
}
