import { ParakernelError } from '@parakernel/hal'
import type { QueueRuntime } from '../queue-runtime.ts'
import type { Completion, QueueToken } from '../types.ts'

/**
 * Waits for a token that nobody else knows. When the wait throws, the operation is given up, so that no token is left; if it completed
 * all the same, that is what counts. @throws as `wait`
 */
export function waitOrCancel(runtime: QueueRuntime, token: QueueToken, timeout: number | undefined): Completion {
  try {
    return runtime.wait(token, timeout)
  } catch (error) {
    const given = giveUp(runtime, token)
    if (given === undefined) throw error
    return given
  }
}

/** Cancels and redeems; the completion, if there was one before. */
function giveUp(runtime: QueueRuntime, token: QueueToken): Completion | undefined {
  const wasPending = runtime.cancel(token)
  try {
    const completion = runtime.wait(token, 0)
    return wasPending ? undefined : completion
  } catch (error) {
    // A task of the loop has redeemed it.
    if (error instanceof ParakernelError && error.code === 'EINVAL') return undefined
    throw error
  }
}
