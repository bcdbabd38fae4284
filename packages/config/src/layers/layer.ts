import type { Origin } from '../settings/resolved.ts'

/** One value of one layer. */
export interface Entry {
  /** `network.backend`; in a loose layer still as the user wrote it. */
  readonly path: string
  readonly value: unknown
  readonly origin: Origin
}

/** What one source says. Layers are kept in order of precedence, the strongest first. */
export interface Layer {
  readonly entries: readonly Entry[]
  /**
   * Paths of a loose layer (environment, command line) may be the last part of a path alone, in any case and with any
   * separators, and its texts are parsed by the type that the setting has.
   */
  readonly loose: boolean
}

/** Takes nested objects apart into paths. Lists, scalars and empty objects are values; `undefined` is absent. */
function flatten(value: unknown, origin: Origin, prefix = ''): Entry[] {
  if (value === undefined) return []
  if (!isRecord(value) || (prefix !== '' && Object.keys(value).length === 0)) return [{ path: prefix, value, origin }]
  return Object.entries(value).flatMap(([key, inner]) =>
    flatten(inner, origin, prefix === '' ? key : `${prefix}.${key}`),
  )
}

export function layerOf(config: object, origin: Origin): Layer {
  return { entries: flatten(config, origin), loose: false }
}

/** Puts entries whose paths lie below `prefix` together again. */
export function unflatten(values: ReadonlyMap<string, unknown>, prefix: string): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [path, value] of values) {
    if (!path.startsWith(`${prefix}.`)) continue
    const keys = path.slice(prefix.length + 1).split('.')
    let at = result
    for (const key of keys.slice(0, -1)) {
      if (!isRecord(at[key])) at[key] = {}
      at = at[key] as Record<string, unknown>
    }
    at[keys[keys.length - 1]] = value
  }
  return result
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
