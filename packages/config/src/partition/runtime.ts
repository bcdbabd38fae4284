import type { Loop } from '@parakernel/kernel'
import { createQueueRuntime, type QueueRuntime } from '@parakernel/queue'

const runtimes = new WeakMap<Loop, QueueRuntime>()

/** One runtime a thread, so that one wait spans everything in it. */
export function runtimeOf(loop: Loop): QueueRuntime {
  const runtime = runtimes.get(loop) ?? createQueueRuntime(loop)
  runtimes.set(loop, runtime)
  return runtime
}
