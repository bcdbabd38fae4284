import type { RandomSource } from '../random.ts'

const SECOND = 1e9

/** RFC 5227 section 1.1, in nanoseconds where they are times. */
const PROBE_WAIT = 1 * SECOND
const PROBE_NUM = 3
const PROBE_MIN = 1 * SECOND
const PROBE_MAX = 2 * SECOND
const ANNOUNCE_WAIT = 2 * SECOND
const ANNOUNCE_NUM = 2
const ANNOUNCE_INTERVAL = 2 * SECOND
const DEFEND_INTERVAL = 10 * SECOND

/**
 * Life of our address:
 *
 *     probing --(3 probes, nobody answers)--> announcing --(2 announcements)--> settled
 *        |                                        |                               |
 *        +---------- somebody has it -------------+-- and policy is to yield -----+--> lost
 */
export type AddressState = 'probing' | 'announcing' | 'settled' | 'lost'

/** How an address is taken, and what happens when another host uses it too (RFC 5227 section 2.4). */
export interface ConflictPolicy {
  /** Probe before use (section 2.1); else the address is announced at once. */
  readonly probe: boolean
  /** Announce at all. Partitions that share an address leave it to the first. */
  readonly announce: boolean
  /** True: keep the address and defend it, at most once in 10 s (rule c). False: defend once, then give it up (rule b). */
  readonly defend: boolean
}

export interface ConflictEffects {
  /** Sends an ARP probe: a request for our address from 0.0.0.0. */
  probe(): void
  /** Sends an ARP announcement: a gratuitous request (section 2.3). */
  announce(): void
  /** The address must not be used any longer. */
  lost(): void
}

/** Detection and defence of an address conflict (RFC 5227), without clock or device. */
export class AddressConflict {
  state: AddressState
  readonly #policy: ConflictPolicy
  readonly #random: RandomSource
  readonly #effects: ConflictEffects
  #next: number
  #sent = 0
  #defended = Number.NEGATIVE_INFINITY

  constructor(policy: ConflictPolicy, random: RandomSource, effects: ConflictEffects, now: number) {
    this.#policy = policy
    this.#random = random
    this.#effects = effects
    if (policy.probe) {
      this.state = 'probing'
      this.#next = now + this.#between(0, PROBE_WAIT)
    } else {
      this.state = policy.announce ? 'announcing' : 'settled'
      this.#next = policy.announce ? now : Number.POSITIVE_INFINITY
    }
  }

  /** Whether we may send from the address and answer for it. */
  get usable(): boolean {
    return this.state === 'announcing' || this.state === 'settled'
  }

  /**
   * Another host's ARP packet claims our address: its sender address is ours, or, while probing, it probes for the same one
   * (section 2.1.1).
   */
  conflict(now: number): void {
    if (this.state === 'lost') return
    const recent = now - this.#defended < DEFEND_INTERVAL
    if (this.state === 'probing' || (recent && !this.#policy.defend)) {
      this.state = 'lost'
      this.#next = Number.POSITIVE_INFINITY
      this.#effects.lost()
      return
    }
    if (recent) return
    this.#defended = now
    this.#effects.announce()
  }

  poll(now: number): void {
    if (now < this.#next) return
    if (this.state === 'probing') {
      if (this.#sent < PROBE_NUM) {
        this.#sent++
        this.#effects.probe()
        this.#next = now + (this.#sent < PROBE_NUM ? this.#between(PROBE_MIN, PROBE_MAX) : ANNOUNCE_WAIT)
        return
      }
      this.state = 'announcing'
      this.#sent = 0
    }
    this.#sent++
    this.#effects.announce()
    if (this.#sent < ANNOUNCE_NUM) {
      this.#next = now + ANNOUNCE_INTERVAL
    } else {
      this.state = 'settled'
      this.#next = Number.POSITIVE_INFINITY
    }
  }

  nextEvent(): number {
    return this.#next
  }

  #between(least: number, most: number): number {
    return least + (this.#random.next() / 0x1_0000_0000) * (most - least)
  }
}
