import type { FramePool } from '@parakernel/hal'
import { DatagramBurst, type NetworkLibOS, type QueueDescriptor } from '@parakernel/queue'
import { C_REPLY_DROPPED, type ServerCounters } from './counters.ts'

const CAPACITY = 64

/** Takes replies that are not the one reply in place to their datagram. */
export interface Replies {
  /** Takes over the caller's reference to `frame`. */
  add(frame: number, address: number, length: number, peerAddress: number, peerPort: number): void
  flush(): void
  /** For replies that go back to a partition: which. Set again before `add` for a reply that was held. */
  origin?: number
}

/**
 * Replies that are not the first to a datagram of the current burst: what did not fit in one, and what comes back from another
 * partition. Sent in bursts; what the device has no room for is dropped and counted, as UDP may, and the client asks again.
 */
export class Outbox implements Replies {
  readonly #libos: Pick<NetworkLibOS, 'sendDatagrams'>
  readonly #qd: QueueDescriptor
  readonly #pool: FramePool
  readonly #counters: ServerCounters
  readonly #burst = new DatagramBurst(CAPACITY)

  constructor(
    libos: Pick<NetworkLibOS, 'sendDatagrams'>,
    qd: QueueDescriptor,
    pool: FramePool,
    counters: ServerCounters,
  ) {
    this.#libos = libos
    this.#qd = qd
    this.#pool = pool
    this.#counters = counters
  }

  add(frame: number, address: number, length: number, peerAddress: number, peerPort: number): void {
    const burst = this.#burst
    if (burst.count === CAPACITY) this.flush()
    const i = burst.count++
    burst.frame[i] = frame
    burst.address[i] = address
    burst.length[i] = length
    burst.peerAddress[i] = peerAddress
    burst.peerPort[i] = peerPort
  }

  flush(): void {
    const burst = this.#burst
    if (burst.count === 0) return
    const sent = this.#libos.sendDatagrams(this.#qd, burst)
    for (let i = sent; i < burst.count; i++) this.#pool.release(burst.frame[i])
    this.#counters.values[C_REPLY_DROPPED] += burst.count - sent
    burst.count = 0
  }
}
