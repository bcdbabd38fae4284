import { type OptionSpecs, ParakernelError, type Persistence } from '@parakernel/hal'

/** Emulated persistent memory. Everything is optional. */
export interface PersistentOptions {
  readonly name?: string
  /** Image file: loaded at open, written by drains and at close. */
  readonly path?: string
  /** Bytes: a multiple of the granularity, and of 8. */
  readonly size?: number
  /** Bytes that a flush moves at once. */
  readonly granularity?: 1 | 64 | 4096
  /** What it says that a drain promises; by default the truth about the process that it lives in. */
  readonly persistence?: Persistence
}

export const persistentOptionSpecs: OptionSpecs = {
  name: { type: 'string', description: 'Name in errors' },
  path: { type: 'string', description: 'Image file: loaded at open, written by drains and at close' },
  size: { type: 'integer', unit: 'bytes', default: 16_777_216, min: 64, max: 2 ** 31, description: 'Bytes' },
  granularity: {
    type: 'integer',
    default: 64,
    min: 1,
    max: 4096,
    description: 'Bytes that a flush moves: 1, 64 or 4096',
  },
  persistence: {
    type: 'string',
    values: ['media', 'host-crash', 'process-crash', 'none'],
    description: 'What it says that a drain promises; process-crash with a path, else none, when absent',
  },
}

export interface ResolvedPersistentOptions {
  readonly size: number
  readonly granularity: number
  readonly persistence: Persistence
}

/** @throws EINVAL naming the option */
export function resolvePersistent({
  size = 16_777_216,
  granularity = 64,
  persistence,
  path,
}: PersistentOptions): ResolvedPersistentOptions {
  if (granularity !== 1 && granularity !== 64 && granularity !== 4096) {
    throw invalid('granularity', `is ${String(granularity)}, not 1, 64 or 4096`)
  }
  const unit = Math.max(8, granularity)
  if (!(Number.isInteger(size) && size >= 64 && size <= 2 ** 31 && size % unit === 0)) {
    throw invalid('size', `is ${String(size)}, not a multiple of ${unit} from 64 to ${2 ** 31}`)
  }
  return { size, granularity, persistence: persistence ?? (path === undefined ? 'none' : 'process-crash') }
}

function invalid(option: string, message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: `emulated persistent memory, option ${option}` })
}
