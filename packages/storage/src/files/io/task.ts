/** Something to wait for: calls `resume` once, at once or later. */
export type Suspend = (resume: () => void) => void

/**
 * Work in steps that wait for the media: a generator that yields what it waits for. Unlike an async function it goes on within the round
 * of the run loop in which its wait ends, so that a caller who blocks in the loop sees it progress.
 */
export type Task<T> = Generator<Suspend, T, void>

/** Runs a task; calls `done` with its result, or `failed` with what it threw, perhaps before this returns. */
export function run<T>(task: Task<T>, done: (result: T) => void, failed: (error: unknown) => void): void {
  let waiting = false
  let resumed = false
  const resume = () => {
    resumed = true
    if (waiting) step()
  }
  const step = () => {
    waiting = false
    for (;;) {
      let next: IteratorResult<Suspend, T>
      try {
        next = task.next()
      } catch (error) {
        failed(error)
        return
      }
      if (next.done === true) {
        done(next.value)
        return
      }
      resumed = false
      next.value(resume)
      if (!resumed) {
        waiting = true
        return
      }
    }
  }
  step()
}

export function promised<T>(task: Task<T>): Promise<T> {
  return new Promise((resolve, reject) => run(task, resolve, reject))
}

/** Tasks that wait for the same thing to happen. */
export class Signal {
  #waiting: (() => void)[] = []

  readonly wait: Suspend = (resume) => {
    this.#waiting.push(resume)
  }

  /** Lets all that wait go on. */
  raise(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    for (const resume of waiting) resume()
  }
}
