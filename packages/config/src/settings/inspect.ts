import type { OptionSpecs } from '@parakernel/hal'
import { type KnownPaths, knownPaths, type SpecSource } from '../layers/known-paths.ts'
import { type Entry, type Layer, layerOf, unflatten } from '../layers/layer.ts'
import { matchPath } from '../layers/match-path.ts'
import { type Merged, merge } from '../layers/merge.ts'
import { type Problem, show } from '../problems/config-error.ts'
import { type Kinds, type LoadResult, load } from '../registry/registry.ts'
import { checkPreset, checkProbe, checkTogether, checkValues } from './check.ts'
import type { Config } from './config.ts'
import { addDefaults, optionsOf } from './derived.ts'
import { FIXED_SETTINGS } from './fixed.ts'
import { BACKEND_DEFAULTS, PRESETS } from './presets.ts'
import type { Loaded, Origin, ResolvedConfig, Settings } from './resolved.ts'

export interface InspectInput {
  /** The strongest first: flags, environment, file, or what the application wrote in code. */
  readonly layers: readonly Layer[]
  readonly defaults: Config
  readonly presets: Readonly<Record<string, Config>>
  readonly app: OptionSpecs | undefined
  readonly application: string
  readonly file: string | undefined
}

/** What was found out about a config. */
export interface Inspection {
  /** Undefined when there are problems. */
  readonly config: ResolvedConfig | undefined
  readonly problems: readonly Problem[]
  /** Where the options of the chosen libOS, backend and application come from, for `--help`. */
  readonly sources: readonly SpecSource[]
}

/** Lays the layers over one another, loads what they name, and checks everything. */
export async function inspect(input: InspectInput): Promise<Inspection> {
  const { application } = input
  const problems: Problem[] = []
  const presets = { ...PRESETS, ...input.presets }

  const preset = choose('preset', [...input.layers, defaultLayer(input.defaults, 'the application')])
  const chosenPreset = typeof preset?.value === 'string' ? presets[preset.value] : undefined
  if (typeof preset?.value === 'string' && chosenPreset === undefined) {
    problems.push(checkPreset(preset.value, Object.keys(presets), preset.origin))
  }
  const layers: Layer[] = [
    ...input.layers,
    layerOf(chosenPreset ?? {}, { layer: 'preset', name: String(preset?.value) }),
    defaultLayer(input.defaults, 'the application'),
    { loose: false, entries: fixedDefaults() },
  ]

  const libosName = choose('network.libos', layers) as Entry
  const libos = await loadNamed('net-libos', libosName, application, problems)
  const backendName = choose('network.backend', layers) as Entry
  const wantsBackend = libos === undefined || libos.export.needsBackend
  const backend = wantsBackend ? await loadNamed('net-backend', backendName, application, problems) : undefined

  const sources: SpecSource[] = []
  if (libos !== undefined) sources.push({ prefix: 'network', owner: libos.name, specs: libos.export.options })
  if (backend !== undefined) sources.push({ prefix: 'network', owner: backend.name, specs: backend.export.options })
  if (input.app !== undefined) sources.push({ prefix: 'app', owner: 'the application', specs: input.app })
  const known = knownPaths(sources)
  if (!wantsBackend) refuseDevice(libosName, layers, problems)
  layers.push(defaultLayer(BACKEND_DEFAULTS[backend?.name ?? ''] ?? {}, backend?.name ?? ''))

  const blind = libos === undefined || (wantsBackend && backend === undefined)
  const merged = merge(
    layers,
    known,
    (index) =>
      choose('network.libos', layers.slice(index))?.value !== libosName.value ||
      choose('network.backend', layers.slice(index))?.value !== backendName.value ||
      layers[index].entries[0]?.origin.layer === 'default',
    (path) => (blind && path.startsWith('network.')) || (input.app === undefined && path.startsWith('app.')),
    problems,
  )
  const { values, origins } = merged
  if (!wantsBackend) setDeviceAside(merged)
  const byDefault = addDefaults(sources, known, values, origins)
  checkValues(values, origins, known, byDefault, problems)
  checkTogether(values, origins, problems)
  const probes = await loadProbes(values, origins, application, problems)

  if (problems.length > 0 || libos === undefined) return { config: undefined, problems, sources }
  const settings = settingsOf(values, sources, byDefault, libos, backend, probes)
  const config: ResolvedConfig = {
    settings,
    values: inOrder(values, known),
    origins,
    setAside: merged.setAside,
    file: input.file,
    application,
    libos,
    backend,
    probes: probes.map(({ loaded }) => loaded),
  }
  return { config, problems, sources }
}

function defaultLayer(config: object, name: string): Layer {
  return layerOf(config, { layer: 'default', name })
}

function fixedDefaults(): Entry[] {
  return Object.entries(FIXED_SETTINGS)
    .filter(([, setting]) => setting.default !== undefined)
    .map(([path, setting]) => ({ path, value: setting.default, origin: { layer: 'default', name: '' } }))
}

