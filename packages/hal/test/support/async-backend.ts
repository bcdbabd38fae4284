import type { AttachContext, NetQueue, NetQueueGrant } from '../../src/index.ts'

/** Imports another module first, as a decorator does. */
export const backend = {
  async attach(grant: NetQueueGrant, context: AttachContext): Promise<NetQueue> {
    const { backend: inner } = await import('./sync-backend.ts')
    return inner.attach(grant, context)
  },
}
