import type {
  AttachContext,
  Availability,
  BackendContext,
  BlockBackend,
  BlockQueue,
  BlockQueueGrant,
} from '@parakernel/hal'
import { probeIoUring } from '@parakernel/linux'
import { IoUringDevice } from './control/device.ts'
import { IoUringQueue } from './data/queue.ts'
import { LeasedDevice } from './lease/leased-device.ts'
import type { LeaseTicket } from './lease/process-lease.ts'
import { type IoUringOptions, optionSpecs } from './options.ts'
import type { IoUringTransport } from './transport.ts'

/** Files and block devices of Linux as a backend, through rings that the kernel shares with the process. */
export const blockBackend: BlockBackend<IoUringOptions> = {
  kind: 'block-backend',
  name: 'io-uring',
  options: optionSpecs,

  probe(): Availability {
    return probeIoUring()
  },

  async open(options: IoUringOptions, context: BackendContext): Promise<IoUringDevice> {
    // Grants name this module, by which a worker finds `attach`.
    return new IoUringDevice(options, context, import.meta.url)
  },

  attach(grant: BlockQueueGrant, context: AttachContext): BlockQueue {
    return new IoUringQueue(grant as BlockQueueGrant<IoUringTransport>, context)
  },
}

/**
 * The half of a `ProcessLease` that runs in the other process, with the numbers that its descriptors have there.
 * @throws EBADF, EINVAL for descriptors that are not those of the ticket
 */
export function openProcessLease(ticket: unknown, descriptors: readonly number[]): LeasedDevice {
  return new LeasedDevice(ticket as LeaseTicket, descriptors, import.meta.url)
}
