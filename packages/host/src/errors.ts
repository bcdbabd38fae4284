import { type ErrorCode, ParakernelError } from '@parakernel/hal'

const KNOWN: ReadonlySet<string> = new Set<ErrorCode>([
  'EACCES',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EAGAIN',
  'EALREADY',
  'EBADF',
  'ECANCELED',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EDESTADDRREQ',
  'EHOSTUNREACH',
  'EINVAL',
  'EISCONN',
  'EMFILE',
  'EMSGSIZE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOBUFS',
  'ENODEV',
  'ENOMEM',
  'ENOTCONN',
  'EPERM',
  'EPIPE',
  'ETIMEDOUT',
])

/** The code of an error of Node's, EIO for one that is not in the contract's list. */
export function codeOf(error: unknown): ErrorCode {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return code !== undefined && KNOWN.has(code) ? (code as ErrorCode) : 'EIO'
}

const REMEDIES: Partial<Record<ErrorCode, string>> = {
  EADDRINUSE: 'Choose another port, or 0 for an ephemeral one',
  EADDRNOTAVAIL: 'Use an address that this host has',
  EACCES: 'Ports below 1024 need a privilege, and broadcasts the option `broadcast`',
}

export function asParakernelError(error: unknown, subject: string): ParakernelError {
  const code = codeOf(error)
  const remedy = REMEDIES[code]
  const message = error instanceof Error ? error.message : String(error)
  return new ParakernelError(code, message, { subject, cause: error, ...(remedy === undefined ? {} : { remedy }) })
}
