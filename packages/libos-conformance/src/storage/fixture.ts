import type { NetworkLibOS, StorageLibOS } from '@parakernel/queue'

/** What the suite asks of a fresh volume. */
export interface StorageSetup {
  /** Of `createQueueRuntime`: tokens and descriptors that there may be; its defaults when absent. */
  readonly tokens?: number
  readonly descriptors?: number
  /** Volume of about so many bytes; otherwise at least 16 MiB. Only where `smallVolume` is supported. */
  readonly bytes?: number
}

export interface ReopenOptions {
  /** The libOS's option of that name. */
  readonly readOnly?: boolean
}

/** An empty volume. Its loop is driven by somebody: a started driver, guest or owner. */
export interface StorageLibosFixture {
  readonly libos: StorageLibOS
  /** A second instance on what the first stood on, which was shut down; on the same loop, runtime and pool. */
  reopen(options?: ReopenOptions): Promise<StorageLibOS>
  /** Power fails under the libOS, which is not told: gives an instance over what the media kept. Needed unless `powerCut` is unsupported. */
  powerCut?(): Promise<StorageLibOS>
  /** A network libOS on the same runtime and its address, for waits over both. Needed unless `network` is unsupported. */
  readonly network?: { readonly libos: NetworkLibOS; readonly address: string }
  /** Lets go of what the instances stood on: media, queues, loops. Called after all were shut down. */
  close(): Promise<void>
}

/** What an implementation, or what it stands on, may lack. Each needs a reason, which the skipped tests print. */
export type StorageFeature =
  | 'synchronousWait'
  /** Holes hold no media, and a punched one gives them back. */
  | 'sparse'
  /** A volume of a chosen size, so that it can be filled. */
  | 'smallVolume'
  /** `powerCut` of the fixture. */
  | 'powerCut'
  /** `network` of the fixture. */
  | 'network'
  /** Names that differ in case, or in how an accent is written, are different names. */
  | 'exactNames'

export interface StorageLibosConformance {
  /** Heads the suite: `host`, `storage on the emulated disk`. */
  readonly name: string
  /**
   * A fresh volume, called for every case. The pool must be a `DebugFramePool`, of which at least 128 frames are free once the libOS runs.
   */
  setup(options: StorageSetup): Promise<StorageLibosFixture>
  /** Why this machine cannot run any of it, or undefined. */
  readonly skip?: string | undefined
  readonly unsupported?: Readonly<Partial<Record<StorageFeature, string>>>
}
