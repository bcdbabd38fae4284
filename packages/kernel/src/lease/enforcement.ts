import { ParakernelError } from '@parakernel/hal'
import type { Lease } from './lease.ts'
import { describeResource, reclaimResource } from './resource.ts'

/**
 * What a lease is worth against a holder that does not want to part with it. A worker's leases are a `guard`: our own checks, in
 * a process that it shares, against bugs. A lease of another process names the kernel object that protects it.
 */
export interface Enforcement {
  /** In listings: `guard`, `bound socket`, `sealed memfd`, ... */
  readonly by: string
  /** Whether it holds against malice. */
  readonly protects: boolean
  /**
   * Takes the resource without its holder's help. When this is done the device touches nothing of the holder's any more, and the
   * resource can be granted again. Where that takes the end of the holder (Linux takes no descriptor back), it ends it.
   */
  repossess(lease: Lease): void | Promise<void>
}

/**
 * Of worker and inline partitions: the control half of the device takes the queue away, and the data half answers 0. Frames stay
 * where they are: nothing takes memory from a thread of the same process.
 */
export const GUARD: Enforcement = {
  by: 'guard',
  protects: false,
  repossess({ resource, leased, owner }) {
    if (resource.kind === 'frames' && owner.holder !== undefined) {
      throw new ParakernelError('ENOTSUP', `cannot be taken from ${owner.name} while it runs`, {
        subject: describeResource(resource),
        remedy: 'Stop the partition: its frames are free when it is gone',
      })
    }
    reclaimResource(resource, leased)
  },
}
