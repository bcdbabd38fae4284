import {
  type AttachContext,
  attachBlockQueue,
  attachNetQueue,
  type BlockQueue,
  type BlockQueueGrant,
  type NetQueue,
  type NetQueueGrant,
  ParakernelError,
} from '@parakernel/hal'
import { BlockFaultsQueue } from './block/faults-queue.ts'
import type { BlockProbeTransport } from './block/probe-device.ts'
import type { BlockFaultSettings } from './block/settings.ts'
import { BlockTraceQueue } from './block/trace-queue.ts'
import { attachRecorder } from './crash/record-blocks.ts'
import { FaultQueue } from './faults/queue.ts'
import type { FaultSettings } from './faults/settings.ts'
import type { ProbeTransport } from './grant.ts'
import { PcapQueue } from './pcap/queue.ts'
import type { PcapSettings } from './pcap/settings.ts'
import { TraceQueue } from './trace/queue.ts'
import type { TraceSettings } from './trace/settings.ts'

/** What `attachNetQueue` finds in this module for the grants that probes made. The wrapped grant is attached first. */
export const backend = {
  async attach(grant: NetQueueGrant, context: AttachContext): Promise<NetQueue> {
    const { probe, inner, settings } = grant.transport as ProbeTransport<unknown>
    const queue = await attachNetQueue(inner, context)
    switch (probe) {
      case 'faults':
        return new FaultQueue(queue, grant, settings as FaultSettings, context.clock)
      case 'pcap':
        return new PcapQueue(queue, grant, settings as PcapSettings, context.clock)
      case 'trace':
        return new TraceQueue(queue, grant, settings as TraceSettings, context.clock)
      default:
        queue.detach()
        throw new ParakernelError('ENOTSUP', `there is no probe '${probe}' in this version of @parakernel/probes`, {
          subject: `${grant.device} queue ${grant.queue}`,
        })
    }
  },
}

/** What `attachBlockQueue` finds in this module. */
export const blockBackend = {
  async attach(grant: BlockQueueGrant, context: AttachContext): Promise<BlockQueue> {
    const { probe, inner, settings } = grant.transport as BlockProbeTransport<unknown>
    switch (probe) {
      case 'block-faults': {
        const queue = await attachBlockQueue(inner, context)
        return new BlockFaultsQueue(queue, grant, settings as BlockFaultSettings, context.clock)
      }
      case 'block-trace': {
        const queue = await attachBlockQueue(inner, context)
        return new BlockTraceQueue(queue, grant, settings as TraceSettings, context.clock)
      }
      case 'block-recorder':
        return attachRecorder(grant, context)
      default:
        throw new ParakernelError('ENOTSUP', `there is no probe '${probe}' in this version of @parakernel/probes`, {
          subject: `${grant.device} queue ${grant.queue}`,
        })
    }
  },
}
