import { ParakernelError } from '@parakernel/hal'
import type { QueueRuntime } from '../queue-runtime.ts'
import type { Completion, QueueToken } from '../types.ts'

/**
 * The `waitAny` of code that may not hold up Node's own loop: give it tokens, and it gives their completions, each once, in the order
 * in which they happened. No list is scanned, so that it costs the same for any number of tokens; a completion that is waited for costs
 * one promise, one that is there already a resolved one. The loop ends when nothing is outstanding.
 *
 *     for await (const done of completions) switch (done.kind) { ... }
 */
export class CompletionQueue implements AsyncIterable<Completion> {
  readonly #runtime: QueueRuntime
  readonly #pending = new Set<QueueToken>()
  /** Completions that nobody has taken; those before `#head` were. */
  #ready: Completion[] = []
  #head = 0
  #waiter: ((completion: Completion) => void) | undefined
  /** In the midst of a round: no libOS is called from here. */
  readonly #completed = (completion: Completion) => {
    this.#pending.delete(completion.token)
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter === undefined) this.#ready.push(completion)
    else waiter(completion)
  }

  constructor(runtime: QueueRuntime) {
    this.#runtime = runtime
  }

  /** Tokens that were given and whose completions nobody has taken. */
  get outstanding(): number {
    return this.#pending.size + this.#ready.length - this.#head
  }

  /** Takes tokens over: nobody else may redeem them. @throws EINVAL for one that is redeemed, unknown, or somebody else's */
  add(...tokens: readonly QueueToken[]): void {
    for (const token of tokens) {
      const isOurs = this.#pending.has(token)
      this.#pending.add(token)
      try {
        this.#runtime.notify(token, this.#completed)
      } catch (error) {
        if (!isOurs) this.#pending.delete(token)
        throw error
      }
    }
  }

  /** The next completion; undefined when nothing is outstanding. Rejects with EBUSY while another `next` waits. */
  async next(): Promise<Completion | undefined> {
    if (this.#head < this.#ready.length) return this.#take()
    if (this.#pending.size === 0) return undefined
    if (this.#waiter !== undefined) {
      throw new ParakernelError('EBUSY', 'somebody waits already', {
        subject: 'completion queue',
        remedy: 'Give each that waits a completion queue of its own',
      })
    }
    return new Promise((resolve) => {
      this.#waiter = resolve
    })
  }

  /** Cancels every token that is pending; each still completes, with ECANCELED. */
  cancel(): void {
    for (const token of [...this.#pending]) this.#runtime.cancel(token)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Completion, void, undefined> {
    for (let done = await this.next(); done !== undefined; done = await this.next()) yield done
  }

  #take(): Completion {
    const completion = this.#ready[this.#head++]
    if (this.#head === this.#ready.length) {
      this.#ready = []
      this.#head = 0
    }
    return completion
  }
}
