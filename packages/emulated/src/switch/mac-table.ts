import { MAC_ENTRIES, MAC_ENTRY_WORDS } from '../shared/layout.ts'
import type { NetworkMemory } from '../shared/network-memory.ts'

/** Slots that a look-up visits at most. */
const PROBES = 16

// An entry: first four bytes of the address | USED, port + 1 (15 bits), last two bytes | milliseconds when last seen.
const ADDRESS = 0
const STATE = 1
const SEEN = 2
const USED = 1 << 31
/** The port field while somebody writes the entry; also of an entry whose writer died. */
const CLAIMED_PORT = 0x7fff
const CLAIMED = USED | (CLAIMED_PORT << 16)

/**
 * The switch's address table, in shared memory: every transmitter reads it for each packet and learns its own source addresses.
 * Open addressing. Without locks, so that a thread that is killed in the middle leaves at worst one useless slot:
 *
 * - a slot is claimed by compare-and-swap, and valid from the store of its state word, which comes last;
 * - a station that moves to another port is one store; one whose port is gone keeps its slot with port 0 (unknown: flood);
 * - a slot is taken over only when none of the 16 is free: the unknown one, else the one not seen for longest.
 *
 * A reader may at worst send one packet to a port where the station no longer is.
 */
export class MacTable {
  readonly #words: Int32Array
  readonly #base: number
  readonly #agingMs: number

  constructor(memory: NetworkMemory) {
    this.#words = memory.words
    this.#base = memory.layout.macTable
    this.#agingMs = memory.reference.agingMs
  }

  /** Port of the address whose first four bytes are `a` and last two `b` (little-endian); -1 when not known. */
  lookup(a: number, b: number, nowMs: number): number {
    const words = this.#words
    let slot = slotOf(a, b)
    for (let n = 0; n < PROBES; n++) {
      const at = this.#base + slot * MAC_ENTRY_WORDS
      const state = words[at + STATE]
      if (state === 0) return -1
      if ((state & 0xffff) === b && words[at + ADDRESS] === a) {
        const port = (state >>> 16) & 0x7fff
        if (port === CLAIMED_PORT) return -1
        return this.#agingMs > 0 && nowMs - words[at + SEEN] > this.#agingMs ? -1 : port - 1
      }
      slot = (slot + 1) & (MAC_ENTRIES - 1)
    }
    return -1
  }

  /** Notes that the address was seen at `port`; true when that is news. */
  learn(a: number, b: number, port: number, nowMs: number): boolean {
    const words = this.#words
    let slot = slotOf(a, b)
    let victim = -1
    let victimSeen = 0
    for (let n = 0; n < PROBES; n++) {
      const at = this.#base + slot * MAC_ENTRY_WORDS
      const state = Atomics.load(words, at + STATE)
      if (state === 0) return this.#write(at, 0, a, b, port, nowMs)
      const owner = (state >>> 16) & 0x7fff
      if ((state & 0xffff) === b && words[at + ADDRESS] === a && owner !== CLAIMED_PORT) {
        words[at + SEEN] = nowMs
        if (owner === port + 1) return false
        Atomics.store(words, at + STATE, stateOf(b, port + 1))
        return true
      }
      const seen = owner === 0 ? Number.NEGATIVE_INFINITY : words[at + SEEN]
      if (owner !== CLAIMED_PORT && (victim < 0 || seen < victimSeen)) {
        victim = at
        victimSeen = seen
      }
      slot = (slot + 1) & (MAC_ENTRIES - 1)
    }
    return victim >= 0 && this.#write(victim, words[victim + STATE], a, b, port, nowMs)
  }

  /** Forgets where the stations of a port are: it went down, or away. */
  forget(port: number): void {
    for (let slot = 0; slot < MAC_ENTRIES; slot++) {
      const at = this.#base + slot * MAC_ENTRY_WORDS + STATE
      const state = this.#words[at]
      if (state !== 0 && ((state >>> 16) & 0x7fff) === port + 1) {
        Atomics.compareExchange(this.#words, at, state, stateOf(state & 0xffff, 0))
      }
    }
  }

  /** A rival that claimed the slot first wins; the address is then learned from a later packet. */
  #write(at: number, before: number, a: number, b: number, port: number, nowMs: number): boolean {
    if (Atomics.compareExchange(this.#words, at + STATE, before, CLAIMED) !== before) return false
    this.#words[at + ADDRESS] = a
    this.#words[at + SEEN] = nowMs
    Atomics.store(this.#words, at + STATE, stateOf(b, port + 1))
    return true
  }
}

function stateOf(b: number, port: number): number {
  return USED | (port << 16) | b
}

function slotOf(a: number, b: number): number {
  return Math.imul(a ^ Math.imul(b, 0x9e37_79b1), 0x85eb_ca6b) >>> 20
}
