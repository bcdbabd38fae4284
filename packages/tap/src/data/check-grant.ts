import { type FramePool, type NetQueueGrant, ParakernelError } from '@parakernel/hal'
import type { TapTransport } from '../transport.ts'

/** Whether this thread can use the grant with this pool. Throws ENOTSUP in another process, EINVAL for another window's pool. */
export function checkGrant(grant: NetQueueGrant<TapTransport>, pool: FramePool): void {
  const subject = `${grant.device} queue ${grant.queue}`
  const { transport, window } = grant
  if (transport.processId !== process.pid) {
    throw new ParakernelError('ENOTSUP', 'a grant of TAP is usable in the process that made it only', {
      subject,
      remedy: 'Open another interface in this process',
    })
  }
  if (pool.base !== window.byteOffset || pool.frameSize !== window.frameSize || pool.frameCount > window.frameCount) {
    throw new ParakernelError('EINVAL', "the pool is not over the grant's window", { subject })
  }
}
