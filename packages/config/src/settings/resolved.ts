import type { BlockBackend, BlockDecorator, NetBackend, NetDecorator, PersistentBackend } from '@parakernel/hal'
import type { PartitionRule, WaitPolicy } from '@parakernel/kernel'
import type { NetworkLibOSFactory, StorageLibOSFactory } from '@parakernel/queue'

/** Where a value came from, in order of precedence. */
export interface Origin {
  readonly layer: 'flag' | 'environment' | 'file' | 'program' | 'preset' | 'default'
  /** `--backend`, `PARAKERNEL_NETWORK__BACKEND`, `parakernel.config.ts`, the preset's or the package's name. */
  readonly name: string
}

/** A package that a config names, found and loaded. */
export interface Loaded<Export> {
  /** As in the config. */
  readonly name: string
  /** URL of its module: any thread can import it. */
  readonly url: string
  readonly export: Export
  /** Everything that the module exports. */
  readonly module: Readonly<Record<string, unknown>>
}

/** An interface beyond the first one. */
export interface InterfaceSettings {
  readonly name: string
  readonly backend: string
  /** Those of the libOS: `NetworkLibOSFactory.interfaceOptions`. */
  readonly options: Readonly<Record<string, unknown>>
  readonly backendOptions: Readonly<Record<string, unknown>>
}

/** A libOS, the device under it, and the probes around that, with the options of each. */
export interface SectionSettings {
  readonly libos: string
  /** Undefined for a libOS that stands on no device. */
  readonly backend: string | undefined
  readonly libosOptions: Readonly<Record<string, unknown>>
  readonly backendOptions: Readonly<Record<string, unknown>>
  readonly probes: readonly { readonly probe: string; readonly options: Readonly<Record<string, unknown>> }[]
}

/** Every setting with its value: what a machine is made from. Plain data. */
export interface Settings {
  readonly network: SectionSettings & { readonly interfaces: readonly InterfaceSettings[] }
  /** Undefined for a machine that stores nothing. */
  readonly storage: SectionSettings | undefined
  readonly steering: readonly PartitionRule[]
  readonly partitions: number
  readonly isolation: 'worker' | 'process'
  readonly cpus: readonly number[] | 'auto' | 'none'
  readonly wait: Required<WaitPolicy>
  readonly frames: { readonly count: number; readonly size: number; readonly reserve: number; readonly debug: boolean }
  readonly heap: number
  readonly memory: 'plain' | 'memfd'
  readonly host: string
  readonly observe: ObserveSettings
  readonly app: Readonly<Record<string, unknown>>
}

/** How a machine is observed. */
export interface ObserveSettings {
  readonly socket: string
  readonly prometheus?: number | string
  readonly trace?: string
  readonly traceEvents: number
}

/** What `storage` names, found and loaded. */
export interface LoadedStorage {
  readonly libos: Loaded<StorageLibOSFactory<object>>
  readonly backend: Loaded<BlockBackend<object> | PersistentBackend<object>> | undefined
  readonly probes: readonly Loaded<BlockDecorator<object>>[]
}

/** A config that was checked: complete, with its packages loaded, and with the origin of every value. */
export interface ResolvedConfig {
  readonly settings: Settings
  /** By path: `network.backend`, `frames.count`. */
  readonly origins: ReadonlyMap<string, Origin>
  /** The values again, by the same paths, as `--print-config` shows them. */
  readonly values: ReadonlyMap<string, unknown>
  /** Values of a libOS or backend that a stronger layer replaced: not used. */
  readonly setAside: readonly { readonly path: string; readonly value: unknown; readonly origin: Origin }[]
  /** The file that was read, if any. */
  readonly file: string | undefined
  /** URL that packages are looked up from. */
  readonly application: string
  readonly libos: Loaded<NetworkLibOSFactory<object>>
  readonly backend: Loaded<NetBackend<object>> | undefined
  readonly probes: readonly Loaded<NetDecorator<object>>[]
  /** Backends of `settings.network.interfaces`. */
  readonly interfaces: readonly Loaded<NetBackend<object>>[]
  readonly storage: LoadedStorage | undefined
}
