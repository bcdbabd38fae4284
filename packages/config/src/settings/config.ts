import type {
  BlockBackendOptions,
  BlockDecoratorOptions,
  NetBackendOptions,
  NetDecoratorOptions,
  PersistentBackendOptions,
} from '@parakernel/hal'
import type { PartitionRule, WaitPolicy } from '@parakernel/kernel'
import type { NetworkLibOSOptions, StorageLibOSOptions } from '@parakernel/queue'

/** Names that packages have declared by merging into the interfaces of `hal` and `queue`. */
export type LibOSName = keyof NetworkLibOSOptions & string
export type BackendName = keyof NetBackendOptions & string
export type ProbeName = keyof NetDecoratorOptions & string

/**
 * A package of a third party, named in full, or a module of the application. Options that it declares no type for go in by
 * spreading (`...{ slot: 3 }`), and are checked against the specs it exports when it is loaded.
 */
export type PackageName = `@${string}/${string}` | `parakernel-${string}` | `./${string}`

type KeyOfAny<Union> = Union extends unknown ? keyof Union : never
type ValueOfAny<Union, Key extends PropertyKey> = Union extends unknown
  ? Key extends keyof Union
    ? Union[Key]
    : never
  : never

/** Options of whichever is chosen elsewhere (a preset, the environment): any key of any of them. */
type OptionsOfAny<Options> = {
  readonly [Key in KeyOfAny<Options[keyof Options]>]?: ValueOfAny<Options[keyof Options], Key>
}

/** One layer of config need not be complete: the interface may come from a flag, the rest from a file. */
type OptionsOf<Options, Name extends keyof Options> = Readonly<
  Partial<Omit<Options[Name], 'libos' | 'backend' | 'probes' | 'interfaces'>>
>

/** A decorator around the device, with its options beside its name: `{ probe: 'pcap', directory: 'captures' }`. */
export type ProbeConfig =
  | { [Name in ProbeName]: { readonly probe: Name } & Readonly<NetDecoratorOptions[Name]> }[ProbeName]
  | { readonly probe: PackageName; readonly [option: string]: unknown }

/** A further interface: its name, its backend, and the options of the libOS and the backend for it. */
export type FurtherInterface =
  | {
      [Name in BackendName]: { readonly name: string; readonly backend: Name } & Readonly<
        Partial<NetBackendOptions[Name]>
      > &
        Readonly<Record<string, unknown>>
    }[BackendName]
  | { readonly name: string; readonly backend: PackageName; readonly [option: string]: unknown }

type Probes = {
  readonly probes?: readonly ProbeConfig[]
  /** Interfaces beside the one that `backend` names, for a libOS that takes several. */
  readonly interfaces?: readonly FurtherInterface[]
}

/** The host's own stack stands on no device. */
type NoBackend = 'host'

/** Where both have an option of one name, a value is for those whose option has its type. */
type Both<A, B> = {
  readonly [Key in keyof A | keyof B]?: (Key extends keyof A ? A[Key] : never) | (Key extends keyof B ? B[Key] : never)
}

type WithBackend<LibOS, Options, Backends> =
  | {
      [Name in keyof Backends & string]: LibOS & { readonly backend: Name } & Both<Options, OptionsOf<Backends, Name>>
    }[keyof Backends & string]
  | (LibOS & { readonly backend: PackageName } & Options)
  | (LibOS & { readonly backend?: undefined } & Both<Options, OptionsOfAny<Backends>>)

/** A libOS, the device under it and the options of both: what may be written follows from the names. */
type SectionConfig<LibOSes, Backends> =
  | {
      [Name in keyof LibOSes & string]: Name extends NoBackend
        ? { readonly libos: Name; readonly backend?: undefined } & OptionsOf<LibOSes, Name>
        : WithBackend<{ readonly libos: Name }, OptionsOf<LibOSes, Name>, Backends>
    }[keyof LibOSes & string]
  | WithBackend<{ readonly libos: PackageName }, unknown, Backends>
  | WithBackend<{ readonly libos?: undefined }, OptionsOfAny<LibOSes>, Backends>

/**
 * The network: a libOS, the backend it stands on, probes around that backend, and the options of all of them in one
 * object. What may be written follows from the names: `libos` and `backend` discriminate.
 */
export type NetworkConfig = Probes & SectionConfig<NetworkLibOSOptions, NetBackendOptions>

/** Names of block and of persistent memory backends. */
type StorageBackendOptions = BlockBackendOptions & PersistentBackendOptions

