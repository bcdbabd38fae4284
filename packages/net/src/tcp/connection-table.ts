import type { RandomSource } from '../random.ts'
import { HalfSipHash } from './hash/half-sip-hash.ts'

/** The address of an IPv4 host as four words: `::ffff:a.b.c.d`. */
const MAPPED = 0xffff

// An entry's words
const LOCAL = 0
const REMOTE = 4
const PORTS = 8
const VALUE = 9
const HASH = 10
const STRIDE = 11

const FIRST_CAPACITY = 16
/** No such entry, and no value. */
export const ABSENT = -1

/**
 * Finds what belongs to a pair of end points, of either family: a hash table over the words of both addresses and both ports,
 * with open addressing by linear probing. The hash has a secret key, so that nobody can choose ports that all fall into one
 * place. An entry that goes is filled by those behind it (Knuth, volume 3, algorithm 6.4 R): no tombstones, so
 * probes stay short however often connections come and go. At most half of the places are taken.
 *
 * `ports` is the remote port in the upper half and the local one in the lower, as a received header has them. Values are
 * int32 of the caller's, 0 or more. Look-ups allocate nothing.
 */
export class ConnectionTable {
  count = 0
  readonly #hash: HalfSipHash
  /** Entry + 1 by place; 0 is free. Twice as many as entries. */
  #places = new Int32Array(FIRST_CAPACITY * 2)
  #entries = new Int32Array(FIRST_CAPACITY * STRIDE)
  /** Free entries, linked by their value word. */
  #free = 0
  /** Where the last look-up ended: segments come in trains. */
  #last = 0

  constructor(random: RandomSource) {
    this.#hash = HalfSipHash.random(random)
    this.#linkFree(0)
  }

  /** Value for two IPv4 end points, or `ABSENT`. */
  find4(local: number, remote: number, ports: number): number {
    const entries = this.#entries
    const last = this.#last
    if (
      entries[last + LOCAL + 3] === local &&
      entries[last + REMOTE + 3] === remote &&
      entries[last + PORTS] === ports &&
      entries[last + LOCAL + 2] === MAPPED &&
      this.#isMapped(last)
    ) {
      return entries[last + VALUE]
    }
    const places = this.#places
    const mask = places.length - 1
    const hash = this.#hash.hash4(local, remote, ports)
    for (let place = hash & mask; places[place] !== 0; place = (place + 1) & mask) {
      const at = (places[place] - 1) * STRIDE
      if (
        entries[at + HASH] === hash &&
        entries[at + LOCAL + 3] === local &&
        entries[at + REMOTE + 3] === remote &&
        entries[at + PORTS] === ports &&
        this.#isMapped(at)
      ) {
        this.#last = at
        return entries[at + VALUE]
      }
    }
    return ABSENT
  }

  /** Value for two end points of either family, or `ABSENT`. */
  find(local: Int32Array, remote: Int32Array, ports: number): number {
    const place = this.#placeOf(local, remote, ports)
    return place < 0 ? ABSENT : this.#entries[(this.#places[place] - 1) * STRIDE + VALUE]
  }

