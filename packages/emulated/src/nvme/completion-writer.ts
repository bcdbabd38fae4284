import type { WakeWord } from '@parakernel/hal'
import { draw } from '../disk/random.ts'
import type { EmulatedBus } from './bus.ts'
import type { FaultAction } from './faults.ts'
import type { Health } from './health.ts'
import type { CompletionQueue, FetchedCommand, SubmissionQueue } from './queues.ts'
import { MORE, SUCCESS } from './status.ts'

/** Answers commands: right, or wrong in one of the ways that a fault asks for. */
export class CompletionWriter {
  readonly #bus: EmulatedBus
  readonly #health: Health
  /** Sleepers by interrupt vector. */
  readonly #wakes: ReadonlyMap<number, WakeWord>
  readonly #random: Int32Array

  constructor(bus: EmulatedBus, health: Health, wakes: ReadonlyMap<number, WakeWord>, random: Int32Array) {
    this.#bus = bus
    this.#health = health
    this.#wakes = wakes
    this.#random = random
  }

  complete(command: FetchedCommand, status: number, value: number): void {
    const { queue, identifier, words } = command
    queue.outstanding.delete(identifier)
    let field = status
    if (status !== SUCCESS) {
      field |= MORE
      const lba = (words[10] >>> 0) + (words[11] >>> 0) * 0x1_0000_0000
      this.#health.logError(queue.number, identifier, field, queue.number === 0 ? 0 : lba, words[1] >>> 0)
    }
    this.#post(queue, Int32Array.of(value, 0, (queue.number << 16) | queue.head, (field << 17) | identifier))
  }

  completeWrongly(
    { queue, identifier }: FetchedCommand,
    status: number,
    value: number,
    how: (FaultAction & { readonly completion: unknown })['completion'],
  ): void {
    queue.outstanding.delete(identifier)
    const entry = Int32Array.of(value, 0, (queue.number << 16) | queue.head, (status << 17) | identifier)
    if (how === 'lost') {
      this.#health.counters.completionsLost++
      return
    }
    if (how === 'twice') this.#post(queue, entry)
    if (how === 'wrong-identifier') entry[3] ^= 0x5a5a
    if (how === 'wrong-queue') entry[2] = ((queue.number + 1) << 16) | queue.head
    if (how === 'wrong-head') entry[2] = (queue.number << 16) | ((queue.tail + 1) % 0x1_0000)
    if (how === 'rubbish') for (let i = 0; i < 4; i++) entry[i] = draw(this.#random, 0)
    if (how === 'wrong-phase') queue.completions.phase ^= 1
    this.#post(queue, entry)
    if (how === 'wrong-phase') queue.completions.phase ^= 1
  }

  #post({ completions }: SubmissionQueue, entry: Int32Array): void {
    if (completions.full || completions.waiting.length > 0) {
      this.#health.counters.completionsDelayed++
      completions.waiting.push(entry)
    } else this.put(completions, entry)
  }

  put(queue: CompletionQueue, entry: Int32Array): void {
    if (!queue.write(this.#bus, entry)) {
      this.#health.counters.dmaFaults++
      return
    }
    this.#health.counters.completions++
    if (queue.vector >= 0) this.#wakes.get(queue.vector)?.notify()
  }
}
