import { ParakernelError } from '@parakernel/hal'
import { openQueueSocket, type QueueSocket, type QueueSocketOptions } from './queue-socket.ts'

/**
 * As `openQueueSocket`, but a queue that is busy is tried again for up to `patience` milliseconds: its holder may have just
 * ended, and the kernel drops the last reference a moment later. Blocks the thread meanwhile.
 */
export function openFreedQueue(options: QueueSocketOptions, patience: number): QueueSocket {
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + patience
  for (;;) {
    try {
      return openQueueSocket(options)
    } catch (error) {
      if (!(error instanceof ParakernelError) || error.code !== 'EBUSY' || performance.now() >= deadline) throw error
      Atomics.wait(pause, 0, 0, 1)
    }
  }
}
