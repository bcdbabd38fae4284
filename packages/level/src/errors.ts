import { ParakernelError } from '@parakernel/hal'

/** An error with one of the codes that programs on abstract-level know. */
export class LevelError extends Error {
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = code === 'LEVEL_ABORTED' ? 'AbortError' : 'LevelError'
    this.code = code
  }
}

const CODES: Readonly<Record<string, string>> = {
  EUCLEAN: 'LEVEL_CORRUPTION',
  EIO: 'LEVEL_IO_ERROR',
  EBUSY: 'LEVEL_LOCKED',
}

/** What storage threw, as programs expect it; what has no code of theirs keeps its own (ENOSPC, EMSGSIZE, ...). */
export function levelError(error: unknown): unknown {
  const code = error instanceof ParakernelError ? CODES[error.code] : undefined
  return code === undefined ? error : new LevelError(code, (error as Error).message, error)
}
