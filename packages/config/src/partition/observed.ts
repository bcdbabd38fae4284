import { LoopTrace, type PartitionContext, type RunLoop } from '@parakernel/kernel'
import { callingThread } from '../observe/thread-time.ts'

/** Answers in which thread of the host the partition runs, as `/proc` names it. */
export const THREAD = 'parakernel:thread'
/** Begins to trace the partition's loop into a ring of records, or ends it when there is none. */
export const TRACE = 'parakernel:trace'

/** What a partition does for those who observe it; all else they read from shared memory. */
export function observedMethods(context: PartitionContext<unknown>) {
  // The kernel gives every partition its own loop.
  const loop = context.loop as RunLoop
  return {
    [THREAD]: callingThread,
    [TRACE]: (buffer: SharedArrayBuffer | undefined) => {
      loop.trace = buffer === undefined ? undefined : new LoopTrace(buffer, loop.clock)
    },
  }
}
