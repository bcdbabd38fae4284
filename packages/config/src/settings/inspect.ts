import type { OptionSpecs } from '@parakernel/hal'
import { type KnownPaths, knownPaths, type SpecSource } from '../layers/known-paths.ts'
import { type Entry, type Layer, layerOf, unflatten } from '../layers/layer.ts'
import { type Merged, merge } from '../layers/merge.ts'
import type { Problem } from '../problems/config-error.ts'
import type { Kinds } from '../registry/registry.ts'
import { checkPreset, checkSteering, checkTogether, checkValues } from './check.ts'
import type { Config } from './config.ts'
import { addDefaults, optionsOf } from './derived.ts'
import { FIXED_SETTINGS } from './fixed.ts'
import { type LoadedInterface, loadInterfaces } from './interfaces.ts'
import { BACKEND_DEFAULTS, PRESETS } from './presets.ts'
import type { Loaded, Origin, ResolvedConfig, Settings } from './resolved.ts'
import { choose, type LoadedProbe, NETWORK, Section, type SectionKinds, STORAGE, storageByMention } from './section.ts'

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
  ]

  layers.push(storageByMention(layers), { loose: false, entries: fixedDefaults() })

  const network = await Section.load(NETWORK, layers, application, problems)
  const storage = await Section.load(STORAGE, layers, application, problems)
  const sections = [network, storage]
  const sources: SpecSource[] = sections.flatMap((section) => section.sources)
  if (input.app !== undefined) sources.push({ prefix: 'app', owner: 'the application', specs: input.app })
  const known = knownPaths(sources)
  const backendName = network.backend?.name ?? ''
  layers.push(defaultLayer(BACKEND_DEFAULTS[backendName] ?? {}, backendName))

  const sectionOf = (path: string) => sections.find(({ spec }) => path.startsWith(`${spec.prefix}.`))
  const merged = merge(
    layers,
    known,
    (path, index) =>
      layers[index].entries[0]?.origin.layer === 'default' ||
      sectionOf(path)?.isReplaced(layers.slice(index)) === true ||
      sectionOf(path)?.isOff === true,
    (path) => sectionOf(path)?.isBlind === true || (input.app === undefined && path.startsWith('app.')),
    problems,
  )
  const { values, origins } = merged
  for (const section of sections) section.setDeviceAside(merged)
  const byDefault = addDefaults(sources, known, values, origins)
  checkValues(values, origins, known, byDefault, problems)
  checkTogether(values, origins, problems)
  checkSteering(values, origins, network.backend !== undefined, problems)
  const probes = await network.loadProbes(merged, application, problems)
  const storageProbes = await storage.loadProbes(merged, application, problems)
  const interfaces = network.libos === undefined ? [] : await loadFurther(merged, network.libos, application, problems)

  if (problems.length > 0 || network.libos === undefined) return { config: undefined, problems, sources }
  const partOf = (section: Section<SectionKinds>, list: readonly LoadedProbe<unknown>[]) =>
    sectionSettings(section, list, values, sources, byDefault)
  const settings = {
    network: { ...partOf(network, probes), interfaces: interfaces.map((one) => one.settings) },
    storage: storage.isOff ? undefined : partOf(storage, storageProbes),
    steering: values.get('steering'),
    partitions: values.get('partitions'),
    cpus: values.get('cpus'),
    wait: unflatten(values, 'wait'),
    frames: unflatten(values, 'frames'),
    heap: values.get('heap'),
    isolation: values.get('isolation'),
    memory: values.get('memory'),
    host: values.get('host'),
    observe: unflatten(values, 'observe'),
    app: unflatten(values, 'app'),
  } as unknown as Settings
  const config: ResolvedConfig = {
    settings,
    values: inOrder(values, known),
    origins,
    setAside: merged.setAside,
    file: input.file,
    application,
    libos: network.libos,
    backend: network.backend,
    probes: probes.map(({ loaded }) => loaded),
    interfaces: interfaces.map((one) => one.backend),
    storage:
      storage.libos === undefined
        ? undefined
        : {
            libos: storage.libos,
            backend: storage.backend,
            probes: storageProbes.map(({ loaded }) => loaded),
          },
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

async function loadFurther(
  { values, origins }: Merged,
  libos: Loaded<Kinds['net-libos']>,
  application: string,
  problems: Problem[],
): Promise<LoadedInterface[]> {
  const partitions = values.get('partitions')
  const list = values.get('network.interfaces')
  const faulty = problems.some(({ path }) => path === 'network.interfaces' || path === 'partitions')
  if (faulty || typeof partitions !== 'number' || !Array.isArray(list)) return []
  const origin = origins.get('network.interfaces') as Origin
  return loadInterfaces(list, libos, partitions, origin, application, problems)
}

/** The settings of one section, with the options of each of its packages apart. */
function sectionSettings(
  { spec: { prefix }, libos, backend }: Section<SectionKinds>,
  probes: readonly LoadedProbe<unknown>[],
  values: ReadonlyMap<string, unknown>,
  sources: readonly SpecSource[],
  byDefault: ReadonlySet<string>,
) {
  const tree = unflatten(values, prefix)
  const ofPackage = (owner: string | undefined) => {
    const source = sources.find((one) => one.prefix === prefix && one.owner === owner)
    return source === undefined ? {} : optionsOf(source, tree, byDefault)
  }
  return {
    libos: libos?.name,
    backend: backend?.name,
    libosOptions: ofPackage(libos?.name),
    backendOptions: ofPackage(backend?.name),
    probes: probes.map(({ loaded, options }) => ({ probe: loaded.name, options })),
  }
}

/** Values in the order of the settings, application options last. */
function inOrder(values: ReadonlyMap<string, unknown>, known: KnownPaths): Map<string, unknown> {
  const rank = [...known.keys()]
  const rankOf = (path: string) => rank.findIndex((one) => one === path || path.startsWith(`${one}.`)) >>> 0
  return new Map([...values].sort(([a], [b]) => group(a) - group(b) || rankOf(a) - rankOf(b)))
}

function group(path: string): number {
  const order = ['preset', 'network', 'storage']
  const rank = order.indexOf(path.split('.')[0])
  if (rank >= 0) return rank
  return path.startsWith('app.') ? order.length + 1 : order.length
}
