import { backend, createNetwork, type Network } from '@parakernel/emulated'
import {
  attachNetQueue,
  createPlainWindow,
  DebugFramePool,
  END_OF_PACKET,
  FramePool,
  NetBurst,
  type NetQueue,
  VirtualClock,
} from '@parakernel/hal'
import { type Pollable, RunLoop } from '@parakernel/kernel'
import { createQueueRuntime } from '@parakernel/queue'
import { libos, type NetLibOS, type NetOptions } from '../../../src/index.ts'

/** What happens to a frame on its way: the frames that arrive in its place. */
export type Meddle = (frame: Uint8Array) => readonly Uint8Array[]

/** One end of a cable that somebody stands in the middle of. */
class Tap implements Pollable {
  readonly wake
  readonly #queue: NetQueue
  readonly #pool: FramePool
  readonly #in: NetBurst
  readonly #out: NetBurst
  readonly #forward: (frame: Uint8Array) => void

  constructor(network: Network, clock: VirtualClock, forward: (frame: Uint8Array) => void) {
    const nic = network.nic({ ringSize: 1024, flowControl: true, vlan: false })
    const window = createPlainWindow(4096)
    this.#pool = new FramePool(window)
    this.#queue = backend.attach(nic.grant(0, window), { pool: this.#pool, clock })
    this.#queue.setReceiveFilter({ promiscuous: true })
    this.#in = new NetBurst(64, this.#queue.capabilities.columns)
    this.#out = new NetBurst(1, this.#queue.capabilities.columns)
    this.#forward = forward
    this.wake = this.#queue.wake
  }

  poll(): number {
    const count = this.#queue.receive(this.#in)
    for (let i = 0; i < count; i++) {
      const at = this.#pool.address(this.#in.frame[i]) + this.#in.offset[i]
      const frame = this.#pool.bytes.slice(at, at + this.#in.length[i])
      this.#pool.release(this.#in.frame[i])
      if ((this.#in.flags[i] & END_OF_PACKET) !== 0) this.#forward(frame)
    }
    return count
  }

  arm(): boolean {
    return this.#queue.arm()
  }

  nextEvent(): number {
    return this.#queue.nextEvent?.() ?? Number.POSITIVE_INFINITY
  }

  send(frame: Uint8Array): void {
    const index = this.#pool.allocate()
    if (index < 0) return
    this.#pool.bytes.set(frame, this.#pool.address(index) + this.#pool.headroom)
    this.#out.count = 0
    this.#out.push(index, this.#pool.headroom, frame.length)
    if (this.#queue.transmit(this.#out) !== 1 || this.#out.refused > 0) this.#pool.release(index)
  }
}

/** Two libOSes, and between them somebody who sees every frame and does with it what he likes. */
export class MeddledPair {
  readonly clock = new VirtualClock()
  readonly loop = new RunLoop({ clock: this.clock })
  a!: NetLibOS
  b!: NetLibOS
  readonly pools: DebugFramePool[] = []
  #networks: Network[] = []
  #detach: (() => void)[] = []

  static async create(meddle: Meddle, options: Partial<NetOptions> = {}): Promise<MeddledPair> {
    const pair = new MeddledPair()
    const networks = [1, 2].map((seed) => createNetwork({ clock: pair.clock, topology: 'direct', seed }))
    pair.#networks = networks
    const taps: Tap[] = []
    for (const side of [0, 1]) {
      const forward = (frame: Uint8Array) => {
        for (const one of meddle(frame)) taps[1 - side].send(one)
      }
      taps.push(new Tap(networks[side], pair.clock, forward))
      pair.loop.add(taps[side])
    }
    const host = async (side: number) => {
      // Whole frames alone: a mutation would have to know about super-frames and checksums that are not there.
      const nic = networks[side].nic({
        ringSize: 256,
        latency: 1000,
        checksumCompute: false,
        transmitSegmentation: false,
      })
      const window = createPlainWindow(2048)
      const pool = new DebugFramePool(window, { deviceReserve: 300 })
      pair.pools.push(pool)
      const queue = await attachNetQueue(nic.grant(0, window), { pool, clock: pair.clock })
      pair.#detach.push(() => queue.detach())
      const settings = {
        address: `10.0.0.${side + 1}/24`,
        seed: side,
        ipv6: 'off',
        addressCheck: 'none',
        ...options,
      } as const
      const { clock, loop } = pair
      const runtime = createQueueRuntime(loop)
      return libos.create(settings, { pool, clock, loop, runtime, queues: [queue], partition: 0, partitions: 1 })
    }
    pair.a = await host(0)
    pair.b = await host(1)
    return pair
  }

  run(nanoseconds: number): void {
    const end = this.clock.now() + nanoseconds
    this.loop.runUntil(() => false, end)
    this.clock.advanceTo(end)
  }

  /** Shuts everything down; what the pools say of frames that did not come back. */
  async close(): Promise<string[]> {
    await this.a.shutdown()
    await this.b.shutdown()
    for (const detach of this.#detach) detach()
    this.loop.close()
    for (const network of this.#networks) await network.close()
    return this.pools.map((pool) => `${pool.report()}${pool.available === pool.frameCount ? '' : 'frames are missing'}`)
  }
}