/** The strongest entry for a fixed path, before the options of anything are known. */
function choose(path: string, layers: readonly Layer[]): Entry | undefined {
  for (const { entries, loose } of layers) {
    const found = entries.find((entry) =>
      loose ? matchPath(entry.path, Object.keys(FIXED_SETTINGS))[0] === path : entry.path === path,
    )
    if (found !== undefined) return found
  }
  return undefined
}

async function loadNamed<Kind extends keyof Kinds>(
  kind: Kind,
  { path, value, origin }: Entry,
  application: string,
  problems: Problem[],
): Promise<Loaded<Kinds[Kind]> | undefined> {
  if (typeof value !== 'string' || value === '') return undefined // checkValues says so
  const result: LoadResult<Kind> = await load(kind, value, application)
  if ('loaded' in result) return result.loaded
  const shown = kind === 'net-libos' ? 'network.libos' : kind === 'net-backend' ? 'network.backend' : path
  problems.push({ ...result.problem, path: shown, origin })
  return undefined
}

/** A libOS on the host's sockets takes neither a backend nor probes from a layer as strong as the one that chose it. */
function refuseDevice(libos: Entry, layers: readonly Layer[], problems: Problem[]): void {
  const rank = layers.findIndex((layer) => layer.entries.includes(libos))
  for (const path of ['network.backend', 'network.probes']) {
    const found = choose(path, layers.slice(0, rank + 1))
    if (found === undefined || found.origin.layer === 'default') continue
    const message = `found ${show(found.value)}, but libOS "${libos.value}" stands on the host's sockets: leave it out`
    problems.push({ kind: 'wrong-value', path, message, origin: found.origin })
  }
}

function setDeviceAside({ values, origins, setAside }: Merged): void {
  for (const path of ['network.backend', 'network.probes']) {
    const origin = origins.get(path) as Origin
    if (origin.layer !== 'default') setAside.unshift({ path, value: values.get(path), origin })
    values.delete(path)
    origins.delete(path)
  }
}

interface Probe {
  readonly loaded: Loaded<Kinds['net-decorator']>
  readonly options: Record<string, unknown>
}

async function loadProbes(
  values: ReadonlyMap<string, unknown>,
  origins: ReadonlyMap<string, Origin>,
  application: string,
  problems: Problem[],
): Promise<Probe[]> {
  if (problems.some(({ path }) => path === 'network.probes')) return []
  const list = (values.get('network.probes') ?? []) as readonly (Record<string, unknown> & { probe: string })[]
  const origin = origins.get('network.probes') as Origin
  const probes: Probe[] = []
  for (const [i, { probe, ...options }] of list.entries()) {
    const path = `network.probes.${i}`
    const result = await load('net-decorator', probe, application)
    if ('problem' in result) problems.push({ ...result.problem, path: `${path}.probe`, origin })
    else {
      const checked = checkProbe(path, options, result.loaded.export.options, origin, problems)
      probes.push({ loaded: result.loaded, options: checked })
    }
  }
  return probes
}

function settingsOf(
  values: ReadonlyMap<string, unknown>,
  sources: readonly SpecSource[],
  byDefault: ReadonlySet<string>,
  libos: Loaded<Kinds['net-libos']>,
  backend: Loaded<Kinds['net-backend']> | undefined,
  probes: readonly Probe[],
): Settings {
  const network = unflatten(values, 'network')
  const ofPackage = (owner: string | undefined) => {
    const source = sources.find(({ prefix, owner: one }) => prefix === 'network' && one === owner)
    return source === undefined ? {} : optionsOf(source, network, byDefault)
  }
  return {
    network: {
      libos: libos.name,
      backend: backend?.name,
      libosOptions: ofPackage(libos.name),
      backendOptions: ofPackage(backend?.name),
      probes: probes.map(({ loaded, options }) => ({ probe: loaded.name, options })),
    },
    partitions: values.get('partitions'),
    cpus: values.get('cpus'),
    wait: unflatten(values, 'wait'),
    frames: unflatten(values, 'frames'),
    heap: values.get('heap'),
    memory: values.get('memory'),
    host: values.get('host'),
    app: unflatten(values, 'app'),
  } as unknown as Settings
}

/** Values in the order of the settings, application options last. */
function inOrder(values: ReadonlyMap<string, unknown>, known: KnownPaths): Map<string, unknown> {
  const rank = [...known.keys()]
  const rankOf = (path: string) => rank.findIndex((one) => one === path || path.startsWith(`${one}.`)) >>> 0
  return new Map([...values].sort(([a], [b]) => group(a) - group(b) || rankOf(a) - rankOf(b)))
}

function group(path: string): number {
  return path === 'preset' ? 0 : path.startsWith('network.') ? 1 : path.startsWith('app.') ? 3 : 2
}
