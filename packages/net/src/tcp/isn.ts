import type { RandomSource } from '../random.ts'
import { SipHash } from './hash/sip-hash.ts'
import type { Instant } from './segment.ts'

/** RFC 6528 section 3: the clock M of RFC 793 ticks every four microseconds. */
const TICK = 4000

/**
 * Initial sequence numbers and timestamp offsets that nobody can guess for a connection that is not his: a keyed hash of
 * the end points plus a clock (RFC 6528), so that a new incarnation of a connection begins behind the old one.
 */
export class InitialSequence {
  readonly #sequenceHash: SipHash
  readonly #timestampHash: SipHash
  readonly #words = new Int32Array(9)

  constructor(random: RandomSource) {
    this.#sequenceHash = SipHash.random(random)
    this.#timestampHash = SipHash.random(random)
  }

  /** @param ports both, in one int32 */
  next(local: Int32Array, remote: Int32Array, ports: number, now: Instant): number {
    this.#gather(local, remote, ports)
    // The time is a double; what counts is its ticks modulo 2^32.
    return (this.#sequenceHash.hash(this.#words, 9) + (Math.floor(now[0] / TICK) | 0)) | 0
  }

  /**
   * What a connection adds to its milliseconds (RFC 7323 section 5.4). The same for all connections between two hosts, so that
   * timestamps of a later one are later: TIME-WAIT can then be ended early (RFC 6191), and cookies need not remember it.
   */
  timestampOffset(local: Int32Array, remote: Int32Array): number {
    this.#gather(local, remote, 0)
    return this.#timestampHash.hash(this.#words, 8)
  }

  #gather(local: Int32Array, remote: Int32Array, ports: number): void {
    const words = this.#words
    for (let i = 0; i < 4; i++) {
      words[i] = local[i]
      words[4 + i] = remote[i]
    }
    words[8] = ports
  }
}
