/** Ends a job: the next ones may begin. */
export type JobDone = () => void
type Job = { readonly shared: boolean; readonly run: (done: JobDone) => void }

/** Jobs that begin in the order in which they came; shared ones run beside each other, the others alone. */
export class OrderedJobs {
  readonly #waiting: Job[] = []
  #head = 0
  #sharedRunning = 0
  #aloneRunning = false
  #whenIdle: (() => void)[] = []

  get idle(): boolean {
    return this.#sharedRunning === 0 && !this.#aloneRunning && this.#head === this.#waiting.length
  }

  add(shared: boolean, run: (done: JobDone) => void): void {
    this.#waiting.push({ shared, run })
    this.#begin()
  }

  /** Calls back when nothing runs or waits, at once if so. */
  whenIdle(then: () => void): void {
    if (this.idle) then()
    else this.#whenIdle.push(then)
  }

  #begin(): void {
    while (this.#head < this.#waiting.length && !this.#aloneRunning) {
      const { shared, run } = this.#waiting[this.#head]
      if (!shared && this.#sharedRunning > 0) return
      this.#head++
      // What was begun is dropped in runs, so that each costs little.
      if (this.#head === this.#waiting.length || this.#head >= 1024) {
        this.#waiting.splice(0, this.#head)
        this.#head = 0
      }
      if (shared) this.#sharedRunning++
      else this.#aloneRunning = true
      run(() => this.#ended(shared))
    }
  }

  #ended(shared: boolean): void {
    if (shared) this.#sharedRunning--
    else this.#aloneRunning = false
    this.#begin()
    if (this.idle) for (const then of this.#whenIdle.splice(0)) then()
  }
}
