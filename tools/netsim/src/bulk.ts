import { type QueueDescriptor, STREAM_CLOSED, STREAM_DATA, STREAM_OPENED } from '@parakernel/queue'
import type { Host, World } from './world.ts'

const PORT = 5001
const FRAME_OFFSET = 256

/** What one flow has moved. */
export interface Flow {
  /** Bytes that the receiving application has. */
  received: number
  /** Virtual time of the last of them, ns. */
  finished: number
}

export interface Bulk {
  readonly flows: readonly Flow[]
  /** Virtual time at which it ended, ns, counted from the first SYN. */
  readonly duration: number
}

/**
 * Streams from `source` to `sink` at the same time, each sending as fast as it may in writes of `write` bytes: until every one has
 * delivered `bytes`, or `limit` ns have passed. The clock starts with the first SYN, so that handshake and slow start count.
 */
export function bulk(
  world: World,
  source: Host,
  sink: Host,
  load: { readonly flows: number; readonly bytes: number; readonly write: number },
  limit: number,
): Bulk {
  const { flows: count, bytes, write } = load
  const flows: Flow[] = []
  const byDescriptor = new Map<number, Flow>()
  let left = count
  const listener = sink.libos.socket('stream')
  sink.libos.bind(listener, { address: '0.0.0.0', port: PORT })
  sink.libos.listen(listener, 1024)
  sink.libos.serveStreams(listener, (burst, now) => {
    for (let i = 0; i < burst.count; i++) {
      if (burst.event[i] === STREAM_OPENED) {
        const flow = { received: 0, finished: 0 }
        byDescriptor.set(burst.qd[i], flow)
        flows.push(flow)
      } else if (burst.event[i] === STREAM_DATA) {
        const flow = byDescriptor.get(burst.qd[i]) as Flow
        const before = flow.received
        flow.received += burst.length[i]
        flow.finished = now
        if (before < bytes && flow.received >= bytes) left--
      } else if (burst.event[i] === STREAM_CLOSED) {
        left = 0
      }
    }
  })

  const { libos } = source
  // The sending application looks at every stream in every round, so that the send buffer is the only limit of it.
  const open: QueueDescriptor[] = []
  const fill = (qd: QueueDescriptor) => {
    for (;;) {
      const frame = libos.pool.allocate()
      if (frame < 0) return
      if (libos.sendStream(qd, frame, libos.pool.address(frame) + FRAME_OFFSET, write)) continue
      libos.pool.release(frame)
      return
    }
  }
  // A callback of a token must not call the libOS itself.
  const connected: QueueDescriptor[] = []
  const work = () => {
    for (let qd = connected.pop(); qd !== undefined; qd = connected.pop()) {
      libos.serveStreams(qd, (burst) => {
        for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_CLOSED) left = 0
      })
      open.push(qd)
    }
    for (const qd of open) fill(qd)
  }
  const started = world.now
  for (let i = 0; i < count; i++) {
    const qd = libos.socket('stream')
    libos.runtime.notify(libos.connect(qd, { address: sink.address, port: PORT }), (completion) => {
      if (completion.kind === 'connect') connected.push(qd)
      else left = 0
    })
  }
  const done = () => {
    if (left > 0) work()
    return left <= 0
  }
  world.run(done, started + limit)
  return { flows, duration: world.now - started }
}
