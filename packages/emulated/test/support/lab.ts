import {
  type Clock,
  createPlainWindow,
  DebugFramePool,
  END_OF_PACKET,
  type FramePool,
  type FrameWindowOptions,
  NetBurst,
  type NetQueue,
  VirtualClock,
} from '@parakernel/hal'
import {
  backend,
  createNetwork,
  type EmulatedNic,
  type Network,
  type NetworkOptions,
  type NicOptions,
} from '../../src/index.ts'

export interface Received {
  readonly bytes: Uint8Array
  readonly flags: number
  readonly entries: number
  readonly checksumStart: number
  readonly checksumOffset: number
  readonly segmentSize: number
  readonly headerLength: number
  readonly hash: number
  readonly vlan: number
  readonly timestamp: number
}

/** What a test asks of a packet that it sends. */
export interface Wanted {
  readonly flags?: number
  readonly checksumStart?: number
  readonly checksumOffset?: number
  readonly segmentSize?: number
  readonly headerLength?: number
  readonly vlan?: number
  /** Lengths of the entries that the packet is cut into; the rest is one more. */
  readonly cuts?: readonly number[]
}

/** A queue with its pool, in the test's own thread, on which packets are plain arrays. */
export class Station {
  readonly nic: EmulatedNic
  readonly pool: FramePool
  readonly queue: NetQueue
  readonly burst: NetBurst

  constructor(nic: EmulatedNic, queue: number, clock: Clock, window: Partial<FrameWindowOptions>) {
    const frames = createPlainWindow(window.frameCount ?? 1024, window)
    this.nic = nic
    this.pool = new DebugFramePool(frames)
    this.queue = backend.attach(nic.grant(queue, frames), { pool: this.pool, clock })
    this.burst = new NetBurst(64, nic.capabilities.columns)
  }

  /** Transmits one packet; answers how many entries were consumed, -1 when the packet was refused. */
  send(packet: Uint8Array, wanted: Wanted = {}): number {
    const { burst, pool } = this
    burst.count = 0
    let at = 0
    for (const cut of [...(wanted.cuts ?? []), packet.length]) {
      const part = packet.subarray(at, Math.min(packet.length, at + cut))
      at += part.length
      if (part.length === 0) continue
      const frame = pool.allocate()
      pool.bytes.set(part, pool.address(frame) + 64)
      burst.push(frame, 64, part.length)
      burst.flags[burst.count - 1] = 0
    }
    burst.flags[burst.count - 1] |= END_OF_PACKET
    burst.flags[0] |= wanted.flags ?? 0
    for (const column of ['checksumStart', 'checksumOffset', 'segmentSize', 'headerLength', 'vlan'] as const) {
      burst[column][0] = wanted[column] ?? 0
    }
    const entries = burst.count
    const frames = [...burst.frame.subarray(0, entries)]
    const done = this.queue.transmit(burst)
    if (done < entries || burst.refused > 0) for (const frame of frames) pool.release(frame)
    return burst.refused > 0 ? -1 : done
  }

  /** Everything that is there to be received. */
  receive(): Received[] {
    const packets: Received[] = []
    while (this.queue.receive(this.burst) > 0) packets.push(...this.#take())
    return packets
  }

  #take(): Received[] {
    const { burst, pool } = this
    const packets: Received[] = []
    for (let first = 0, i = 0; i < burst.count; i++) {
      if ((burst.flags[i] & END_OF_PACKET) === 0) continue
      const parts: Uint8Array[] = []
      for (let n = first; n <= i; n++) {
        const start = pool.address(burst.frame[n]) + burst.offset[n]
        parts.push(pool.bytes.slice(start, start + burst.length[n]))
        pool.release(burst.frame[n])
      }
      packets.push({
        bytes: new Uint8Array(Buffer.concat(parts)),
        flags: burst.flags[first],
        entries: parts.length,
        checksumStart: burst.checksumStart[first] ?? 0,
        checksumOffset: burst.checksumOffset[first] ?? 0,
        segmentSize: burst.segmentSize[first] ?? 0,
        headerLength: burst.headerLength[first] ?? 0,
        hash: burst.hash[first] ?? 0,
        vlan: burst.vlan[first] ?? 0,
        timestamp: burst.timestamp[first] ?? 0,
      })
      first = i + 1
    }
    return packets
  }
}

/** A network under a virtual clock, and stations on it. */
export class Lab implements AsyncDisposable {
  readonly clock = new VirtualClock()
  readonly network: Network
  readonly stations: Station[] = []

  constructor(options: NetworkOptions = {}) {
    this.network = createNetwork({ clock: this.clock, memory: 256 * 1024 * 1024, ...options })
  }

  /** A NIC with all its queues attached. */
  nic(options: NicOptions = {}, window: Partial<FrameWindowOptions> = {}): Station[] {
    const nic = this.network.nic({ ringSize: 128, ...options })
    const stations = Array.from({ length: nic.queues }, (_, queue) => new Station(nic, queue, this.clock, window))
    this.stations.push(...stations)
    return stations
  }

  /** A NIC with one queue. */
  station(options: NicOptions = {}, window: Partial<FrameWindowOptions> = {}): Station {
    return this.nic(options, window)[0]
  }

  /** Detaches everything and insists that no frame is missing. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { queue } of this.stations) queue.detach()
    await this.network.close()
    for (const { pool } of this.stations) {
      if (pool.available !== pool.frameCount) throw new Error((pool as DebugFramePool).report())
    }
  }
}
