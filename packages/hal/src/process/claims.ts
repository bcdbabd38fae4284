/**
 * Counters that a process writes which is not trusted. They are copied before they are checked, since they may change in between; one that
 * is no count leaves the last that was.
 */
export class ClaimedCounters {
  /** As they stood when they last made sense. */
  readonly values: Float64Array
  readonly #claims: Float64Array

  /** `claims` is memory that the process writes, `values` memory that it does not, of zeros. */
  constructor(claims: Float64Array, values: Float64Array = new Float64Array(claims.length)) {
    this.#claims = claims
    this.values = values
  }

  /** Looks once more; returns `values`. */
  refresh(): Float64Array {
    const copy = this.#claims.slice()
    for (let i = 0; i < copy.length; i++) if (isCount(copy[i])) this.values[i] = copy[i]
    return this.values
  }
}

const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0
