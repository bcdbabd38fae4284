import {
  type AttachContext,
  type Availability,
  type BackendContext,
  type NetBackend,
  type NetQueue,
  type NetQueueGrant,
  ParakernelError,
  reasonOf,
} from '@parakernel/hal'
import { AF_XDP, calls, foreign, missingCapabilities, SOCK_CLOEXEC, SOCK_RAW } from '@parakernel/linux'
import { AfXdpDevice } from './control/device.ts'
import { socketError } from './control/queue-socket.ts'
import { AfXdpQueue } from './data/queue.ts'
import { LeasedDevice } from './lease/leased-device.ts'
import type { XdpLeaseTicket } from './lease/ticket.ts'
import { type AfXdpOptions, optionSpecs } from './options.ts'
import type { XdpTransport } from './transport.ts'

/** AF_XDP as a backend: frames of a Linux interface's queues, through rings that the kernel shares with the process. */
export const backend: NetBackend<AfXdpOptions> = {
  kind: 'net-backend',
  name: 'af-xdp',
  options: optionSpecs,

  probe(): Availability {
    try {
      const descriptor = calls().socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)
      if (descriptor < 0) throw socketError(foreign().errno(), 'af-xdp')
      calls().close(descriptor)
    } catch (error) {
      if (!(error instanceof ParakernelError)) throw error
      return { available: false, missing: reasonOf(error), remedy: error.remedy ?? 'Use another backend' }
    }
    const missing = missingCapabilities('CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_BPF')
    if (missing.length === 0) return { available: true }
    return { available: false, missing: missing.join(', '), remedy: 'Run as root, or grant these capabilities' }
  },

  async open(options: AfXdpOptions, context: BackendContext): Promise<AfXdpDevice> {
    // Grants name this module, by which a worker finds `attach`.
    return new AfXdpDevice(options, context, import.meta.url)
  },

  attach(grant: NetQueueGrant, context: AttachContext): NetQueue {
    return new AfXdpQueue(grant as NetQueueGrant<XdpTransport>, context)
  },
}

/**
 * In the process that was given `lease.descriptors` and `lease.ticket`: the queue as a device of one queue.
 * @throws EBADF, EINVAL for descriptors that are not those of the ticket
 */
export function openProcessLease(ticket: unknown, descriptors: readonly number[]): LeasedDevice {
  return new LeasedDevice(ticket as XdpLeaseTicket, descriptors, import.meta.url)
}
