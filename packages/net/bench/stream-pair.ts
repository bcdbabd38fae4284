import { createNetwork, type NicOptions } from '@parakernel/emulated'
import { attachNetQueue, createPlainWindow, FramePool, MonotonicClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, type QueueDescriptor } from '@parakernel/queue'
import { libos, type NetLibOS, type NetOptions } from '../src/index.ts'

export const PORT = 9

/** A client and a server on one emulated link, in one thread: `poll` gives each a round. */
export interface StreamPair {
  readonly client: NetLibOS
  readonly server: NetLibOS
  readonly clock: MonotonicClock
  poll(): void
  /** Polls until `done` says so. */
  until(done: () => boolean): void
  /** A listening socket of the server. */
  listen(): QueueDescriptor
  /** Begins a connection; it is open when its handler or the listener's has heard so. */
  connect(): QueueDescriptor
}

export async function streamPair(
  nic: NicOptions,
  options: Partial<NetOptions> = {},
  frames = 8192,
): Promise<StreamPair> {
  const clock = new MonotonicClock()
  const loop = new RunLoop({ clock })
  const network = createNetwork({ clock })
  const side = async (address: string, mac: string): Promise<NetLibOS> => {
    // Timestamps cost the NIC a clock read a packet.
    const device = network.nic({ ringSize: 512, timestamps: false, hash: false, mac, ...nic })
    const window = createPlainWindow(frames)
    const pool = new FramePool(window)
    const queue = await attachNetQueue(device.grant(0, window), { pool, clock })
    const context = {
      queues: [queue],
      pool,
      clock,
      loop,
      runtime: createQueueRuntime(loop),
      partition: 0,
      partitions: 1,
    }
    return libos.create({ address: `${address}/24`, addressCheck: 'none', ipv6: 'off', ...options }, context)
  }
  const client = await side('10.0.0.1', '02:00:00:00:00:01')
  const server = await side('10.0.0.2', '02:00:00:00:00:02')
  // Timers run in the loop: a round of it now and then is what they need.
  let rounds = 0
  const pair: StreamPair = {
    client,
    server,
    clock,
    poll() {
      const now = clock.now()
      client.poll(now)
      server.poll(now)
      if ((++rounds & 63) === 0) loop.runOnce()
    },
    until(done) {
      while (!done()) pair.poll()
    },
    listen() {
      const qd = server.socket('stream')
      server.bind(qd, { address: '10.0.0.2', port: PORT })
      server.listen(qd)
      return qd
    },
    connect() {
      const qd = client.socket('stream')
      const token = client.connect(qd, { address: '10.0.0.2', port: PORT })
      const completion = client.runtime.wait(token)
      if (completion.kind !== 'connect') throw new Error(`not connected: ${JSON.stringify(completion)}`)
      return qd
    },
  }
  return pair
}
