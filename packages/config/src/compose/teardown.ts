/** What was started, to be stopped in the reverse order. Every step runs, whatever the others do. */
export class Teardown {
  readonly #steps: (() => void | Promise<void>)[] = []

  push(step: () => void | Promise<void>): void {
    this.#steps.push(step)
  }

  /** Runs each step once; returns what they threw. */
  async run(): Promise<Error[]> {
    const errors: Error[] = []
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step()
      } catch (error) {
        errors.push(error instanceof Error ? error : new Error(String(error)))
      }
    }
    return errors
  }
}
