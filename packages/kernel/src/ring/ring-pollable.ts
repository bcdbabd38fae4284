import type { WakeSource } from '@parakernel/hal'
import type { Pollable } from '../contracts.ts'
import type { RingConsumer } from './ring-consumer.ts'

/** Messages that one poll takes at most. */
export const RING_BATCH = 32

/** Polls a ring: `handle` gets the place in `ring.bytes` of each message, which is valid until it returns. */
export class RingPollable implements Pollable {
  readonly ring: RingConsumer
  readonly wake: WakeSource
  readonly label: string
  readonly #handle: (at: number) => void
  readonly #batch: number

  constructor(ring: RingConsumer, handle: (at: number) => void, batch = RING_BATCH, label = 'ring') {
    this.ring = ring
    this.wake = ring.wake
    this.#handle = handle
    this.#batch = batch
    this.label = label
  }

  poll(_now?: number, limit = Infinity): number {
    const { ring } = this
    const count = Math.min(this.#batch, limit)
    for (let i = 0; i < count; i++) {
      const at = ring.take()
      if (at < 0) break
      this.#handle(at)
    }
    return ring.release()
  }

  arm(): boolean {
    return this.ring.arm()
  }
}
