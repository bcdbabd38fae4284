/**
 * Who is reading at places of the log, so that they are not taken away meanwhile. A reader enters one of two generations; to wait for
 * all that have entered, the current one is closed, and is over when its last reader leaves.
 */
export class Readers {
  #current = 0
  readonly #inside = [0, 0]
  #over: (() => void) | undefined

  /** Returns what to `leave` with. */
  enter(): number {
    this.#inside[this.#current]++
    return this.#current
  }

  leave(generation: number): void {
    if (--this.#inside[generation] === 0 && generation !== this.#current) this.#over?.()
  }

  /** Resolves when all that are inside now have left. One call at a time. */
  async quiesce(): Promise<void> {
    const closed = this.#current
    this.#current = 1 - closed
    if (this.#inside[closed] === 0) return
    await new Promise<void>((resolve) => {
      this.#over = resolve
    })
    this.#over = undefined
  }
}
