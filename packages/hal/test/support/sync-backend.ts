import { type AttachContext, type NetQueue, type NetQueueGrant, ParakernelError } from '../../src/index.ts'

/** Attaches without importing anything further, as a backend does. */
export const backend = {
  attach(grant: NetQueueGrant, { pool }: AttachContext): NetQueue {
    if (grant.queue === 99) throw new ParakernelError('ESTALE', 'the grant was reclaimed')
    return { grant, pool } as unknown as NetQueue
  },
}
