/**
 * Every code that an error of parakernel may carry: POSIX errno names, because every reader knows them
 * and because the POSIX floor hands them on unchanged.
 */
export type ErrorCode =
  | 'EACCES'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EAFNOSUPPORT'
  | 'EAGAIN'
  | 'EALREADY'
  | 'EBADF'
  | 'EBUSY'
  | 'ECANCELED'
  | 'ECONNABORTED'
  | 'ECONNREFUSED'
  | 'ECONNRESET'
  | 'EDESTADDRREQ'
  | 'EEXIST'
  | 'EFAULT'
  | 'EFBIG'
  | 'EHOSTUNREACH'
  | 'EINVAL'
  | 'EIO'
  | 'EISCONN'
  | 'EISDIR'
  | 'EMFILE'
  | 'EMSGSIZE'
  | 'ENAMETOOLONG'
  | 'ENETDOWN'
  | 'ENETUNREACH'
  | 'ENOBUFS'
  | 'ENODEV'
  | 'ENOENT'
  | 'ENOMEM'
  | 'ENOPROTOOPT'
  | 'ENOSPC'
  | 'ENOSYS'
  | 'ENOTCONN'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'ENOTSUP'
  | 'ENXIO'
  | 'EOWNERDEAD'
  | 'EPERM'
  | 'EPIPE'
  | 'EPROTO'
  | 'EPROTONOSUPPORT'
  | 'ERANGE'
  | 'EROFS'
  | 'ESTALE'
  | 'ETIMEDOUT'
  | 'EUCLEAN'

export interface ErrorDetails {
  /** The object that failed, as the user knows it: `veth0 queue 3`, `network.queues`, `udp 10.0.0.1:7`. */
  readonly subject?: string
  /** What the user can do about it, as an instruction. */
  readonly remedy?: string
  readonly cause?: unknown
}

const brand = Symbol.for('parakernel.error')

/**
 * The one error class. Control calls throw it; data calls never throw (they return counts, negative codes or
 * failed completions). Match on `code`, never on the message.
 */
export class ParakernelError extends Error {
  readonly code: ErrorCode
  readonly subject: string | undefined
  readonly remedy: string | undefined
  readonly [brand] = true

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { subject, remedy, cause } = details
    super(
      `${subject === undefined ? '' : `${subject}: `}${message} (${code})${remedy === undefined ? '' : `. ${remedy}`}`,
      cause === undefined ? undefined : { cause },
    )
    this.name = 'ParakernelError'
    this.code = code
    this.subject = subject
    this.remedy = remedy
  }

  /** True for errors of another copy of this package too, so that a duplicate install does not break matching. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }
}

/** The message of an error alone, without its subject, code and remedy: what a sentence that has its own can quote. */
export function reasonOf({ message, code, subject, remedy }: ParakernelError): string {
  const start = subject === undefined ? 0 : `${subject}: `.length
  const tail = ` (${code})${remedy === undefined ? '' : `. ${remedy}`}`
  return message.slice(start, message.endsWith(tail) ? -tail.length : undefined)
}
