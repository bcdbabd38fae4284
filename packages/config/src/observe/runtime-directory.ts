import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ParakernelError } from '@parakernel/hal'
import { RUNTIME_DIRECTORY } from '../layers/environment.ts'

/** Where the sockets of a user's processes lie: the first that is there is for new ones, and all of them are looked through. */
function runtimeDirectories(environment = process.env): string[] {
  const { XDG_RUNTIME_DIR: own, [RUNTIME_DIRECTORY]: told } = environment
  if (told) return [told]
  const shared = `/tmp/parakernel-${process.getuid?.() ?? 0}`
  return own !== undefined && existsSync(own) ? [join(own, 'parakernel'), shared] : [shared]
}

/**
 * Makes the directory, and sees to it that nobody else can put anything there.
 * @throws EACCES for one that belongs to somebody else
 */
export function makeRuntimeDirectory([directory] = runtimeDirectories()): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(directory)
  const isOurs = process.getuid === undefined || uid === process.getuid()
  if (!isOurs || !lstatSync(directory).isDirectory()) {
    throw new ParakernelError('EACCES', 'is not a directory of this user', {
      subject: directory,
      remedy: 'Set XDG_RUNTIME_DIR, or observe.socket to a path',
    })
  }
  if ((mode & 0o077) !== 0) chmodSync(directory, 0o700)
  return directory
}

/** The sockets that processes of this user have left or still have, whether anybody answers there or not. */
export function socketsFound(environment = process.env): string[] {
  return runtimeDirectories(environment).flatMap((directory) => {
    try {
      return readdirSync(directory)
        .filter((name) => name.endsWith('.sock'))
        .map((name) => join(directory, name))
    } catch {
      return []
    }
  })
}
