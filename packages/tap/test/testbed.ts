import {
  createPlainWindow,
  DebugFramePool,
  type FramePool,
  MonotonicClock,
  NetBurst,
  type NetQueue,
} from '@parakernel/hal'
import { createLabNamespace, type LabNamespace, LinuxHost } from '@parakernel/linux'
import { backend, type TapDevice, type TapOptions } from '../src/index.ts'
import { TapWire } from './tap-wire.ts'

export const clock = new MonotonicClock()
let made = 0

/** A namespace with what a test opens in it; `close` gives all of it back. */
export class Testbed {
  readonly lab: LabNamespace = createLabNamespace({ label: `t${(made++ % 1296).toString(36)}` })
  readonly warnings: string[] = []
  readonly context = { clock, host: new LinuxHost(), warn: (message: string) => void this.warnings.push(message) }
  readonly #devices: TapDevice[] = []
  readonly #wires: TapWire[] = []

  async open(options: Partial<TapOptions> = {}): Promise<TapDevice> {
    const all = { interface: 'tap0', namespace: this.lab.namespace, ...options }
    const device = (await backend.open(all, this.context)) as TapDevice
    this.#devices.push(device)
    return device
  }

  /** A second TAP, joined to the device by a bridge. */
  wire(device: TapDevice, offloads?: number): TapWire {
    const wire = new TapWire(this.lab, 'wire', offloads)
    this.#wires.push(wire)
    this.lab.ip(
      'link add br0 type bridge stp_state 0 mcast_snooping 0',
      'link set br0 addrgenmode none',
      'link set br0 up',
      `link set ${device.name} master br0`,
      'link set wire master br0',
    )
    return wire
  }

  attach(device: TapDevice, queue = 0, frames = 512, pool?: FramePool): NetQueue {
    const window = pool?.window ?? createPlainWindow(frames)
    return backend.attach(device.grant(queue, window), { pool: pool ?? new DebugFramePool(window), clock })
  }

  async close(): Promise<void> {
    for (const device of this.#devices) await device.close()
    for (const wire of this.#wires) wire.close()
    this.lab.remove()
  }
}

export const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** Waits until `done`. Throws after `limit` milliseconds, naming `what`. */
export async function until(what: string, done: () => boolean, limit = 20_000): Promise<void> {
  const end = performance.now() + limit
  while (!done()) {
    if (performance.now() > end) throw new Error(`waited ${limit} ms for ${what}`)
    await pause(1)
  }
}

/** A burst with all columns of the queue's device. */
export const burstFor = (queue: NetQueue, capacity = 64) => new NetBurst(capacity, queue.capabilities.columns)

/** Copies bytes into fresh frames, as many as they need, and appends them as one packet; returns its first entry. */
export function load(queue: NetQueue, burst: NetBurst, bytes: Uint8Array): number {
  const { pool } = queue
  const room = pool.frameSize - pool.headroom
  const first = burst.count
  for (let at = 0; at < bytes.length; at += room) {
    const frame = pool.allocate()
    if (frame < 0) throw new Error('the pool is exhausted')
    const piece = bytes.subarray(at, at + room)
    pool.bytes.set(piece, pool.address(frame) + pool.headroom)
    burst.push(frame, pool.headroom, piece.length)
    if (at + room < bytes.length) burst.flags[burst.count - 1] = 0
  }
  return first
}

/** The bytes of entries `from` to `to` of a burst, joined. */
export function bytesOf(queue: NetQueue, burst: NetBurst, from = 0, to = burst.count): Uint8Array {
  const pieces: Uint8Array[] = []
  for (let i = from; i < to; i++) {
    const start = queue.pool.address(burst.frame[i]) + burst.offset[i]
    pieces.push(queue.pool.bytes.slice(start, start + burst.length[i]))
  }
  return new Uint8Array(Buffer.concat(pieces))
}

export function release(queue: NetQueue, burst: NetBurst): void {
  for (let i = 0; i < burst.count; i++) queue.pool.release(burst.frame[i])
  burst.count = 0
}
