import type { NetBackend, NetQueueGrant } from '@parakernel/hal'
import { LoopbackDevice } from './device.ts'
import { LoopbackQueue, type LoopbackTransport } from './queue.ts'

export interface LoopbackOptions {
  readonly queues?: number
}

/** What a backend's package exports: a description for configs, `open` for the control thread, `attach` for the holder's. */
export const backend: NetBackend<LoopbackOptions> = {
  kind: 'net-backend',
  name: 'loopback',
  options: { queues: { type: 'integer', description: 'Queue pairs', default: 1, min: 1 } },
  probe: () => ({ available: true }),
  open: async ({ queues = 1 }) => new LoopbackDevice('loopback0', queues, import.meta.url),
  attach: (grant, context) => new LoopbackQueue(grant as NetQueueGrant<LoopbackTransport>, context),
}
