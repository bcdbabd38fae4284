/** `RING_SIZE`, `ring-size` and `ringSize` are the same name. */
export function plainName(name: string): string {
  return name.replaceAll(/[-_]/g, '').toLowerCase()
}

/**
 * The known paths that a loosely written one may mean: the path itself, else those of which it is the last part (`backend`
 * for `network.backend`). The storage's are meant only where neither the network nor the application has one. Several: it is ambiguous; none: it is
 * unknown.
 */
export function matchPath(written: string, known: Iterable<string>): string[] {
  const wanted = plainName(written)
  const ends: string[] = []
  for (const path of known) {
    const plain = plainName(path)
    if (plain === wanted) return [path]
    if (plain.endsWith(`.${wanted}`)) ends.push(path)
  }
  const others = ends.filter((path) => !path.startsWith('storage.'))
  return others.length > 0 ? others : ends
}
