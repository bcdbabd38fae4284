import type { AttachContext, Availability, BackendContext, OptionSpecs } from '../backend.ts'
import type { BlockDevice, BlockQueue, BlockQueueGrant } from './device.ts'

/** What a block backend's package exports under the name `blockBackend`; see `NetBackend`. */
export interface BlockBackend<Options = unknown> {
  readonly kind: 'block-backend'
  readonly name: string
  readonly options: OptionSpecs
  /** Looks, changes nothing. */
  probe(context: BackendContext): Availability
  /** Opens a device. @throws typed errors that name what is missing and the remedy. */
  open(options: Options, context: BackendContext): Promise<BlockDevice>
  /** The unprivileged half, in the thread of the holder. @throws ESTALE for a grant that was reclaimed or is in use. */
  attach(grant: BlockQueueGrant, context: AttachContext): BlockQueue
}

/** Wraps any block device: power cuts, torn writes, media errors, recording. Its grants carry the wrapped grant in their transport. */
export interface BlockDecorator<Options = unknown> {
  readonly kind: 'block-decorator'
  readonly name: string
  readonly options: OptionSpecs
  wrap(device: BlockDevice, options: Options, context: BackendContext): BlockDevice
}

/** Names of block backends with the types of their options; packages add to it by declaration merging. */
// biome-ignore lint/suspicious/noEmptyInterface: open for declaration merging
export interface BlockBackendOptions {}
/** The same for decorators. */
// biome-ignore lint/suspicious/noEmptyInterface: open for declaration merging
export interface BlockDecoratorOptions {}

/** What `grant.module` exports as `blockBackend`. */
export interface BlockQueueAttacher {
  attach(grant: BlockQueueGrant, context: AttachContext): BlockQueue | Promise<BlockQueue>
}

/** Attaches a grant in the current thread, whichever backend or decorator made it. */
export async function attachBlockQueue(grant: BlockQueueGrant, context: AttachContext): Promise<BlockQueue> {
  const { blockBackend } = (await import(grant.module)) as { blockBackend: BlockQueueAttacher }
  return blockBackend.attach(grant, context)
}
