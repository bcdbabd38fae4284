import { lstatSync, mkdirSync, realpathSync, type Stats, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { ParakernelError } from '@parakernel/hal'
import { parsePath, quotePath } from '@parakernel/queue'
import { fileError } from './errors.ts'

/** Where a path of the volume lies on the host. The folder that contains it has no symbolic links; its name may be one. */
export interface Place {
  readonly path: string
  /** Of the host. */
  readonly folder: string
  readonly name: string
  readonly isRoot: boolean
}

/**
 * The folder under which a volume lies. A path cannot leave it: neither by its components nor through a symbolic link. Guards
 * against mistakes, and not against another process that exchanges folders for links meanwhile.
 */
export class RootFolder {
  readonly path: string
  readonly #inside: string

  /** @throws ENOTDIR, EACCES, ENOENT without `create` */
  constructor(path: string, create: boolean) {
    const subject = `host option path: ${quotePath(path)}`
    try {
      if (create) mkdirSync(path, { recursive: true })
      this.path = realpathSync.native(path)
      if (!statSync(this.path).isDirectory()) throw new ParakernelError('ENOTDIR', 'is not a folder', { subject })
    } catch (error) {
      // What lies at the path, or above it, is a file.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
        throw new ParakernelError('ENOTDIR', 'is not a folder', { subject, cause: error })
      }
      throw fileError(error, subject)
    }
    this.#inside = this.path.endsWith(sep) ? this.path : this.path + sep
  }

  /** The place of a path; its folder must be there. @throws EINVAL, ENAMETOOLONG, ENOENT, ENOTDIR, EACCES */
  place(path: string): Place {
    const components = parsePath(path)
    const name = components.pop()
    if (name === undefined) return { path, folder: this.path, name: '', isRoot: true }
    // A backslash separates names on some hosts, and a colon drives and streams.
    if (sep === '\\' && [...components, name].some((part) => /[\\:]/.test(part))) {
      throw new ParakernelError('EINVAL', 'has a name that this host cannot have', {
        subject: `path ${quotePath(path)}`,
      })
    }
    const folder = this.#real(path, join(this.path, ...components))
    if (!statSync(folder).isDirectory()) {
      throw new ParakernelError('ENOTDIR', 'a component is not a directory', { subject: `path ${quotePath(path)}` })
    }
    return { path, folder, name, isRoot: false }
  }

  /** The host's path of a place. */
  at({ folder, name }: Place): string {
    return name === '' ? folder : join(folder, name)
  }

  /** What is there, a link that stays inside followed; undefined when nothing is. @throws EACCES for a link that leads outside */
  look(place: Place): { readonly path: string; readonly stats: Stats } | undefined {
    const path = this.at(place)
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (stats === undefined || !stats.isSymbolicLink()) return stats && { path, stats }
    const real = this.#real(place.path, path)
    return { path: real, stats: statSync(real) }
  }

  #real(path: string, hostPath: string): string {
    let real: string
    try {
      real = realpathSync.native(hostPath)
    } catch (error) {
      throw fileError(error, `path ${quotePath(path)}`)
    }
    if (real === this.path || real.startsWith(this.#inside)) return real
    throw new ParakernelError('EACCES', 'a symbolic link leads out of the volume', {
      subject: `path ${quotePath(path)}`,
      remedy: 'Use paths within the root folder alone',
    })
  }
}
