import type { ErrorCode } from '@parakernel/hal'
import { ParakernelError } from '@parakernel/hal'

// Errno numbers of Linux that requests and records end with, negated.
export const EIO = 5
const ENXIO = 6
export const EBADF = 9
export const EAGAIN = 11
const ENOMEM = 12
export const ENODEV = 19
export const EINVAL = 22
export const ENOSPC = 28
export const EROFS = 30
export const EMSGSIZE = 90
export const ENOTSUP = 95
export const ENOBUFS = 105
const ETIMEDOUT = 110
const ESTALE = 116
export const EUCLEAN = 117
export const ECANCELED = 125

const CODES: Readonly<Record<number, ErrorCode>> = {
  [EIO]: 'EIO',
  [ENXIO]: 'ENXIO',
  [EBADF]: 'EBADF',
  [EAGAIN]: 'EAGAIN',
  [ENOMEM]: 'ENOMEM',
  [ENODEV]: 'ENODEV',
  [EINVAL]: 'EINVAL',
  [ENOSPC]: 'ENOSPC',
  [EROFS]: 'EROFS',
  [EMSGSIZE]: 'EMSGSIZE',
  [ENOTSUP]: 'ENOTSUP',
  [ENOBUFS]: 'ENOBUFS',
  [ETIMEDOUT]: 'ETIMEDOUT',
  [ESTALE]: 'ESTALE',
  [EUCLEAN]: 'EUCLEAN',
  [ECANCELED]: 'ECANCELED',
}

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  ENODEV: 'Bring the device back and open it again',
  ECANCELED: 'The medium was closed, or its lease was taken away: open it again, with a new one',
  ETIMEDOUT: 'Look at the device: it did not answer; then open it again',
  ENOSPC: 'Truncate what is no longer needed, or make it larger',
}

/** The name of a status; EIO for what has none here. */
export function codeOf(status: number): ErrorCode {
  return CODES[Math.abs(status)] ?? 'EIO'
}

/** A status (negative errno) as the error that callers of the friendly faces get. */
export function statusError(status: number, what: string, subject: string): ParakernelError {
  const code = codeOf(status)
  const remedy = REMEDIES[code]
  return new ParakernelError(code, what, remedy === undefined ? { subject } : { subject, remedy })
}
