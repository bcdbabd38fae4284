import { ParakernelError } from '@parakernel/hal'
import type { StorageLibOS } from '../storage-libos.ts'
import { errorOf } from '../streams/failure.ts'

/**
 * Runs a control call that changes something; where so many changes wait to become durable that no more fit (ENOBUFS), waits until
 * they are, and runs it again. Rejects with what else it throws, and with what the sync meets.
 */
export async function retryAfterSync<T>(libos: StorageLibOS, call: () => T): Promise<T> {
  for (;;) {
    try {
      return call()
    } catch (error) {
      if (!(error instanceof ParakernelError) || error.code !== 'ENOBUFS') throw error
      const completion = await libos.runtime.completion(libos.syncVolume())
      if (completion.kind !== 'push') throw errorOf(completion, `libOS ${libos.name}`)
    }
  }
}
