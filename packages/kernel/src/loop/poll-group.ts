import type { Pollable } from '../contracts.ts'
import type { StepTimer } from './stall-detector.ts'
import { BATCHES, batchClass } from './statistics.ts'

/** Work a round that one share stands for: a burst. */
export const WORK_A_SHARE = 32

/** What a group did since the loop was made. */
export interface GroupStatistics {
  readonly share: number
  readonly pollables: number
  readonly work: number
  /** Rounds in which it had used its share up before all of its pollables had had their turn. */
  readonly bounded: number
}

/**
 * The pollables of one scheduling group, which gets work by its share, as in deficit round robin (Shreedhar and Varghese, 1995):
 * what a poll did beyond the share is owed in the rounds that follow, what was not used is not saved.
 */
export class PollGroup {
  readonly name: string
  share: number
  readonly members: Pollable[] = []
  /** Indices of members that did something in the last round that went by shares: `busy` of them, in storage that is kept. */
  readonly #workers: number[] = []
  #busy = 0
  work = 0
  bounded = 0
  readonly #counts: Float64Array
  /** Work that one poll is asked for at most. */
  readonly #batch: number
  /** The member whose turn is next. */
  #next = 0
  #credit = 0
  /** Members in a row that had nothing to do in this round: when all had, it is over. */
  #quiet = 0

  constructor(name: string, share: number, batch: number, counts: Float64Array) {
    this.name = name
    this.share = share
    this.#batch = batch
    this.#counts = counts
  }

  statistics(): GroupStatistics {
    return { share: this.share, pollables: this.members.length, work: this.work, bounded: this.bounded }
  }

  remove(pollable: Pollable): boolean {
    const index = this.members.indexOf(pollable)
    if (index < 0) return false
    this.members.splice(index, 1)
    if (index < this.#next) this.#next--
    if (this.#quiet > 0) this.#quiet--
    return true
  }

  /** Draws the order of the round that comes; `random(n)` is an integer below n. */
  shuffle(random: (bound: number) => number): void {
    const { members } = this
    for (let i = members.length - 1; i > 0; i--) {
      const other = random(i + 1)
      const member = members[i]
      members[i] = members[other]
      members[other] = member
    }
    this.#next = 0
  }

  /**
   * Polls members in turn until the share is used up or nobody has anything left. Returns the work done; -1 when the group may do
   * nothing, since it did too much before.
   */
  pollShare(now: number, probe?: StepTimer): number {
    const { members } = this
    const budget = this.share * WORK_A_SHARE
    this.#busy = 0
    this.#credit = Math.min(this.#credit + budget, budget)
    if (this.#credit <= 0) return -1
    let work = 0
    this.#quiet = 0
    while (this.#quiet < members.length) {
      if (this.#credit <= 0) {
        this.bounded++
        break
      }
      if (this.#next >= members.length) this.#next = 0
      const member = members[this.#next++]
      const done = member.poll(now, Math.min(this.#batch, this.#credit))
      if (probe !== undefined) timeStep(probe, member)
      if (done > 0) {
        work += done
        this.#credit -= done
        this.#worked(this.#next - 1)
        this.#counts[BATCHES + batchClass(done)]++
        this.#quiet = 0
      } else if (members[this.#next - 1] === member) this.#quiet++
    }
    this.work += work
    return work
  }

  /** Labels of those that did something in the last round. */
  workers(): string[] {
    const indices = new Set(this.#workers.slice(0, this.#busy))
    return [...indices].flatMap((index) => this.members.slice(index, index + 1).map(labelOf))
  }

  #worked(index: number): void {
    if (this.#busy > 0 && this.#workers[this.#busy - 1] === index) return
    if (this.#busy < this.#workers.length) this.#workers[this.#busy] = index
    else this.#workers.push(index)
    this.#busy++
  }

  /** Nobody else had anything to do, so what is owed is owed to nobody. */
  forgive(): void {
    this.#credit = 0
  }
}

/** By itself: a closure in the loop over the members would be made for each of them, probe or not. */
function timeStep(probe: StepTimer, member: Pollable): void {
  probe.step(() => labelOf(member))
}

export function labelOf(pollable: Pollable): string {
  if (pollable.label !== undefined) return pollable.label
  const { name } = pollable.constructor
  return name === 'Object' || name === '' ? 'a pollable without a label' : name
}
