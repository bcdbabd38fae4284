import { ParakernelError, type WakeSource, type WakeWord } from '@parakernel/hal'
import type { Pollable } from '../contracts.ts'
import { lowestBit, ReadyFlags } from './ready-flags.ts'

const BITS = 5
const WIDTH = 1 << BITS

/**
 * Many pollables of which few have work at a time, as one: a round costs what those cost that are ready, not what there are.
 * Whoever makes work for a member raises its flag, then notifies the set's wake word; a member is polled from then on until it
 * has nothing to do. So it needs no `arm`, and must not wait for a time of its own (`nextEvent`).
 */
export class ReadySet implements Pollable {
  readonly wake: WakeSource
  readonly #label: string
  readonly #flags: ReadyFlags
  /** By the index of its flag. */
  readonly #members: (Pollable | undefined)[]
  /** Flags that were taken, and members that did something when they were last polled. */
  readonly #active: Int32Array
  /** One bit a word of `#active` that is not 0. */
  #summary = 0
  /** Where the next poll starts, so that a crowd at the front does not hold up the rest. */
  #next = 0
  #worker = -1

  /** @param flags shared memory of `readyFlagsBuffer` */
  constructor(flags: SharedArrayBuffer, wake: WakeWord, label = 'ready set') {
    this.#flags = new ReadyFlags(flags)
    this.wake = { kind: 'word', word: wake }
    this.#label = label
    this.#members = new Array<Pollable | undefined>(this.#flags.count).fill(undefined)
    this.#active = new Int32Array(this.#flags.count >> BITS)
  }

  /** With the member that worked last: what a report about this set should name. */
  get label(): string {
    const member = this.#members[this.#worker]
    return member === undefined ? this.#label : `${this.#label}: ${member.label ?? `member ${this.#worker}`}`
  }

  /** Joins under the flag `index`, and is polled once at least. @throws EINVAL for a flag that is none, EBUSY for one in use */
  add(index: number, member: Pollable): void {
    const subject = this.#label
    if (!(Number.isInteger(index) && index >= 0 && index < this.#members.length)) {
      throw new ParakernelError('EINVAL', `there is no flag ${index} of ${this.#members.length}`, { subject })
    }
    if (this.#members[index] !== undefined) {
      throw new ParakernelError('EBUSY', `flag ${index} has a pollable`, { subject, remedy: 'Remove that one first' })
    }
    if (member.nextEvent !== undefined) {
      throw new ParakernelError('EINVAL', 'a pollable with events of its own raises no flag for them', {
        subject,
        remedy: 'Add it to the loop',
      })
    }
    this.#members[index] = member
    this.#flags.raise(index)
  }

  remove(index: number): void {
    this.#members[index] = undefined
  }

  poll(now: number, limit = Infinity): number {
    if (this.#flags.any) this.#summary |= this.#flags.take(this.#active)
    if (this.#summary === 0) return 0
    const first = this.#next
    const work = this.#visit(first, this.#members.length, now, limit)
    return work >= limit ? work : work + this.#visit(0, first, now, limit - work)
  }

  arm(): boolean {
    return this.#summary !== 0 || this.#flags.any
  }

  /** Polls the ready members from one index up to another, `limit` work at most. */
  #visit(from: number, to: number, now: number, limit: number): number {
    const active = this.#active
    let work = 0
    let index = from
    while (index < to) {
      const word = index >> BITS
      const bits = active[word] & (-1 << (index & (WIDTH - 1)))
      if (bits === 0) {
        if (active[word] === 0) this.#summary &= ~(1 << word)
        // On to the next word that has any; a shift by 32 would be one by 0.
        const later = word === WIDTH - 1 ? 0 : this.#summary & (-1 << (word + 1))
        if (later === 0) break
        index = lowestBit(later) << BITS
        continue
      }
      index = (word << BITS) | lowestBit(bits)
      if (index >= to) break
      const done = this.#members[index]?.poll(now, limit - work) ?? 0
      if (done > 0) {
        this.#worker = index
        work += done
      } else {
        active[word] &= ~(1 << (index & (WIDTH - 1)))
        if (active[word] === 0) this.#summary &= ~(1 << word)
      }
      index++
      this.#next = index < this.#members.length ? index : 0
      if (work >= limit) break
    }
    return work
  }
}
