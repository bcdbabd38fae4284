import { createNetwork, type Network } from '@parakernel/emulated'
import { attachNetQueue, createPlainWindow, DebugFramePool, VirtualClock } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { libos, type NetLibOS, type NetOptions } from '@parakernel/net'
import { createQueueRuntime } from '@parakernel/queue'
import { FRAME_SIZE, Wire } from './wire.ts'

/** Enough for the largest buffers that scripts ask for. */
const FRAMES = 8192
const START = 1e9

/** A stack on an emulated cable whose other end is packetdrill's, and the virtual time that both live in. */
export class World {
  readonly clock: VirtualClock
  readonly loop: RunLoop
  readonly libos: NetLibOS
  readonly wire: Wire
  readonly #network: Network
  readonly #detach: () => void

  private constructor(
    clock: VirtualClock,
    loop: RunLoop,
    network: Network,
    instance: NetLibOS,
    wire: Wire,
    detach: () => void,
  ) {
    this.clock = clock
    this.loop = loop
    this.#network = network
    this.libos = instance
    this.wire = wire
    this.#detach = detach
  }

  static async create(options: NetOptions, mtu: number): Promise<World> {
    const clock = new VirtualClock()
    const loop = new RunLoop({ clock })
    const network = createNetwork({ clock, topology: 'direct' })
    // As Linux with segmentation offload, whose super-segments scripts are written for.
    const nic = network.nic({
      mac: '02:00:00:00:00:01',
      mtu,
      ringSize: 1024,
      flowControl: true,
      checksumCompute: true,
      checksumVerify: false,
      transmitSegmentation: true,
      receiveSegmentation: true,
      partialChecksums: 'never',
    })
    const window = createPlainWindow(FRAMES, { frameSize: FRAME_SIZE })
    const pool = new DebugFramePool(window)
    const queue = await attachNetQueue(nic.grant(0, window), { pool, clock })
    const wire = new Wire(network, clock)
    loop.add(wire)
    const runtime = createQueueRuntime(loop)
    const instance = await libos.create(options, {
      pool,
      clock,
      loop,
      runtime,
      queues: [queue],
      partition: 0,
      partitions: 1,
    })
    const world = new World(clock, loop, network, instance, wire, () => queue.detach())
    // Duplicate address detection and the first announcements are over when packetdrill's time begins.
    world.advance(() => false, START + 2e9)
    wire.packets.length = 0
    return world
  }

  get now(): number {
    return this.clock.now()
  }

  /** Lets time pass until `done()` or `until`. */
  advance(done: () => boolean, until: number): boolean {
    if (this.loop.runUntil(done, until)) return true
    // When nothing at all is left to happen, the loop stops early: time goes on all the same.
    this.clock.advanceTo(until)
    return done()
  }

  async close(): Promise<void> {
    await this.libos.shutdown()
    this.#detach()
    this.loop.close()
    await this.#network.close()
  }
}
