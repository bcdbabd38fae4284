import type { SpecSource } from '../layers/known-paths.ts'
import { type Entry, type Layer, layerOf } from '../layers/layer.ts'
import { matchPath, plainName } from '../layers/match-path.ts'
import type { Merged } from '../layers/merge.ts'
import { type Problem, show } from '../problems/config-error.ts'
import { type Kinds, load } from '../registry/registry.ts'
import { checkProbe } from './check.ts'
import { FIXED_SETTINGS } from './fixed.ts'
import type { Loaded, Origin } from './resolved.ts'

/** The kinds of package that one part of a config names. */
export interface SectionKinds {
  readonly libos: 'net-libos' | 'storage-libos'
  readonly backend: 'net-backend' | 'storage-backend'
  readonly probe: 'net-decorator' | 'block-decorator'
}

/** A part of a config: a libOS, a device under it, probes around the device, and the options of all of them. */
export interface SectionSpec<K extends SectionKinds = SectionKinds> {
  readonly prefix: 'network' | 'storage'
  readonly kinds: K
  /** What a libOS without a backend stands on, in words. */
  readonly ground: string
  /** What a libOS without a backend must not be given. */
  readonly deviceKeys: readonly string[]
}

export const NETWORK: SectionSpec<{ libos: 'net-libos'; backend: 'net-backend'; probe: 'net-decorator' }> = {
  prefix: 'network',
  kinds: { libos: 'net-libos', backend: 'net-backend', probe: 'net-decorator' },
  ground: "the host's sockets",
  deviceKeys: ['backend', 'probes', 'interfaces'],
}

export const STORAGE: SectionSpec<{ libos: 'storage-libos'; backend: 'storage-backend'; probe: 'block-decorator' }> = {
  prefix: 'storage',
  kinds: { libos: 'storage-libos', backend: 'storage-backend', probe: 'block-decorator' },
  ground: "the host's file system",
  deviceKeys: ['backend', 'probes'],
}

/** What `libos` is where a machine shall have no such part. */
export const NONE = 'none'

/** A section with its packages found. */
export class Section<K extends SectionKinds> {
  readonly spec: SectionSpec<K>
  readonly libosEntry: Entry
  readonly backendEntry: Entry
  /** The machine has no such part. */
  readonly isOff: boolean
  readonly wantsBackend: boolean
  readonly libos: Loaded<Kinds[K['libos']]> | undefined
  readonly backend: Loaded<Kinds[K['backend']]> | undefined

  private constructor(
    spec: SectionSpec<K>,
    libosEntry: Entry,
    backendEntry: Entry,
    libos: Loaded<Kinds[K['libos']]> | undefined,
    backend: Loaded<Kinds[K['backend']]> | undefined,
  ) {
    this.spec = spec
    this.libosEntry = libosEntry
    this.backendEntry = backendEntry
    this.isOff = libosEntry.value === NONE
    this.libos = libos
    this.backend = backend
    this.wantsBackend = wantsBackend(libosEntry, libos?.export)
  }

  /** Finds the packages that the strongest layers name. */
  static async load<K extends SectionKinds>(
    spec: SectionSpec<K>,
    layers: readonly Layer[],
    application: string,
    problems: Problem[],
  ): Promise<Section<K>> {
    const libosEntry = choose(`${spec.prefix}.libos`, layers) as Entry
    const backendEntry = choose(`${spec.prefix}.backend`, layers) as Entry
    const isOff = libosEntry.value === NONE
    const libos = isOff ? undefined : await loadNamed(spec, 'libos', libosEntry, application, problems)
    const backend = wantsBackend(libosEntry, libos?.export)
      ? await loadNamed(spec, 'backend', backendEntry, application, problems)
      : undefined
    const section = new Section(spec, libosEntry, backendEntry, libos, backend)
    if (!section.wantsBackend) section.#refuseDevice(layers, problems)
    return section
  }

  /** Names in it are not all known: its options cannot be checked. */
  get isBlind(): boolean {
    return !this.isOff && (this.libos === undefined || (this.wantsBackend && this.backend === undefined))
  }

  get sources(): SpecSource[] {
    const { prefix } = this.spec
    const sources: SpecSource[] = []
    for (const loaded of [this.libos, this.backend]) {
      if (loaded !== undefined) sources.push({ prefix, owner: loaded.name, specs: loaded.export.options })
    }
    return sources
  }

