import {
  assertNoLeaks,
  attachNetQueue,
  createPlainWindow,
  DebugFramePool,
  type FramePool,
  type FrameWindow,
  type FrameWindowOptions,
  NetBurst,
  type NetDevice,
  type NetQueue,
  type NetQueueGrant,
} from '@parakernel/hal'
import type { ConformanceOptions, Fixture, Flow, SendOptions } from './fixture.ts'
import { buildPacket, type PacketOptions, SHORTEST, sequenceOf } from './packets.ts'
import { type Received, takeReceived } from './received.ts'
import { WorkerHolder } from './worker-holder.ts'

/** Milliseconds that the suite waits for something that must happen, unless it is told otherwise. */
export const PATIENCE = 5_000
/** Milliseconds after which the suite believes that something does not happen. */
export const QUIET = 30

export interface OpenOptions {
  /** Frames of the window; the default is enough to fill every ring and to have as many again. */
  readonly frames?: number
  readonly window?: FrameWindow
}

let runs = 0

/**
 * What one case works with. It keeps account of everything that the case opens, and its `finish` gives all of it back and
 * then insists that no frame is missing: so every case is a test of frame ownership too.
 */
export class Session {
  readonly fixture: Fixture
  /** The device under test, decorated if the suite runs over a decorator. */
  readonly device: NetDevice
  readonly seed: number
  readonly rounds: number | undefined
  readonly patience: number
  readonly run = (Math.floor(Date.now() / 1000) * 4096 + (runs++ % 4096)) >>> 0
  #sequence = 0
  readonly #grants: NetQueueGrant[] = []
  readonly #queues: NetQueue[] = []
  readonly #pools = new Set<DebugFramePool>()
  readonly #workers: WorkerHolder[] = []

  constructor(
    fixture: Fixture,
    device: NetDevice,
    { seed = 1, rounds, patience = PATIENCE }: Pick<ConformanceOptions, 'seed' | 'rounds' | 'patience'>,
  ) {
    this.fixture = fixture
    this.device = device
    this.seed = seed
    this.rounds = rounds
    this.patience = patience
  }

  get wire() {
    return this.fixture.wire
  }

  /** A window with room for every ring and for as much again. */
  createWindow(
    frames = 3 * this.device.capabilities.ringSize + 64,
    options?: Partial<FrameWindowOptions>,
  ): FrameWindow {
    return this.fixture.createWindow?.(frames, options) ?? createPlainWindow(frames, options)
  }

  grant(queue = 0, window: FrameWindow = this.createWindow()): NetQueueGrant {
    const grant = this.device.grant(queue, window)
    this.#grants.push(grant)
    return grant
  }

  /** Attaches a grant in this thread, with a debug pool that is checked at the end. */
  async attach(grant: NetQueueGrant): Promise<NetQueue> {
    const pool = new DebugFramePool(grant.window)
    this.#pools.add(pool)
    const queue = await this.attachWith(grant, pool)
    this.#queues.push(queue)
    return queue
  }

  attachWith(grant: NetQueueGrant, pool: FramePool): Promise<NetQueue> {
    return attachNetQueue(grant, { pool, ...this.fixture.context })
  }

  async open(queue = 0, options: OpenOptions = {}): Promise<NetQueue> {
    return this.attach(this.grant(queue, options.window ?? this.createWindow(options.frames)))
  }

  async startWorker(): Promise<WorkerHolder> {
    const holder = await WorkerHolder.start(this.fixture.hostModule)
    this.#workers.push(holder)
    return holder
  }

  burst(capacity = 32): NetBurst {
    return new NetBurst(capacity, this.device.capabilities.columns)
  }

  /** The flow that reaches `queue`, where the device chooses by flow. */
  flow(queue = 0): Flow {
    return this.wire.flow?.(queue) ?? { sourcePort: 7_000, destinationPort: 7_000 + queue }
  }

  /** A packet from the wire to the device. Its sequence number is one that this case has not used. */
  inbound(length = SHORTEST, queue = 0, more: Partial<PacketOptions> = {}): Uint8Array {
    const { sourcePort, destinationPort } = this.flow(queue)
    return buildPacket({
      source: { mac: this.wire.mac, address: this.wire.address, port: sourcePort },
      destination: { mac: this.device.mac, address: this.fixture.address, port: destinationPort },
      run: this.run,
      sequence: this.#sequence++,
      length,
      ...more,
    })
  }

  /** A packet from the device to the wire. */
  outbound(length = SHORTEST, more: Partial<PacketOptions> = {}): Uint8Array {
    return buildPacket({
      source: { mac: this.device.mac, address: this.fixture.address, port: 7_000 },
      destination: { mac: this.wire.mac, address: this.wire.address, port: 7_000 },
      run: this.run,
      sequence: this.#sequence++,
      length,
      ...more,
    })
  }

