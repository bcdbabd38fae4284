const SMALLEST = 8
const NO_EDGES = new Int32Array(0)

/**
 * What the receiver holds beyond the cumulative acknowledgment (RFC 2018, RFC 6675 section 3): disjoint ranges in sequence
 * order, adjacent ones joined. Adding a block costs a binary search and a move of what lies behind it; only the parts that
 * were not known before are handed on, so that each byte is looked at once however often it is reported.
 */
export class SackScoreboard {
  count = 0
  /** Left and right edges alternating. */
  #edges: Int32Array = NO_EDGES

  left(range: number): number {
    return this.#edges[range * 2]
  }

  right(range: number): number {
    return this.#edges[range * 2 + 1]
  }

  /** One past the highest byte reported; meaningless when there is none. */
  get highest(): number {
    return this.#edges[this.count * 2 - 1]
  }

  /** First range that ends after `sequence`; `count` when there is none. */
  find(sequence: number): number {
    let low = 0
    let high = this.count
    const edges = this.#edges
    while (low < high) {
      const middle = (low + high) >>> 1
      if (((edges[middle * 2 + 1] - sequence) | 0) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Whether all of `[left, right)` is known. */
  covers(left: number, right: number): boolean {
    const range = this.find(left)
    if (range === this.count) return false
    const edges = this.#edges
    return ((left - edges[range * 2]) | 0) >= 0 && ((edges[range * 2 + 1] - right) | 0) >= 0
  }

  /** Adds `[left, right)`, which is not empty; joins what overlaps or touches. */
  add(left: number, right: number): void {
    let first = this.find((left - 1) | 0)
    let last = first
    const { count } = this
    let edges: Int32Array = this.#edges
    let from = left
    let to = right
    while (last < count && ((edges[last * 2] - right) | 0) <= 0) {
      if (((edges[last * 2] - from) | 0) < 0) from = edges[last * 2]
      if (((edges[last * 2 + 1] - to) | 0) > 0) to = edges[last * 2 + 1]
      last++
    }
    if (last === first) {
      if (count * 2 === edges.length) edges = this.#grow()
      edges.copyWithin((first + 1) * 2, first * 2, count * 2)
      this.count = count + 1
    } else if (last > first + 1) {
      edges.copyWithin((first + 1) * 2, last * 2, count * 2)
      this.count = count - (last - first - 1)
    }
    first *= 2
    edges[first] = from
    edges[first + 1] = to
  }

  /** Forgets what lies before `sequence`. */
  acknowledge(sequence: number): void {
    if (this.count === 0) return
    const range = this.find(sequence)
    const edges = this.#edges
    if (range > 0) {
      edges.copyWithin(0, range * 2, this.count * 2)
      this.count -= range
    }
    if (this.count > 0 && ((edges[0] - sequence) | 0) < 0) edges[0] = sequence
  }

  /**
   * RFC 6675 section 4, IsLost: what is not sacked before the result is lost, because `threshold` ranges, or more than
   * `threshold - 1` segments of `mss`, are sacked after it. `una` when nothing is. Looks at `threshold` ranges at most.
   */
  lostBefore(una: number, threshold: number, mss: number): number {
    let bytes = 0
    const limit = (threshold - 1) * mss
    for (let range = this.count - 1, ranges = 1; range >= 0; range--, ranges++) {
      const left = this.#edges[range * 2]
      bytes += (this.#edges[range * 2 + 1] - left) | 0
      if (ranges >= threshold || bytes > limit) return left
    }
    return una
  }

  clear(): void {
    this.count = 0
    if (this.#edges.length > 2 * SMALLEST) this.#edges = NO_EDGES
  }

  #grow(): Int32Array {
    const edges = new Int32Array(this.#edges.length === 0 ? 2 * SMALLEST : this.#edges.length * 2)
    edges.set(this.#edges)
    this.#edges = edges
    return edges
  }
}
