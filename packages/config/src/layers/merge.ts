import { listOf, type Problem, show } from '../problems/config-error.ts'
import { nearest } from '../problems/nearest.ts'
import type { Origin } from '../settings/resolved.ts'
import { type KnownPaths, owningPath, parseSetting } from './known-paths.ts'
import { type Entry, isRecord, type Layer } from './layer.ts'
import { matchPath, plainName } from './match-path.ts'

export interface Merged {
  readonly values: Map<string, unknown>
  readonly origins: Map<string, Origin>
  /** Values of a libOS or a backend that a stronger layer has replaced: not used, and not wrong. */
  readonly setAside: Entry[]
}

/**
 * Lays the layers over one another, the strongest first.
 * @param replaced whether a stronger layer has chosen another libOS or backend than a layer (by index) knew of when it set a path
 * @param isOpen whether unknown keys below a prefix are let through, because its specs are not there to be asked
 */
export function merge(
  layers: readonly Layer[],
  known: KnownPaths,
  replaced: (path: string, layer: number) => boolean,
  isOpen: (path: string) => boolean,
  problems: Problem[],
): Merged {
  const merged: Merged = { values: new Map(), origins: new Map(), setAside: [] }
  layers.forEach((layer, index) => {
    for (const entry of layer.entries) {
      const paths = layer.loose ? matchPath(entry.path, known.keys()) : [entry.path]
      const path = paths[0] ?? entry.path
      if (paths.length > 1) {
        const message = `may mean ${listOf(paths)}: write the whole path`
        problems.push({ kind: 'unknown-key', path: entry.path, message, origin: entry.origin })
      } else if (owningPath(path, known) !== undefined || isOpen(path)) {
        put(merged, path, settingValue(entry, path, layer.loose, known), entry.origin)
      } else if (/^(network|storage)\./.test(path) && replaced(path, index)) {
        if (entry.origin.layer !== 'default') merged.setAside.push(entry)
      } else if (!(isRecord(entry.value) && childrenOf(path, known).length > 0)) {
        problems.push(unknown(entry, path, known))
      }
    }
  })
  return merged
}

/** A stronger layer's value stands: at the path itself, above it, and below it. */
function put({ values, origins }: Merged, path: string, value: unknown, origin: Origin): void {
  for (const other of values.keys()) {
    if (other === path || other.startsWith(`${path}.`) || path.startsWith(`${other}.`)) return
  }
  values.set(path, value)
  origins.set(path, origin)
}

function settingValue(entry: Entry, path: string, loose: boolean, known: KnownPaths): unknown {
  const setting = known.get(path)
  return loose && typeof entry.value === 'string' && setting !== undefined
    ? parseSetting(setting, entry.value)
    : entry.value
}

function unknown(entry: Entry, path: string, known: KnownPaths): Problem {
  const children = childrenOf(path, known)
  if (children.length > 0) {
    const message = `found ${show(entry.value)}, allowed: an object with ${listOf(children)}`
    return { kind: 'wrong-value', path, message, origin: entry.origin }
  }
  const { suggestion, allowed } = suggest(path, known)
  const hint = suggestion === undefined ? ', ' : `; did you mean ${suggestion}? `
  const message = `unknown key${hint}allowed here: ${allowed.join(', ')}`
  return { kind: 'unknown-key', path, message, origin: entry.origin }
}

/** Follows the path down to the first part that is not known, and looks for the nearest there; else anywhere. */
function suggest(path: string, known: KnownPaths): { suggestion: string | undefined; allowed: readonly string[] } {
  const parts = path.split('.')
  const last = parts[parts.length - 1]
  let prefix = ''
  for (const [depth, part] of parts.entries()) {
    const children = childrenOf(prefix, known)
    const same = children.find((child) => plainName(child) === plainName(part))
    if (same !== undefined) {
      prefix = join(prefix, same)
      continue
    }
    const near = nearest(plainName(part), children)
    const candidate = near === undefined ? undefined : [join(prefix, near), ...parts.slice(depth + 1)].join('.')
    const isKnown = candidate !== undefined && (known.has(candidate) || childrenOf(candidate, known).length > 0)
    return { suggestion: isKnown ? candidate : byLastPart(last, known), allowed: children }
  }
  return { suggestion: undefined, allowed: childrenOf(prefix, known) }
}

/** For a key at the wrong depth, and for a flag or variable that names the last part alone. */
function byLastPart(last: string, known: KnownPaths): string | undefined {
  const ends = [...known.keys()].map((path) => plainName(path.slice(path.lastIndexOf('.') + 1)))
  const near = matchPath(last, known.keys()).length > 0 ? last : nearest(plainName(last), ends)
  return near === undefined ? undefined : matchPath(near, known.keys())[0]
}

function join(prefix: string, part: string): string {
  return prefix === '' ? part : `${prefix}.${part}`
}

function childrenOf(prefix: string, known: KnownPaths): string[] {
  const start = prefix === '' ? '' : `${prefix}.`
  const names = [...known.keys()]
    .filter((path) => path.startsWith(start))
    .map((path) => path.slice(start.length).split('.')[0])
  return [...new Set(names)]
}