  async send(packets: readonly Uint8Array[], options: SendOptions = { queue: 0 }): Promise<void> {
    for (const packet of packets) await this.wire.send(packet, options)
  }

  /** Lets the surroundings work: a virtual clock, a kernel, another thread. */
  async advance(): Promise<void> {
    await this.fixture.advance?.()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }

  /** Advances until `done` answers true. @throws after the suite's patience, naming `what`. */
  async until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + this.patience
    while (!(await done())) {
      if (performance.now() > end) throw new Error(`waited ${this.patience} ms for ${what}`)
      await this.advance()
    }
  }

  /** Advances for a while in which something should not happen. */
  async quiet(milliseconds = QUIET): Promise<void> {
    const end = performance.now() + milliseconds
    while (performance.now() < end) await this.advance()
  }

  /** Receives until `count` packets of this case came; their frames go back to the pool. */
  async receive(queue: NetQueue, count: number, burst = this.burst()): Promise<Received[]> {
    const packets: Received[] = []
    await this.until(`${count} packets on queue ${queue.grant.queue} (${packets.length} came)`, () => {
      this.receiveSome(queue, burst, packets)
      return packets.length >= count
    })
    return packets
  }

  /** One `receive`; appends the packets of this case and releases all frames. */
  receiveSome(queue: NetQueue, burst: NetBurst, packets: Received[]): number {
    const entries = queue.receive(burst)
    for (const packet of takeReceived(queue.pool, burst)) {
      if (sequenceOf(packet.bytes, this.run) >= 0) packets.push(packet)
    }
    return entries
  }

  /** Takes what came out of the device until `count` packets of this case are there. */
  async collect(count: number, packets: Uint8Array[] = [], poll: () => void = () => {}): Promise<Uint8Array[]> {
    await this.until(`${count} packets on the wire`, async () => {
      poll()
      await this.collectSome(packets)
      return packets.length >= count
    })
    return packets
  }

  async collectSome(packets: Uint8Array[]): Promise<void> {
    for (;;) {
      const packet = await this.wire.receive()
      if (packet === undefined) return
      if (sequenceOf(packet, this.run) >= 0) packets.push(packet)
    }
  }

  /** Copies a packet into a frame of its own and appends it to the burst, as one entry. */
  load(queue: NetQueue, burst: NetBurst, packet: Uint8Array, offset = this.offset(queue)): number {
    const frame = queue.pool.allocate()
    if (frame < 0) throw new Error('the pool is exhausted')
    queue.pool.bytes.set(packet, queue.pool.address(frame) + offset)
    burst.push(frame, offset, packet.length)
    return frame
  }

  /** The headroom, rounded up to what the device asks for. */
  offset(queue: NetQueue): number {
    const { transmitAlignment } = queue.capabilities
    const { headroom, base } = queue.pool
    return Math.ceil((base + headroom) / transmitAlignment) * transmitAlignment - base
  }

  /** Transmits packets in bursts of `size`, as often as it takes, and advances between. */
  async transmit(queue: NetQueue, packets: readonly Uint8Array[], size = 32): Promise<void> {
    const burst = this.burst(size)
    for (let at = 0; at < packets.length; at += size) {
      burst.count = 0
      for (const packet of packets.slice(at, at + size)) this.load(queue, burst, packet)
      let done = 0
      await this.until('room in the transmit ring', () => {
        done += queue.transmit(burst, done)
        return done === burst.count
      })
      if (burst.refused > 0) throw new Error(`${burst.refused} entries were refused`)
    }
  }

  /** Makes the queue free to be granted again, as a case does that wants it back at once. */
  close(queue: NetQueue): void {
    queue.detach()
    this.device.reclaim(queue.grant)
  }

  /** No longer checks a pool: its holder was killed, or its frames were given up on purpose. */
  abandon(pool: FramePool): void {
    this.#pools.delete(pool as DebugFramePool)
  }

  /** Gives everything back. @throws EFAULT when a frame is missing. */
  async finish(): Promise<void> {
    for (const worker of this.#workers) await worker.terminate()
    for (const queue of this.#queues) queue.detach()
    for (const grant of this.#grants) this.device.reclaim(grant)
    for (let packet = await this.wire.receive(); packet !== undefined; ) packet = await this.wire.receive()
    for (const pool of this.#pools) {
      const report = pool.report()
      if (report !== '') throw new Error(`frames were not given back:\n${report}`)
      assertNoLeaks(pool)
    }
  }
}
