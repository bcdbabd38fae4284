import { ParakernelError } from '@parakernel/hal'
import type { NetworkLibOS } from '../network-libos.ts'
import type { Completion, QueueDescriptor } from '../types.ts'

/** The error of a completion that is `failed`, or that is none of those its operation can have. */
export function errorOf(completion: Completion, subject: string): ParakernelError {
  if (completion.kind === 'failed') return new ParakernelError(completion.code, completion.message, { subject })
  return new ParakernelError('EPROTO', `a ${completion.kind} completed instead`, { subject })
}

/** Closes a descriptor that may be gone: the libOS closes all of them when it is shut down. */
export function closeIfOpen(libos: Pick<NetworkLibOS, 'close'>, qd: QueueDescriptor): void {
  try {
    libos.close(qd)
  } catch (error) {
    if (!(error instanceof ParakernelError) || error.code !== 'EBADF') throw error
  }
}
