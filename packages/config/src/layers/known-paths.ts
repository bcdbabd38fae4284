import type { OptionSpec, OptionSpecs } from '@parakernel/hal'
import { FIXED_SETTINGS, type FixedSetting } from '../settings/fixed.ts'
import { parseText } from '../settings/option-specs.ts'

/** A setting that this config may have, and who says so. */
export type KnownSetting =
  | { readonly kind: 'fixed'; readonly setting: FixedSetting }
  /** Both the libOS and the backend may have an option of one name: the value must suit both. */
  | { readonly kind: 'option'; readonly specs: readonly { readonly owner: string; readonly spec: OptionSpec }[] }

export type KnownPaths = ReadonlyMap<string, KnownSetting>

export interface SpecSource {
  readonly prefix: 'network' | 'app'
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

export function parseSetting(setting: KnownSetting, text: string): unknown {
  return setting.kind === 'fixed' ? setting.setting.parse(text) : parseText(setting.specs[0].spec, text)
}