  /** Whether a stronger layer has chosen another libOS or backend than the layer, with those below it, knew of. */
  isReplaced(layers: readonly Layer[]): boolean {
    const { prefix } = this.spec
    return (
      choose(`${prefix}.libos`, layers)?.value !== this.libosEntry.value ||
      choose(`${prefix}.backend`, layers)?.value !== this.backendEntry.value
    )
  }

  /** Takes out what a section without a device has of one. */
  setDeviceAside({ values, origins, setAside }: Merged): void {
    if (this.wantsBackend) return
    for (const path of this.#devicePaths) {
      const origin = origins.get(path) as Origin
      if (origin.layer !== 'default') setAside.unshift({ path, value: values.get(path), origin })
      values.delete(path)
      origins.delete(path)
    }
  }

  /** The probes that the merged values list, with their options checked. */
  async loadProbes(
    { values, origins }: Merged,
    application: string,
    problems: Problem[],
  ): Promise<LoadedProbe<Kinds[K['probe']]>[]> {
    const at = `${this.spec.prefix}.probes`
    if (problems.some(({ path }) => path === at)) return []
    const list = (values.get(at) ?? []) as readonly (Record<string, unknown> & { probe: string })[]
    const origin = origins.get(at) as Origin
    const probes: LoadedProbe<Kinds[K['probe']]>[] = []
    for (const [i, { probe, ...options }] of list.entries()) {
      const path = `${at}.${i}`
      const result = await load<K['probe']>(this.spec.kinds.probe, probe, application)
      if ('problem' in result) problems.push({ ...result.problem, path: `${path}.probe`, origin })
      else {
        const checked = checkProbe(path, options, result.loaded.export.options, origin, problems)
        probes.push({ loaded: result.loaded, options: checked })
      }
    }
    return probes
  }

  get #devicePaths(): string[] {
    return this.spec.deviceKeys.map((key) => `${this.spec.prefix}.${key}`)
  }

  /** A libOS that stands on no device takes neither a backend nor probes from a layer as strong as the one that chose it. */
  #refuseDevice(layers: readonly Layer[], problems: Problem[]): void {
    const rank = layers.findIndex((layer) => layer.entries.includes(this.libosEntry))
    const { prefix, ground } = this.spec
    for (const path of this.#devicePaths) {
      const found = choose(path, layers.slice(0, rank + 1))
      if (found === undefined || found.origin.layer === 'default') continue
      const why = this.isOff ? `${prefix}.libos is "${NONE}"` : `libOS "${this.libosEntry.value}" stands on ${ground}`
      const message = `found ${show(found.value)}, but ${why}: leave it out`
      problems.push({ kind: 'wrong-value', path, message, origin: found.origin })
    }
  }
}

export interface LoadedProbe<Export> {
  readonly loaded: Loaded<Export>
  readonly options: Record<string, unknown>
}

function wantsBackend({ value }: Entry, libos: { readonly needsBackend: boolean } | undefined): boolean {
  return value !== NONE && (libos === undefined || libos.needsBackend)
}

/** The strongest entry for a fixed path, before the options of anything are known. */
export function choose(path: string, layers: readonly Layer[]): Entry | undefined {
  for (const { entries, loose } of layers) {
    const found = entries.find((entry) =>
      loose ? matchPath(entry.path, Object.keys(FIXED_SETTINGS))[0] === path : entry.path === path,
    )
    if (found !== undefined) return found
  }
  return undefined
}

/** Whoever sets something of the storage wants one: no layer need say so twice. */
export function storageByMention(layers: readonly Layer[]): Layer {
  const isMentioned = layers.some(({ entries, loose }) =>
    entries.some(({ path }) => (loose ? plainName(path) : path).startsWith(`${STORAGE.prefix}.`)),
  )
  return layerOf(isMentioned ? { storage: { libos: 'storage' } } : {}, { layer: 'default', name: 'storage' })
}

async function loadNamed<K extends SectionKinds, Part extends 'libos' | 'backend'>(
  { prefix, kinds }: SectionSpec<K>,
  part: Part,
  { value, origin }: Entry,
  application: string,
  problems: Problem[],
): Promise<Loaded<Kinds[K[Part]]> | undefined> {
  if (typeof value !== 'string' || value === '') return undefined // checkValues says so
  const result = await load<K[Part]>(kinds[part], value, application)
  if ('loaded' in result) return result.loaded
  problems.push({ ...result.problem, path: `${prefix}.${part}`, origin })
  return undefined
}
