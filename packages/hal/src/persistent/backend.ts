import type { Availability, BackendContext, OptionSpecs } from '../backend.ts'
import type { Clock } from '../clock.ts'
import type { Host } from '../host.ts'
import type { PersistentDevice, PersistentGrant, PersistentRegion } from './region.ts'

/** What a persistent memory backend's package exports under the name `persistentBackend`. */
export interface PersistentBackend<Options = unknown> {
  readonly kind: 'persistent-backend'
  readonly name: string
  readonly options: OptionSpecs
  /** Looks, changes nothing. */
  probe(context: BackendContext): Availability
  /** Maps a device; its capabilities say which guarantee holds. @throws typed errors that name what is missing and the remedy. */
  open(options: Options, context: BackendContext): Promise<PersistentDevice>
  /** In the thread of the holder. @throws ESTALE for a grant that was reclaimed or is in use */
  attach(grant: PersistentGrant, context: PersistentAttachContext): PersistentRegion
}

export interface PersistentAttachContext {
  readonly clock: Clock
  readonly host?: Host
}

/** Names of persistent memory backends with the types of their options. */
// biome-ignore lint/suspicious/noEmptyInterface: open for declaration merging
export interface PersistentBackendOptions {}

/** What `grant.module` exports as `persistentBackend`. */
export interface PersistentAttacher {
  attach(grant: PersistentGrant, context: PersistentAttachContext): PersistentRegion | Promise<PersistentRegion>
}

/** Attaches a grant in the current thread, whichever backend made it. */
export async function attachPersistentRegion(
  grant: PersistentGrant,
  context: PersistentAttachContext,
): Promise<PersistentRegion> {
  const { persistentBackend } = (await import(grant.module)) as { persistentBackend: PersistentAttacher }
  return persistentBackend.attach(grant, context)
}
