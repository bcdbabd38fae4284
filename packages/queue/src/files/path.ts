import { ParakernelError } from '@parakernel/hal'

/** Longest component of a path, and longest path, in bytes of UTF-8. */
export const NAME_MAX = 255
export const PATH_MAX = 4095

/**
 * Components of an absolute path, none for the root: the rule of every storage libOS.
 * @throws EINVAL for what is malformed, ENAMETOOLONG
 */
export function parsePath(path: string): string[] {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw malformed(path, 'is not an absolute path', 'Begin it with /')
  }
  if (!path.isWellFormed()) throw malformed(path, 'has half of a surrogate pair, which UTF-8 cannot say')
  if (path.includes('\0')) throw malformed(path, 'contains NUL')
  // UTF-8 takes at least a byte and at most three for each unit.
  if (path.length * 3 > PATH_MAX && Buffer.byteLength(path) > PATH_MAX)
    throw tooLong(path, `is longer than ${PATH_MAX} bytes`)
  if (path === '/') return []
  const components = path.slice(1).split('/')
  for (const name of components) {
    if (name === '') throw malformed(path, 'has an empty component', 'Use one / between names, and none at the end')
    if (name === '.' || name === '..') {
      throw malformed(path, `has the component ${name}`, 'Resolve it before: a libOS has no current directory')
    }
    if (name.length * 3 > NAME_MAX && Buffer.byteLength(name) > NAME_MAX)
      throw tooLong(path, `has a name longer than ${NAME_MAX} bytes`)
  }
  return components
}

/** Order of names by their bytes in UTF-8: that of code points, which is not that of UTF-16 units. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    // Surrogates stand for what lies above all other units.
    const [highX, highY] = [x >= 0xd800 && x <= 0xdfff, y >= 0xd800 && y <= 0xdfff]
    return highX === highY ? x - y : highX ? 1 : -1
  }
  return a.length - b.length
}

/** A path as an error names it: printable, and not endless. */
export function quotePath(path: string): string {
  const text = JSON.stringify(path) ?? String(path)
  return text.length <= 120 ? text : `${text.slice(0, 116)}..."`
}

function malformed(path: string, message: string, remedy?: string): ParakernelError {
  return new ParakernelError('EINVAL', message, {
    subject: `path ${quotePath(path)}`,
    ...(remedy === undefined ? {} : { remedy }),
  })
}

function tooLong(path: string, message: string): ParakernelError {
  return new ParakernelError('ENAMETOOLONG', message, { subject: `path ${quotePath(path)}` })
}
