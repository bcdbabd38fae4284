import { ParakernelError } from '@parakernel/hal'
import type { PartitionContext } from '@parakernel/kernel'
import type { NetworkLibOS } from '@parakernel/queue'

/**
 * The network of a partition: builds the libOS that the config names over the partition's queues. Calling it again gives the
 * same one. It is shut down when the machine stops, after the partition's own `stop`.
 */
export async function startNetwork(_context: PartitionContext<unknown>): Promise<NetworkLibOS> {
  throw new ParakernelError('ENOSYS', 'not there yet')
}
