/** The versions that readers hold on to, in order, each with the number of its holders. */
export class Snapshots {
  readonly #versions: number[] = []
  readonly #holders: number[] = []

  /** The newest that is held, or -1: what is older than it or as old may be seen. */
  get newest(): number {
    return this.#versions.length === 0 ? -1 : this.#versions[this.#versions.length - 1]
  }

  get size(): number {
    return this.#versions.length
  }

  /** `version` is never older than any held before. */
  hold(version: number): void {
    if (this.newest === version) this.#holders[this.#holders.length - 1]++
    else {
      this.#versions.push(version)
      this.#holders.push(1)
    }
  }

  release(version: number): void {
    const i = this.#versions.indexOf(version)
    if (i < 0 || --this.#holders[i] > 0) return
    this.#versions.splice(i, 1)
    this.#holders.splice(i, 1)
  }

  /** Whether any holder sees a version made at `from` and replaced at `to`. */
  sees(from: number, to: number): boolean {
    return this.#versions.some((version) => version >= from && version < to)
  }
}