/** A decorator around the block device, with its options beside its name. */
export type StorageProbeConfig =
  | {
      [Name in keyof BlockDecoratorOptions & string]: { readonly probe: Name } & Readonly<BlockDecoratorOptions[Name]>
    }[keyof BlockDecoratorOptions & string]
  | { readonly probe: PackageName; readonly [option: string]: unknown }

/** The storage, as the network: a libOS, the device under it, probes around a block device, and the options of all of them. */
export type StorageConfig =
  | ({ readonly probes?: readonly StorageProbeConfig[] } & SectionConfig<StorageLibOSOptions, StorageBackendOptions>)
  | { readonly libos: 'none' }

/** Bytes: a number, or a number with a unit. */
export type ByteSize = number | `${number}${'KiB' | 'MiB' | 'GiB'}`

export interface FramesConfig {
  /** Frames of each partition; default 4096. */
  readonly count?: number
  /** Bytes a frame, a multiple of 64; default 2048. */
  readonly size?: number
  /** Frames that only devices may take, so that an application which hoards frames does not starve them; default 1/4 of `count`. */
  readonly reserve?: number
  /** Checks every frame for double free, use after transmit and foreign writers. Slow; default false. */
  readonly debug?: boolean
}

export interface WaitConfig {
  readonly kind?: WaitPolicy['kind']
  /** Nanoseconds without work after which a hybrid loop sleeps; default 50 000. */
  readonly spin?: number
  /** Nanoseconds that a hybrid partition sleeps under load without being woken; default 50 000, 0: never. */
  readonly gather?: number
}

/** How a machine can be watched while it runs. Readers see shared memory: no partition is asked, or held up. */
export interface ObserveConfig {
  /**
   * Unix socket for `parakernel top`: a path, `auto` (one for each process, in the runtime directory, where `top` finds it) or
   * `none`. Default `none`, and `auto` for programs that take their config from the command line.
   */
  readonly socket?: 'auto' | 'none' | (string & {})
  /** Where Prometheus finds `/metrics`: a port of 127.0.0.1, or `host:port`. Default: nowhere. */
  readonly prometheus?: number | string
  /** File for a Chrome trace of the whole run, written when the machine stops. Default: none. */
  readonly trace?: string
  /** Latest events of each partition that a trace keeps; default 131 072. */
  readonly traceEvents?: number
}

/** What `parakernel.config.ts` exports. Every key is optional: layers complete one another, see `loadConfig`. */
export interface Config {
  /** A named set of values under this file's: `emulated`, `host`, `af-xdp`, `tap`, or one of the application's. */
  readonly preset?: 'emulated' | 'host' | 'af-xdp' | 'tap' | (string & {})
  readonly network?: NetworkConfig
  /** Absent: the machine stores nothing. With anything in it, `libos` is `storage` unless it says otherwise. */
  readonly storage?: StorageConfig
  /**
   * Which partition a packet belongs to, for partitions that share an address: by port, prefix, or the hash of a key. Rules run in
   * the device where it takes them; elsewhere whoever receives a packet hands it on.
   */
  readonly steering?: readonly PartitionRule[]
  /** Partitions, each with its own thread, queues and memory; default 1. */
  readonly partitions?: number
  /**
   * `worker` (default): partitions are threads of this process, which trusts them. `process`: each is a process of another user and
   * without rights, which holds leases that a kernel object enforces; for backends that have such.
   */
  readonly isolation?: 'worker' | 'process'
  /**
   * Cores of the partitions in order; `auto` gives each a core of its own while one is left over for the control thread,
   * `none` (default) leaves placement to the scheduler.
   */
  readonly cpus?: readonly number[] | 'auto' | 'none'
  /** How a partition with nothing to do waits; default hybrid. */
  readonly wait?: WaitConfig
  readonly frames?: FramesConfig
  /** Bytes of each partition beside its frames, for the application's own structures; default 0. */
  readonly heap?: ByteSize
  /** What lies under frames and heap: the engine's pages, or a sealed memfd that another process may map. Default `plain`. */
  readonly memory?: 'plain' | 'memfd'
  /**
   * The door to the host's means (pinning, poll, memfd), a module that exports `host`. `auto` (default) takes
   * `@parakernel/linux` where it is installed and loads, and goes without elsewhere.
   */
  readonly host?: 'auto' | 'none' | (string & {})
  readonly observe?: ObserveConfig
  /** The application's own settings, by the specs that it gave to `loadConfig`. */
  readonly app?: Readonly<Record<string, unknown>>
}

/** Types a config, and completes it in an editor. Returns its argument. */
export function defineConfig(config: Config): Config {
  return config
}
