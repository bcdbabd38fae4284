/**
 * A flush that many share: who joins while one runs waits for the next, which covers everything that was written before it
 * began. `run` calls back once.
 */
export class GroupFlush {
  readonly #run: (done: (error: unknown) => void) => void
  #running = false
  #waiting: ((error: unknown) => void)[] = []

  constructor(run: (done: (error: unknown) => void) => void) {
    this.#run = run
  }

  /** Whether one runs, or is to. */
  get busy(): boolean {
    return this.#running || this.#waiting.length > 0
  }

  join(done: (error: unknown) => void): void {
    this.#waiting.push(done)
    if (!this.#running) this.#next()
  }

  #next(): void {
    const covered = this.#waiting
    if (covered.length === 0) return
    this.#waiting = []
    this.#running = true
    this.#run((error) => {
      this.#running = false
      for (const done of covered) done(error)
      if (!this.#running) this.#next()
    })
  }
}
