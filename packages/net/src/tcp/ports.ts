import { type RandomSource, randomBelow } from '../random.ts'
import type { EphemeralRange, PortShare } from '../udp/ports.ts'
import { ABSENT, type ConnectionTable } from './connection-table.ts'
import { SipHash } from './hash/sip-hash.ts'

/** Counters of RFC 6056's table T; a power of two. */
const COUNTERS = 1024

/** Which local ports bring the peer's answers to us, where a device spreads packets over several partitions. */
export interface PortConstraint {
  allows(local: Int32Array, remote: Int32Array, localPort: number, remotePort: number): boolean
}

/**
 * Ephemeral ports by double hashing (RFC 6056 section 3.3.4, algorithm 4): a keyed hash of the peer gives the start, and a counter
 * for each of many peers the step, so that ports look random to one who does not know the key, and one peer sees each
 * port again only after all others. A port may serve several peers at once: only the pair of end points is unique.
 */
export class EphemeralPorts {
  readonly #range: EphemeralRange
  readonly #share: PortShare
  readonly #constraint: PortConstraint | undefined
  readonly #offsets: SipHash
  readonly #steps: SipHash
  readonly #counters = new Uint32Array(COUNTERS)
  readonly #words = new Int32Array(9)

  /** @param share used where there is no `constraint`: port `first + i` is partition `i % partitions`'s */
  constructor(range: EphemeralRange, share: PortShare, random: RandomSource, constraint?: PortConstraint) {
    this.#range = range
    this.#share = constraint === undefined ? share : { partition: 0, partitions: 1 }
    this.#constraint = constraint
    this.#offsets = SipHash.random(random)
    this.#steps = SipHash.random(random)
    for (let i = 0; i < COUNTERS; i++) this.#counters[i] = randomBelow(random, 0x1_0000)
  }

  /**
   * A port that is free towards this peer, or -1 when there is none: every port is tried once.
   * @param taken ports that sockets have bound for themselves: not 0 at a port's index
   */
  choose(
    local: Int32Array,
    remote: Int32Array,
    remotePort: number,
    connections: ConnectionTable,
    taken: Int32Array,
  ): number {
    const { first, last } = this.#range
    const { partition, partitions } = this.#share
    const count = Math.floor((last - first - partition) / partitions) + 1
    if (count <= 0) return -1
    const words = this.#words
    for (let i = 0; i < 4; i++) {
      words[i] = local[i]
      words[4 + i] = remote[i]
    }
    words[8] = remotePort
    const offset = (this.#offsets.hash(words, 9) >>> 0) % count
    const counter = this.#steps.hash(words, 9) & (COUNTERS - 1)
    for (let tries = 0; tries < count; tries++) {
      const port = first + partition + ((offset + this.#counters[counter]) % count) * partitions
      this.#counters[counter]++
      if (taken[port] !== 0) continue
      if (connections.find(local, remote, (remotePort << 16) | port) !== ABSENT) continue
      if (this.#constraint?.allows(local, remote, port, remotePort) ?? true) return port
    }
    return -1
  }
}
