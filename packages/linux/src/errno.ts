import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import { calls } from './ffi/calls.ts'
import { foreign } from './ffi/foreign.ts'

/** errno numbers of the generic Linux ABI (asm-generic/errno-base.h, errno.h), the same on x64 and arm64. */
export const EPERM = 1
export const ENOENT = 2
export const EINTR = 4
export const EIO = 5
export const ENXIO = 6
export const E2BIG = 7
export const EBADF = 9
export const EAGAIN = 11
export const ENOMEM = 12
export const EACCES = 13
export const EBUSY = 16
export const EEXIST = 17
export const ENODEV = 19
export const EINVAL = 22
export const ENOSPC = 28
export const ERANGE = 34
export const EPROTONOSUPPORT = 93
export const EBADFD = 77
export const EOPNOTSUPP = 95
export const EAFNOSUPPORT = 97
export const EADDRNOTAVAIL = 99
export const ENETDOWN = 100
export const ENOBUFS = 105
export const ECONNREFUSED = 111

/** Numbers whose name parakernel's errors know, mostly under the same name; EOPNOTSUPP and ENOTSUP are one number on Linux. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  1: 'EPERM',
  2: 'ENOENT',
  5: 'EIO',
  6: 'ENXIO',
  9: 'EBADF',
  11: 'EAGAIN',
  12: 'ENOMEM',
  13: 'EACCES',
  14: 'EFAULT',
  16: 'EBUSY',
  17: 'EEXIST',
  19: 'ENODEV',
  20: 'ENOTDIR',
  21: 'EISDIR',
  22: 'EINVAL',
  // The limit of the machine, not of the process.
  23: 'EMFILE',
  24: 'EMFILE',
  27: 'EFBIG',
  28: 'ENOSPC',
  30: 'EROFS',
  34: 'ERANGE',
  36: 'ENAMETOOLONG',
  38: 'ENOSYS',
  71: 'EPROTO',
  89: 'EDESTADDRREQ',
  90: 'EMSGSIZE',
  92: 'ENOPROTOOPT',
  93: 'EPROTONOSUPPORT',
  95: 'ENOTSUP',
  97: 'EAFNOSUPPORT',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
  100: 'ENETDOWN',
  101: 'ENETUNREACH',
  104: 'ECONNRESET',
  105: 'ENOBUFS',
  106: 'EISCONN',
  107: 'ENOTCONN',
  110: 'ETIMEDOUT',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
  116: 'ESTALE',
  125: 'ECANCELED',
  130: 'EOWNERDEAD',
  // ENOTSUPP, the kernel's inner one, which drivers and bpf(2) let out.
  524: 'ENOTSUP',
}

const REMEDIES: Readonly<Record<number, string>> = {
  1: 'Run as root, or give the process the capabilities CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK',
  12: 'Free memory, or raise the locked-memory limit (ulimit -l) or grant CAP_IPC_LOCK',
  13: 'Run as root, or give the process the capabilities CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF and CAP_IPC_LOCK',
  24: 'Raise the limit of open files (ulimit -n)',
  38: 'Run a kernel that has this call',
}

export interface FailedCall {
  /** The system call, with the command where one call has many: `bpf(PROG_LOAD)`. */
  readonly call: string
  /** The object it was to work on, as the user knows it. */
  readonly subject: string
  readonly remedy?: string
  readonly cause?: unknown
}

/** An errno as a `ParakernelError`. A number without a name of ours becomes EIO; the message keeps the number. */
export function systemError(errno: number, { call, subject, remedy, cause }: FailedCall): ParakernelError {
  const advice = remedy ?? REMEDIES[errno]
  return new ParakernelError(CODES[errno] ?? 'EIO', `${call} failed with errno ${errno}`, {
    subject,
    ...(advice === undefined ? {} : { remedy: advice }),
    ...(cause === undefined ? {} : { cause }),
  })
}

/**
 * The calling thread's errno as an error, with `descriptor` closed: for a step that failed after something was opened.
 * Call it right after the foreign call.
 */
export function systemErrorClosing(descriptor: number, failed: FailedCall): ParakernelError {
  const error = systemError(foreign().errno(), failed)
  calls().close(descriptor)
  return error
}

/** Returns `result`, or throws the calling thread's errno when it is negative. Call it right after the foreign call. */
export function check(result: number, failed: FailedCall): number {
  if (result >= 0) return result
  throw systemError(foreign().errno(), failed)
}