  /** The pair is not in the table. */
  insert(local: Int32Array, remote: Int32Array, ports: number, value: number): void {
    if (this.#free < 0) this.#grow()
    const at = this.#free
    const entries = this.#entries
    this.#free = entries[at + VALUE]
    for (let i = 0; i < 4; i++) {
      entries[at + LOCAL + i] = local[i]
      entries[at + REMOTE + i] = remote[i]
    }
    entries[at + PORTS] = ports
    entries[at + VALUE] = value
    entries[at + HASH] = this.#hashOf(local, remote, ports)
    this.#occupy(at)
    this.count++
  }

  /** Gives an entry another value; false when there is none. */
  replace(local: Int32Array, remote: Int32Array, ports: number, value: number): boolean {
    const place = this.#placeOf(local, remote, ports)
    if (place < 0) return false
    this.#entries[(this.#places[place] - 1) * STRIDE + VALUE] = value
    return true
  }

  /** False when there is no such entry. */
  remove(local: Int32Array, remote: Int32Array, ports: number): boolean {
    const place = this.#placeOf(local, remote, ports)
    if (place < 0) return false
    const places = this.#places
    const entries = this.#entries
    const mask = places.length - 1
    const gone = (places[place] - 1) * STRIDE
    // Port 0 is nobody's: the entry answers no look-up any more, the cached one included.
    entries[gone + PORTS] = 0
    entries[gone + VALUE] = this.#free
    this.#free = gone
    let hole = place
    for (let next = (place + 1) & mask; places[next] !== 0; next = (next + 1) & mask) {
      const home = entries[(places[next] - 1) * STRIDE + HASH] & mask
      // It may move into the hole unless its home lies behind it.
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        places[hole] = places[next]
        hole = next
      }
    }
    places[hole] = 0
    this.count--
    return true
  }

  /** Longest run of places that a look-up may go through, for tests and statistics. */
  get longestProbe(): number {
    const places = this.#places
    const mask = places.length - 1
    let longest = 0
    for (let place = 0; place <= mask; place++) {
      if (places[place] === 0) continue
      const home = this.#entries[(places[place] - 1) * STRIDE + HASH] & mask
      longest = Math.max(longest, ((place - home) & mask) + 1)
    }
    return longest
  }

  #placeOf(local: Int32Array, remote: Int32Array, ports: number): number {
    const places = this.#places
    const entries = this.#entries
    const mask = places.length - 1
    const hash = this.#hashOf(local, remote, ports)
    for (let place = hash & mask; places[place] !== 0; place = (place + 1) & mask) {
      const at = (places[place] - 1) * STRIDE
      if (entries[at + HASH] === hash && entries[at + PORTS] === ports && this.#matches(at, local, remote)) return place
    }
    return -1
  }

  #matches(at: number, local: Int32Array, remote: Int32Array): boolean {
    const entries = this.#entries
    for (let i = 0; i < 4; i++) {
      if (entries[at + LOCAL + i] !== local[i] || entries[at + REMOTE + i] !== remote[i]) return false
    }
    return true
  }

  #isMapped(at: number): boolean {
    const entries = this.#entries
    return (
      entries[at + LOCAL + 2] === MAPPED &&
      entries[at + REMOTE + 2] === MAPPED &&
      (entries[at + LOCAL] | entries[at + LOCAL + 1] | entries[at + REMOTE] | entries[at + REMOTE + 1]) === 0
    )
  }

  #hashOf(local: Int32Array, remote: Int32Array, ports: number): number {
    const mapped = local[2] === MAPPED && remote[2] === MAPPED && (local[0] | local[1] | remote[0] | remote[1]) === 0
    return mapped ? this.#hash.hash4(local[3], remote[3], ports) : this.#hash.hash6(local, remote, ports)
  }

  #occupy(at: number): void {
    const places = this.#places
    const mask = places.length - 1
    let place = this.#entries[at + HASH] & mask
    while (places[place] !== 0) place = (place + 1) & mask
    places[place] = at / STRIDE + 1
  }

  #grow(): void {
    const old = this.#entries
    const used = old.length / STRIDE
    this.#entries = new Int32Array(old.length * 2)
    this.#entries.set(old)
    this.#places = new Int32Array(used * 4)
    // It grows only when every entry is in use.
    for (let entry = 0; entry < used; entry++) this.#occupy(entry * STRIDE)
    this.#linkFree(used)
  }

  #linkFree(from: number): void {
    const entries = this.#entries
    this.#free = -1
    for (let at = entries.length - STRIDE; at >= from * STRIDE; at -= STRIDE) {
      entries[at + VALUE] = this.#free
      this.#free = at
    }
  }
}
