import { type ErrorCode, ParakernelError } from '@parakernel/hal'

const CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'EACCES',
  EBUSY: 'EBUSY',
  EDQUOT: 'ENOSPC',
  EEXIST: 'EEXIST',
  EFBIG: 'EFBIG',
  EINVAL: 'EINVAL',
  EISDIR: 'EISDIR',
  // A symbolic link where there was a file a moment ago.
  ELOOP: 'EACCES',
  EMFILE: 'EMFILE',
  ENAMETOOLONG: 'ENAMETOOLONG',
  ENFILE: 'EMFILE',
  ENOENT: 'ENOENT',
  ENOMEM: 'ENOMEM',
  ENOSPC: 'ENOSPC',
  ENOTDIR: 'ENOTDIR',
  ENOTEMPTY: 'ENOTEMPTY',
  EPERM: 'EPERM',
  EROFS: 'EROFS',
  // Two file systems under one root: a rename cannot be atomic.
  EXDEV: 'ENOTSUP',
}

/** The code of an error of node:fs, EIO for one that is not in the contract's list. */
export function fileCodeOf(error: unknown): ErrorCode {
  const { code } = error as NodeJS.ErrnoException
  return (code === undefined ? undefined : CODES[code]) ?? 'EIO'
}

export function fileError(error: unknown, subject: string): ParakernelError {
  if (error instanceof ParakernelError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new ParakernelError(fileCodeOf(error), message, { subject, cause: error })
}
