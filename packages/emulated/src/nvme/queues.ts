import type { EmulatedBus } from './bus.ts'
import { offsetIn } from './bus.ts'

/** A command that was fetched. */
export interface FetchedCommand {
  readonly queue: SubmissionQueue
  readonly identifier: number
  readonly opcode: number
  readonly words: Int32Array
  /** Nanoseconds at which it is done. */
  due: number
  /** It is never done by itself. */
  hung: 'no' | 'until-abort' | 'for-ever'
}

export class CompletionQueue {
  readonly number: number
  readonly entries: number
  readonly address: number
  /** -1: no interrupts. */
  readonly vector: number
  /** Submission queues that complete here. */
  users = 0
  head = 0
  tail = 0
  phase = 1
  /** Entries that found no room, as four words each. */
  readonly waiting: Int32Array[] = []

  constructor(number: number, entries: number, address: number, vector: number) {
    this.number = number
    this.entries = entries
    this.address = address
    this.vector = vector
  }

  get full(): boolean {
    return (this.tail + 1) % this.entries === this.head
  }

  /** Entries that the host has not taken yet. */
  get filled(): number {
    return (this.tail - this.head + this.entries) % this.entries
  }

  /** Writes an entry, the phase bit last; false when the bus does not reach the queue. */
  write(bus: EmulatedBus, entry: Int32Array): boolean {
    const address = this.address + this.tail * 16
    const reach = bus.find(address, 16)
    if (reach === undefined) return false
    const at = offsetIn(reach, address) >>> 2
    reach.words[at] = entry[0]
    reach.words[at + 1] = entry[1]
    reach.words[at + 2] = entry[2]
    Atomics.store(reach.words, at + 3, (entry[3] & ~0x1_0000) | (this.phase << 16))
    this.tail = (this.tail + 1) % this.entries
    if (this.tail === 0) this.phase ^= 1
    return true
  }
}

export class SubmissionQueue {
  readonly number: number
  readonly entries: number
  readonly address: number
  readonly completions: CompletionQueue
  head = 0
  tail = 0
  /** Identifiers of commands that are not completed. */
  readonly outstanding = new Set<number>()

  constructor(number: number, entries: number, address: number, completions: CompletionQueue) {
    this.number = number
    this.entries = entries
    this.address = address
    this.completions = completions
  }

  /** The command at the head, copied; undefined when the bus does not reach the queue. */
  fetch(bus: EmulatedBus): FetchedCommand | undefined {
    const address = this.address + this.head * 64
    const reach = bus.find(address, 64)
    if (reach === undefined) return undefined
    const at = offsetIn(reach, address) >>> 2
    const words = reach.words.slice(at, at + 16)
    this.head = (this.head + 1) % this.entries
    return { queue: this, identifier: words[0] >>> 16, opcode: words[0] & 0xff, words, due: 0, hung: 'no' }
  }
}
