import { parsePath } from '@parakernel/queue'
import { usageError } from './exit-codes.ts'

/** What tells a path of the volume from one of the host, in `cp`. */
const SCHEME = 'vol:'

/** The path of the volume that an argument names, absolute and without a slash at the end; undefined for one of the host. */
export function volumePath(argument: string): string | undefined {
  return argument.startsWith(SCHEME) ? normalise(argument.slice(SCHEME.length)) : undefined
}

/** Of commands that know no other paths: the scheme may be there or not. @throws EINVAL, ENAMETOOLONG */
export function ownPath(argument: string): string {
  return volumePath(argument) ?? normalise(argument)
}

/** What people write: `docs`, `/docs/`, `//docs/./a/../b`. Above the root there is nothing. */
function normalise(text: string): string {
  const components: string[] = []
  for (const part of text.split('/')) {
    if (part === '..') {
      if (components.pop() === undefined) throw usageError(`${SCHEME}${text} leads out of the volume`)
    } else if (part !== '' && part !== '.') components.push(part)
  }
  const path = `/${components.join('/')}`
  parsePath(path)
  return path
}

export function join(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}

export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

export function dirname(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}
