import { type BlockQueueGrant, type FramePool, ParakernelError } from '@parakernel/hal'
import type { IoUringTransport } from '../transport.ts'

/** Whether this thread can use the grant with this pool. Throws EPERM in another process, EINVAL for another window's pool. */
export function checkGrant(grant: BlockQueueGrant<IoUringTransport>, pool: FramePool): void {
  const subject = `${grant.device} queue ${grant.queue}`
  const { transport, window } = grant
  if (transport.processId !== process.pid) {
    throw new ParakernelError('EPERM', 'no object of the kernel would keep another process within the range', {
      subject,
      remedy: 'Give the process a lease of its own: createProcessLease, on a file or a loop device',
    })
  }
  if (pool.base !== window.byteOffset || pool.frameSize !== window.frameSize || pool.frameCount > window.frameCount) {
    throw new ParakernelError('EINVAL', "the pool is not over the grant's window", { subject })
  }
}
