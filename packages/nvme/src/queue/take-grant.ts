import { type FramePool, ParakernelError, type WakeSource, WakeWord } from '@parakernel/hal'
import type { NvmeQueueGrant } from './grant.ts'

/** @throws EINVAL for a pool that is not over the window of the grant */
export function checkPool({ window }: NvmeQueueGrant, pool: FramePool, subject: string): void {
  const same =
    pool.bytes.length === window.region.byteLength &&
    pool.base === window.byteOffset &&
    pool.frameSize === window.frameSize &&
    pool.frameCount <= window.frameCount
  if (!same) throw new ParakernelError('EINVAL', 'the pool is not over the window of the grant', { subject })
}

export function wakeSource({ transport, window }: NvmeQueueGrant): WakeSource {
  const { vector } = transport
  if (vector.kind === 'descriptor') return { kind: 'descriptor', fd: vector.fd }
  if (vector.kind === 'word') return { kind: 'word', word: new WakeWord(window.wake) }
  return { kind: 'none' }
}
