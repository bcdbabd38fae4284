import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { quotePath, type ResolvedOpenOptions } from '@parakernel/queue'
import { fileError } from './errors.ts'
import { FileTable } from './file-table.ts'
import { nameError } from './names.ts'
import type { Place, RootFolder } from './root-folder.ts'

// Neither through a link that was put there meanwhile, nor waiting for the other end of a pipe.
const CAREFULLY = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

export interface Opened {
  readonly place: Place
  readonly key: string
  /** For reading and writing when the file was made, or `write` asked for it. */
  readonly fd: number
  readonly made: boolean
}

/** Opens or makes a regular file of the host. */
export function openHostFile(root: RootFolder, path: string, options: ResolvedOpenOptions, readOnly: boolean): Opened {
  const place = root.place(path)
  if (place.isRoot) throw nameError(options.exclusive ? 'EEXIST' : 'EISDIR', path)
  const found = root.look(place)
  if (found === undefined && !options.create) throw nameError('ENOENT', path)
  if (found !== undefined && options.exclusive) throw nameError('EEXIST', path)
  if (found?.stats.isDirectory()) throw nameError('EISDIR', path)
  const subject = `path ${quotePath(path)}`
  if (found !== undefined && !found.stats.isFile()) {
    throw new ParakernelError('EACCES', 'is neither a file nor a directory', { subject })
  }
  if (readOnly && (found === undefined || options.write)) {
    throw new ParakernelError('EROFS', 'the volume is read-only', { subject })
  }
  const made = found === undefined
  const access = made || options.write ? constants.O_RDWR : constants.O_RDONLY
  const making = made ? constants.O_CREAT | constants.O_EXCL : 0
  try {
    const fd = openSync(found?.path ?? root.at(place), access | making | CAREFULLY, 0o666)
    try {
      const stats = fstatSync(fd, { bigint: true })
      if (!stats.isFile()) throw new ParakernelError('EACCES', 'is no regular file any more', { subject })
      return { place, key: FileTable.key(stats), fd, made }
    } catch (error) {
      closeSync(fd)
      throw error
    }
  } catch (error) {
    throw fileError(error, subject)
  }
}
