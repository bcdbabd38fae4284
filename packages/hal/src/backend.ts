import type { Clock } from './clock.ts'
import type { Host } from './host.ts'
import type { FramePool } from './memory/frame-pool.ts'
import type { NetDevice, NetQueue, NetQueueGrant } from './net/device.ts'

/** What the control plane offers to a backend that it opens. */
export interface BackendContext {
  readonly clock: Clock
  /** The door to the host, where there is one. */
  readonly host?: Host
  /** Warnings that the user should see: a fallback taken, a privilege missing. */
  readonly warn?: (message: string) => void
}

export interface AttachContext {
  readonly pool: FramePool
  readonly clock: Clock
  readonly host?: Host
}

/** One option of a backend or libOS, as data: validation, `--help` and documentation are made from it. */
export interface OptionSpec {
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'string[]' | 'object'
  readonly description: string
  readonly required?: boolean
  readonly default?: unknown
  /** Allowed values of a string. */
  readonly values?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** Of an integer: a config takes `64MiB` for it, too. */
  readonly unit?: 'bytes'
  /** A form that a string must have, with its name: `['10.0.0.1/24', /.../]`. */
  readonly form?: { readonly example: string; readonly pattern: RegExp }
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

/** Whether this machine can run a backend, and what it lacks. */
export type Availability =
  | { readonly available: true }
  | { readonly available: false; readonly missing: string; readonly remedy: string }

/**
 * What a network backend's package exports under the name `backend`. A third party joins by publishing a package with
 * this export and, for completion in a config, by declaring its options:
 *
 *     declare module '@parakernel/hal' { interface NetBackendOptions { 'my-nic': MyNicOptions } }
 */
export interface NetBackend<Options = unknown> {
  readonly kind: 'net-backend'
  readonly name: string
  readonly options: OptionSpecs
  /** Looks, changes nothing. */
  probe(context: BackendContext): Availability
  /** Opens a device. @throws typed errors that name what is missing and the remedy. */
  open(options: Options, context: BackendContext): Promise<NetDevice>
  /** The unprivileged half, in the thread of the holder. @throws ESTALE for a grant that was reclaimed or is in use. */
  attach(grant: NetQueueGrant, context: AttachContext): NetQueue
}

/**
 * Wraps any net device: what a probe's package exports for each probe. The wrapper's grants name the wrapper's own module,
 * and carry the wrapped grant in their transport.
 */
export interface NetDecorator<Options = unknown> {
  readonly kind: 'net-decorator'
  readonly name: string
  readonly options: OptionSpecs
  wrap(device: NetDevice, options: Options, context: BackendContext): NetDevice
}

/** Names of net backends with the types of their options; packages add to it by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: open for declaration merging
export interface NetBackendOptions {}
/** The same for decorators. */
// biome-ignore lint/suspicious/noEmptyInterface: open for declaration merging
export interface NetDecoratorOptions {}

/** What `grant.module` exports as `backend`. A decorator's is asynchronous: it first loads the module of the grant it carries. */
export interface NetQueueAttacher {
  attach(grant: NetQueueGrant, context: AttachContext): NetQueue | Promise<NetQueue>
}

/** Attaches a grant in the current thread, whichever backend or decorator made it. */
export async function attachNetQueue(grant: NetQueueGrant, context: AttachContext): Promise<NetQueue> {
  const { backend } = (await import(grant.module)) as { backend: NetQueueAttacher }
  return backend.attach(grant, context)
}
