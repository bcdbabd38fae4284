import { closeSync, constants, fstatSync, fsyncSync, openSync, type Stats, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ErrorCode, ParakernelError, REGION_MAX, REGION_PAGE } from '@parakernel/hal'
import { lockHolder, preallocate, tryLock } from '@parakernel/linux'
import type { PmemOptions } from '../options.ts'

export interface OpenFile {
  readonly fd: number
  readonly path: string
  readonly byteLength: number
  /** st_dev of the file. */
  readonly device: number
  /** Closes it, and removes it if it was created here: for a later step that fails. */
  abandon(): void
}

/**
 * Opens or creates the file, locks it, and sees to it that every byte of it has a block. A file that was created here is removed
 * again when a later step fails; one that was there is left as it was.
 */
export function openFile(options: PmemOptions, warn: (message: string) => void): OpenFile {
  const { path, create = true } = options
  if (typeof path !== 'string' || path === '') {
    throw new ParakernelError('EINVAL', 'must name a file', { subject: 'path', remedy: 'Give the path of a file' })
  }
  const size = options.size === undefined ? undefined : roundedSize(options.size, path)
  const { fd, created } = openOrCreate(path, size, create)
  const abandon = () => {
    if (created) unlinkSync(path)
    closeSync(fd)
  }
  try {
    const stats = fstatSync(fd)
    refuseOtherKinds(stats, path)
    lock(fd, stats, path)
    // Again, now that nobody else who asks for the lock can change it.
    const { size: held, dev } = fstatSync(fd)
    const fresh = created || (held === 0 && create && size !== undefined)
    const byteLength = fresh ? (size as number) : lengthOf(held, size, path)
    allocate(fd, byteLength, fresh, path, warn)
    return { fd, path, byteLength, device: dev, abandon }
  } catch (error) {
    abandon()
    throw error
  }
}

function roundedSize(size: number, path: string): number {
  if (!(Number.isInteger(size) && size > 0 && size <= REGION_MAX)) {
    throw new ParakernelError('EINVAL', `size ${size} is not a whole number from 1 to ${REGION_MAX} (2 GiB)`, {
      subject: path,
      remedy: 'Use several files for more',
    })
  }
  return Math.ceil(size / REGION_PAGE) * REGION_PAGE
}

function openOrCreate(path: string, size: number | undefined, create: boolean): { fd: number; created: boolean } {
  try {
    return { fd: openSync(path, constants.O_RDWR), created: false }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || !create) throw fileError(path, cause)
  }
  if (size === undefined) {
    throw new ParakernelError('ENOENT', 'does not exist, and no size is given to create it', {
      subject: path,
      remedy: 'Give the option size, or the path of a file that exists',
    })
  }
  try {
    return { fd: openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600), created: true }
  } catch (cause) {
    throw fileError(path, cause)
  }
}

function refuseOtherKinds(stats: Stats, path: string): void {
  if (stats.isFile()) return
  const kind = stats.isBlockDevice() ? 'a block device' : stats.isCharacterDevice() ? 'a character device' : 'no file'
  throw new ParakernelError('ENOTSUP', `is ${kind}, and only regular files can be mapped here`, {
    subject: path,
    remedy: stats.isBlockDevice()
      ? 'Make a file system on it, mount it with -o dax and name a file there; or use the io-uring backend'
      : stats.isCharacterDevice()
        ? 'Turn device DAX into fsdax (ndctl create-namespace -m fsdax), mount a file system and name a file there'
        : 'Name a regular file',
  })
}

function lock(fd: number, { dev, ino }: Stats, path: string): void {
  if (tryLock(fd, path)) return
  const holder = lockHolder(dev, ino)
  const who = holder === undefined ? 'another process, or this one,' : `process ${holder.pid} (${holder.command})`
  throw new ParakernelError('EBUSY', `is in use: ${who} has its lock`, {
    subject: path,
    remedy: 'Close it there, or choose another file',
  })
}

/** Of a file that is not new. */
function lengthOf(held: number, size: number | undefined, path: string): number {
  if (size !== undefined && held !== size) {
    throw new ParakernelError('EINVAL', `holds ${held} bytes, and the option size asks for ${size}`, {
      subject: path,
      remedy: held < size ? 'It may be truncated: restore it from a copy, or leave out size' : 'Leave out size',
    })
  }
  if (held === 0 || held % REGION_PAGE !== 0 || held > REGION_MAX) {
    throw new ParakernelError('EINVAL', `holds ${held} bytes, which is no multiple of 64 KiB from 64 KiB to 2 GiB`, {
      subject: path,
      remedy: held === 0 ? 'Give the option size' : 'It may be truncated, or of another program: name another file',
    })
  }
  return held
}

function allocate(fd: number, byteLength: number, fresh: boolean, path: string, warn: (message: string) => void): void {
  if (!preallocate(fd, byteLength, path)) {
    if (fresh) {
      throw new ParakernelError('ENOTSUP', 'the file system cannot allocate blocks ahead', {
        subject: path,
        remedy: 'Create the file on another file system, such as ext4, xfs or tmpfs',
      })
    }
    warn(`${path}: the file system cannot allocate blocks ahead: a store when it is full kills the process`)
  }
  if (!fresh) return
  // The size, the blocks and the name themselves have to survive.
  fsyncSync(fd)
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Of those that open(2) gives, the ones that a `ParakernelError` may carry. */
const CODES: ReadonlySet<string> = new Set<ErrorCode>([
  ...(['EACCES', 'EPERM', 'ENOENT', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG'] as const),
  ...(['EROFS', 'EMFILE', 'ENOSPC', 'EEXIST', 'EBUSY', 'ENXIO', 'ENODEV'] as const),
])
const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'Give this user read and write permission',
  ENOENT: 'Create it, or leave out create: false and give its size',
  EISDIR: 'Name a file in it',
  EROFS: 'Mount the file system read-write, or name a file on another',
}

function fileError(path: string, cause: unknown): ParakernelError {
  const { code = '', message } = cause as NodeJS.ErrnoException
  const remedy = REMEDIES[code] ?? 'Name a regular file that this user may read and write'
  return new ParakernelError(CODES.has(code) ? (code as ErrorCode) : 'EIO', `cannot be opened: ${message}`, {
    subject: path,
    remedy,
    cause,
  })
}
