import type { OptionSpec, OptionSpecs } from '@parakernel/hal'
import { FIXED_SETTINGS, type FixedSetting } from '../settings/fixed.ts'
import { hasType, parseText } from '../settings/option-specs.ts'

/** An option of a package or of the application. Several packages may have one of the same name: see `takers`. */
export interface OptionSetting {
  readonly kind: 'option'
  readonly specs: readonly { readonly owner: string; readonly spec: OptionSpec }[]
}

/** A setting that this config may have, and who says so. */
export type KnownSetting = { readonly kind: 'fixed'; readonly setting: FixedSetting } | OptionSetting

export type KnownPaths = ReadonlyMap<string, KnownSetting>

export interface SpecSource {
  readonly prefix: 'network' | 'storage' | 'app'
  /** Package or program that exports the specs. */
  readonly owner: string
  readonly specs: OptionSpecs
}

export function knownPaths(sources: readonly SpecSource[]): KnownPaths {
  const known = new Map<string, KnownSetting>()
  for (const [path, setting] of Object.entries(FIXED_SETTINGS)) known.set(path, { kind: 'fixed', setting })
  for (const { prefix, owner, specs } of sources) {
    for (const [name, spec] of Object.entries(specs)) {
      const path = `${prefix}.${name}`
      const before = known.get(path)
      if (before?.kind === 'fixed') continue
      known.set(path, { kind: 'option', specs: [...(before?.specs ?? []), { owner, spec }] })
    }
  }
  return known
}

/** The known path that `path` is, or lies in (an option that is an object has paths of its own). */
export function owningPath(path: string, known: KnownPaths): string | undefined {
  if (known.has(path)) return path
  for (let dot = path.lastIndexOf('.'); dot > 0; dot = path.lastIndexOf('.', dot - 1)) {
    const setting = known.get(path.slice(0, dot))
    if (setting?.kind === 'option' && setting.specs.every(({ spec }) => spec.type === 'object'))
      return path.slice(0, dot)
  }
  return undefined
}

/**
 * For whom a value is, where several packages have an option of its name: for each whose option has its type, all of whom
 * it must suit. Everybody's when it has no type that one of them wants.
 */
export function takers({ specs }: OptionSetting, value: unknown): OptionSetting['specs'] {
  const found = specs.filter(({ spec }) => hasType(spec, value))
  return found.length === 0 ? specs : found
}

export function parseSetting(setting: KnownSetting, text: string): unknown {
  if (setting.kind === 'fixed') return setting.setting.parse(text)
  const readings = setting.specs.map(({ spec }) => parseText(spec, text))
  return readings.find((value, i) => hasType(setting.specs[i].spec, value)) ?? readings[0]
}
