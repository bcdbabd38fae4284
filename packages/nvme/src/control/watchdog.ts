import { abort } from '../admin/command.ts'
import { MARK_ABORTING, MARK_LATE, MARK_NONE } from '../queue/queue-state.ts'
import { NvmeError } from '../spec/status-error.ts'
import type { Controller } from './controller.ts'
import type { Procedure } from './procedure.ts'
import type { QueuePair } from './queue-pair.ts'

/** Ticks in a command's time: an abort is sent after between one and one and an eighth of the timeout. */
export const TICKS_PER_TIMEOUT = 8
/** Milliseconds within which trouble of the controller is noticed, however long the timeout of commands is. */
const LOOK = 250

/** How often the device looks after the controller in each tick of `period` milliseconds. */
export function looksPerTick(period: number): number {
  return Math.max(1, Math.ceil(period / LOOK))
}

/**
 * Looks after the commands of queue pairs, from the control thread and so also when a holder died: what is outstanding for too long is
 * aborted; if that does not help within another timeout the controller is reset.
 */
export class Watchdog {
  readonly #controller: Controller
  #aborting = 0
  /** Commands that ran out of time. */
  timeouts = 0

  constructor(controller: Controller) {
    this.#controller = controller
  }

  /** Whether a holder met what cannot be. */
  inspect(pairs: Iterable<QueuePair>): void {
    for (const { state, hardwareQueue } of pairs) {
      if (state.broken) this.#controller.trouble ??= `queue ${hardwareQueue} has completions that cannot be`
    }
  }

  /** One tick has passed for every pair. Returns the aborts to run. */
  tick(pairs: Iterable<QueuePair>, onTimeout: (pair: QueuePair) => void): Procedure<void>[] {
    const aborts: Procedure<void>[] = []
    for (const pair of pairs) {
      pair.state.advance()
      if (!pair.detached) this.#scan(pair, aborts, onTimeout)
    }
    return aborts
  }

  /** After a reset there is nobody to answer an abort. */
  forget(): void {
    this.#aborting = 0
  }

  #scan(pair: QueuePair, aborts: Procedure<void>[], onTimeout: (pair: QueuePair) => void): void {
    const { state } = pair
    const { tick, stamps, marks } = state
    for (let slot = 0; slot < state.depth; slot++) {
      const stamp = Atomics.load(stamps, slot)
      if (stamp === 0) continue
      const age = (tick - stamp) & 0x3fff_ffff
      if (age <= TICKS_PER_TIMEOUT) continue
      const mark = Atomics.load(marks, slot)
      if (mark === MARK_NONE) {
        if (this.#aborting >= this.#controller.identity.abortLimit) continue
        const identifier = Atomics.load(state.identifiers, slot)
        Atomics.store(marks, slot, MARK_ABORTING)
        // The command may have been completed meanwhile, and the slot be another's.
        if (Atomics.load(stamps, slot) !== stamp || Atomics.load(state.identifiers, slot) !== identifier) {
          Atomics.compareExchange(marks, slot, MARK_ABORTING, MARK_NONE)
          continue
        }
        onTimeout(pair)
        this.timeouts++
        this.#aborting++
        aborts.push(this.#abort(pair, slot, identifier))
      }
      if (age > 2 * TICKS_PER_TIMEOUT) {
        this.#controller.trouble ??= `a command of queue ${pair.hardwareQueue} was not answered, nor ended by an abort`
      }
    }
  }

  /** The answer says whether the command was aborted; either way its own completion tells the rest, or the next timeout. */
  *#abort(pair: QueuePair, slot: number, identifier: number): Procedure<void> {
    try {
      yield* this.#controller.command(abort(pair.hardwareQueue, identifier))
    } catch (error) {
      if (!(error instanceof NvmeError)) throw error
    } finally {
      if (this.#aborting > 0) this.#aborting--
      Atomics.compareExchange(pair.state.marks, slot, MARK_ABORTING, MARK_LATE)
    }
  }
}
