import { type Patience, type Procedure, run } from './procedure.ts'

/** Procedures that nobody waits for. */
export class Background {
  readonly #patience: Patience
  readonly #settled: () => void
  readonly #tasks = new Set<Promise<void>>()

  /** @param settled called after each procedure, however it ended */
  constructor(patience: Patience, settled: () => void) {
    this.#patience = patience
    this.#settled = settled
  }

  get busy(): boolean {
    return this.#tasks.size > 0
  }

  launch(procedure: Procedure<void>): void {
    const task = run(procedure, this.#patience)
      // What fails here has told the controller already: it is reset, or gone.
      .catch(() => {})
      .finally(() => {
        this.#tasks.delete(task)
        this.#settled()
      })
    this.#tasks.add(task)
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#tasks)
  }
}
