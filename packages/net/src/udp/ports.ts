import { type RandomSource, randomBelow } from '../random.ts'

export interface EphemeralRange {
  readonly first: number
  readonly last: number
}

/** Which partition's ephemeral ports these are: port `first + i` belongs to partition `i % partitions`. */
export interface PortShare {
  readonly partition: number
  readonly partitions: number
}

/** RFC 6335 section 6. */
export const EPHEMERAL_FIRST = 49_152
export const EPHEMERAL_LAST = 65_535

/** Families of which a socket takes packets. */
export const SERVES_IPV4 = 1
export const SERVES_IPV6 = 2

/**
 * Sockets by local port: for each family a table of 65,536 int32, slot + 1 or 0, that the fast path indexes with what it read
 * from the header. A socket of IPv6 that serves both families stands in both. Where several sockets share a port, each bound to
 * an address of its own, the first one stands here.
 *
 * Ephemeral ports are chosen at random (RFC 6056 section 3.3.1), and, where several partitions share an address, among those of
 * the own share: a steering rule over the range (see `libos.steeringRules`) then brings each reply to the queue of its asker.
 */
export class PortTable {
  readonly slots = new Int32Array(65_536)
  /** The same of IPv6. */
  readonly slots6 = new Int32Array(65_536)
  readonly #range: EphemeralRange
  readonly #share: PortShare
  readonly #random: RandomSource

  constructor(range: EphemeralRange, share: PortShare, random: RandomSource) {
    this.#range = range
    this.#share = share
    this.#random = random
  }

  /** @param serves the families for which it is to be free */
  isFree(port: number, serves = SERVES_IPV4): boolean {
    const taken4 = (serves & SERVES_IPV4) !== 0 && this.slots[port] !== 0
    return !taken4 && ((serves & SERVES_IPV6) === 0 || this.slots6[port] === 0)
  }

  set(port: number, slot: number, serves = SERVES_IPV4): void {
    if ((serves & SERVES_IPV4) !== 0) this.slots[port] = slot + 1
    if ((serves & SERVES_IPV6) !== 0) this.slots6[port] = slot + 1
  }

  /** A free ephemeral port, or -1 when all of this partition's are taken. */
  ephemeral(serves = SERVES_IPV4): number {
    const { first, last } = this.#range
    const { partition, partitions } = this.#share
    const count = Math.floor((last - first - partition) / partitions) + 1
    if (count <= 0) return -1
    const start = randomBelow(this.#random, count)
    for (let i = 0; i < count; i++) {
      const port = first + partition + ((start + i) % count) * partitions
      if (this.isFree(port, serves)) return port
    }
    return -1
  }
}
