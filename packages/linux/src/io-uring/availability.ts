import { readFileSync } from 'node:fs'
import { type Availability, ParakernelError, reasonOf } from '@parakernel/hal'
import { EACCES, EPERM, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { encodeParams } from './params.ts'

const ENOSYS = 38
const OTHERWISE = "or use the 'host' libOS, which stores through node:fs"

/** What io_uring_setup(2) failing means, and what can be done about it. */
export function ioUringRefused(errno: number, subject: string): ParakernelError {
  if (errno === ENOSYS) {
    return new ParakernelError('ENOSYS', 'this kernel has no io_uring, or a sandbox hides it', {
      subject,
      remedy: `Run on Linux 5.11 or newer built with CONFIG_IO_URING, outside of a seccomp profile that forbids it, ${OTHERWISE}`,
    })
  }
  if (errno === EPERM || errno === EACCES) {
    const disabled = sysctl('io_uring_disabled')
    const reason =
      disabled === '2'
        ? 'io_uring is switched off on this machine (kernel.io_uring_disabled = 2)'
        : disabled === '1'
          ? 'io_uring is for privileged processes only (kernel.io_uring_disabled = 1)'
          : 'io_uring is forbidden, by a seccomp profile or a security module'
    const remedy =
      disabled === '2'
        ? 'Run sysctl kernel.io_uring_disabled=0'
        : disabled === '1'
          ? 'Run sysctl kernel.io_uring_disabled=0, or as a member of the group of kernel.io_uring_group'
          : 'Run with a profile that allows io_uring_setup, io_uring_enter and io_uring_register'
    return new ParakernelError('EPERM', reason, { subject, remedy: `${remedy}, ${OTHERWISE}` })
  }
  return systemError(errno, { call: 'io_uring_setup', subject })
}

/** Makes the smallest ring and lets go of it. @throws ENOSYS, EPERM where that is not possible, with the remedy */
export function requireIoUring(subject: string): void {
  const descriptor = calls().io_uring_setup(1, encodeParams({ entries: 1 }, 0))
  if (descriptor < 0) throw ioUringRefused(foreign().errno(), subject)
  calls().close(descriptor)
}

export function probeIoUring(): Availability {
  try {
    requireIoUring('io_uring')
    return { available: true }
  } catch (error) {
    if (!(error instanceof ParakernelError)) throw error
    return { available: false, missing: reasonOf(error), remedy: error.remedy ?? 'Use another backend' }
  }
}

function sysctl(name: string): string {
  try {
    return readFileSync(`/proc/sys/kernel/${name}`, 'latin1').trim()
  } catch {
    return ''
  }
}
