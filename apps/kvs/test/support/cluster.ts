import type { Durability } from '@parakernel/queue'
import { Channel, type RingReceiver, type RingSender } from '../../src/server/channel.ts'
import { KvsServer, type KvsServerOptions, openServer } from '../../src/server/kvs-server.ts'
import type { FakeLog } from './fake-log.ts'
import type { TestLibOS, TestNetwork } from './test-network.ts'

export const PORT = 9000
export const MEMCACHED_PORT = 11_211
const KEY = Uint8Array.from({ length: 16 }, (_, i) => i * 7)

/** A ring in ordinary memory. */
class MemoryRing implements RingSender, RingReceiver {
  readonly messageBytes = 2048
  readonly #messages: Uint8Array[] = []
  limit: number

  constructor(limit = 64) {
    this.limit = limit
  }

  free(): number {
    return this.limit - this.#messages.length
  }

  send(bytes: Uint8Array, at: number, length: number): boolean {
    if (this.free() <= 0) return false
    this.#messages.push(bytes.slice(at, at + length))
    return true
  }

  receive(into: Uint8Array): number {
    const message = this.#messages.shift()
    if (message === undefined) return 0
    into.set(message)
    return message.length
  }

  pending(): boolean {
    return this.#messages.length > 0
  }

  publish(): void {}
}

export interface Partition {
  readonly host: TestLibOS
  readonly server: KvsServer
}

type ClusterOptions = Partial<KvsServerOptions> & { readonly heapBytes?: number; readonly ringSlots?: number }

/** A server of `partitions`, each on a host of its own at 10.0.0.1 (steering is the port's business). */
export function startCluster(network: TestNetwork, partitions = 1, options: ClusterOptions = {}): Partition[] {
  return plans(network, partitions, options).map(({ host, plan }) => ({
    host,
    server: new KvsServer(host.libos, plan),
  }))
}

/** As `startCluster`, each partition filled from a log of its own. */
export async function openCluster(
  network: TestNetwork,
  logs: readonly FakeLog[],
  options: ClusterOptions & { readonly durability?: Durability } = {},
): Promise<Partition[]> {
  const { durability = 'flushed', wallClock = () => 1_000_000_000_000, ...more } = options
  const opened = plans(network, logs.length, { ...more, wallClock }).map(async ({ host, plan }, index) => {
    const journal = { log: logs[index].on(host), loop: network.loop, durability, wallClock }
    const { server } = await openServer(host.libos, { ...plan, journal })
    return { host, server }
  })
  return Promise.all(opened)
}

function plans(network: TestNetwork, partitions: number, options: ClusterOptions) {
  const { heapBytes = 4 << 20, ringSlots = 1024 } = options
  const rings = Array.from({ length: partitions }, (_, from) =>
    Array.from({ length: partitions }, (_, to) => (from === to ? undefined : new MemoryRing(ringSlots))),
  )
  return Array.from({ length: partitions }, (_, index) => {
    const host = network.host('10.0.0.1', 512, heapBytes)
    const channel =
      partitions === 1
        ? undefined
        : new Channel(
            rings.map((row) => row[index]),
            rings[index],
          )
    if (channel !== undefined) network.pollables.push(channel)
    const plan: KvsServerOptions = {
      index,
      partitions,
      port: PORT,
      memcachedPort: MEMCACHED_PORT,
      guard: 'private',
      key: KEY,
      heap: host.heap,
      channel,
      ...options,
    }
    return { host, plan }
  })
}
