import type { FramePool, NetQueue } from '@parakernel/hal'
import type { RunLoop } from '@parakernel/kernel'
import {
  createQueueRuntime,
  STREAM_CLOSED,
  STREAM_OPENED,
  STREAM_WRITABLE,
  type StreamHandler,
} from '@parakernel/queue'
import { libos, type NetLibOS, type NetOptions } from '../../src/index.ts'

export const BULK_PORT = 5001

/** A libOS that reads all that a connection brings, or fills it with the same frames over and over. */
export interface BulkServer {
  readonly stack: NetLibOS
  /** Connections that are open. */
  readonly open: number
  readonly received: number
  /** Bytes that the send buffer took. */
  readonly sent: number
  close(): Promise<void>
}

export async function bulkServer(
  what: 'read' | 'write',
  { pool, queues, loop, options }: { pool: FramePool; queues: readonly NetQueue[]; loop: RunLoop; options: NetOptions },
): Promise<BulkServer> {
  const runtime = createQueueRuntime(loop)
  const stack = await libos.create(options, {
    ...{ pool, clock: loop.clock, loop, runtime, queues, partition: 0, partitions: 1 },
  })
  const state = { open: 0, received: 0, sent: 0 }
  // One frame is sent again and again: a reference for each time.
  const frame = pool.allocate()
  const address = pool.address(frame)
  pool.bytes.fill(0x5a, address, address + pool.frameSize)
  const fill = (qd: number) => {
    for (;;) {
      pool.retain(frame)
      if (!stack.sendStream(qd as never, frame, address, pool.frameSize)) break
      state.sent += pool.frameSize
    }
    pool.release(frame)
  }
  const handler: StreamHandler = (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const event = burst.event[i]
      if (event === STREAM_OPENED) state.open++
      else if (event === STREAM_CLOSED) state.open--
      else state.received += burst.length[i]
      if (what === 'write' && (event === STREAM_OPENED || event === STREAM_WRITABLE)) fill(burst.qd[i])
    }
  }
  const listener = stack.socket('stream')
  stack.bind(listener, { address: '0.0.0.0', port: BULK_PORT })
  stack.listen(listener, 4)
  stack.serveStreams(listener, handler)
  return {
    stack,
    get open() {
      return state.open
    },
    get received() {
      return state.received
    },
    get sent() {
      return state.sent
    },
    async close() {
      await stack.shutdown()
      pool.release(frame)
    },
  }
}
