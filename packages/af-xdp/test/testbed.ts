import {
  type AttachContext,
  createPlainWindow,
  DebugFramePool,
  MonotonicClock,
  NetBurst,
  type NetQueue,
} from '@parakernel/hal'
import { createVethPair, LinuxHost, type VethPair, type VethPairOptions } from '@parakernel/linux'
import { AfXdpDevice, type AfXdpOptions, backend } from '../src/index.ts'

export const clock = new MonotonicClock()

/** What a test makes of pairs, devices and queues; `close` gives all of it back. */
export class Testbed {
  readonly context = { clock, host: new LinuxHost(), warn: (message: string) => void this.warnings.push(message) }
  readonly warnings: string[] = []
  readonly #pairs: VethPair[] = []
  readonly #devices: AfXdpDevice[] = []

  pair(options: VethPairOptions): VethPair {
    const pair = createVethPair(options)
    this.#pairs.push(pair)
    return pair
  }

  async open(options: AfXdpOptions): Promise<AfXdpDevice> {
    const device = (await backend.open(options, this.context)) as AfXdpDevice
    this.#devices.push(device)
    return device
  }

  /** As `open`, without a turn of the loop in between: for use inside a namespace. */
  openNow(options: AfXdpOptions): AfXdpDevice {
    const device = new AfXdpDevice(options, this.context, new URL('../src/backend.ts', import.meta.url).href)
    this.#devices.push(device)
    return device
  }

  /** Grants and attaches in this thread, with a pool of its own. */
  attach(device: AfXdpDevice, queue = 0, frames = 512): NetQueue {
    const window = createPlainWindow(frames)
    const context: AttachContext = { pool: new DebugFramePool(window), clock }
    return backend.attach(device.grant(queue, window), context)
  }

  async close(): Promise<void> {
    for (const device of this.#devices) await device.close()
    for (const pair of this.#pairs) pair.remove()
  }
}

export const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** Waits until `done`. Throws after `limit` milliseconds, naming `what`. */
export async function until(what: string, done: () => boolean, limit = 5000): Promise<void> {
  const end = performance.now() + limit
  while (!done()) {
    if (performance.now() > end) throw new Error(`waited ${limit} ms for ${what}`)
    await pause(1)
  }
}

/** Receives what is there, hands each frame's bytes to `visit`, releases all; returns how many. */
export function drain(queue: NetQueue, visit: (bytes: Uint8Array) => void = () => {}): number {
  const burst = new NetBurst(64)
  let total = 0
  while (queue.receive(burst) > 0) {
    for (let i = 0; i < burst.count; i++) {
      const start = queue.pool.address(burst.frame[i]) + burst.offset[i]
      visit(queue.pool.bytes.subarray(start, start + burst.length[i]))
      queue.pool.release(burst.frame[i])
    }
    total += burst.count
  }
  return total
}

/** Transmits one frame's bytes; false when the ring is full. */
export function send(queue: NetQueue, bytes: Uint8Array): boolean {
  const burst = new NetBurst(1)
  const frame = queue.pool.allocate()
  queue.pool.bytes.set(bytes, queue.pool.address(frame) + queue.pool.headroom)
  burst.push(frame, queue.pool.headroom, bytes.length)
  if (queue.transmit(burst) === 1 && burst.refused === 0) return true
  queue.pool.release(frame)
  return false
}
