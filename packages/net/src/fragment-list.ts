export const DUPLICATE = -1
export const OVERLAP = -2

/** Which bytes of one datagram are here: its fragments by offset, sorted and disjoint. IPv4 and IPv6 keep the same list. */
export class FragmentList {
  /** Length of what is fragmented, or -1 until the last fragment is here. */
  total = -1
  /** Bytes that are here; all of them when it equals `total`. */
  received = 0
  fragments = 0
  readonly #starts: Int32Array
  readonly #ends: Int32Array

  /** @param most fragments that fit; the caller looks at `fragments` before it adds one */
  constructor(most: number) {
    this.#starts = new Int32Array(most)
    this.#ends = new Int32Array(most)
  }

  clear(): void {
    this.total = -1
    this.received = 0
    this.fragments = 0
  }

  /**
   * Where bytes `start` to `end` go in the list; or `DUPLICATE`, which may be ignored and need not condemn the datagram (RFC
   * 8200 section 4.5), or `OVERLAP`, which must (RFC 5722).
   */
  placeOf(start: number, end: number, more: boolean): number {
    const { fragments: n, total } = this
    const starts = this.#starts
    const ends = this.#ends
    let i = n
    while (i > 0 && starts[i - 1] >= start) i--
    if (i < n && starts[i] === start && ends[i] === end && (more ? total !== end : total === end)) return DUPLICATE
    if ((i > 0 && ends[i - 1] > start) || (i < n && starts[i] < end)) return OVERLAP
    // A second end, or data beyond the end: the fragments cannot be of one datagram.
    if (total >= 0 && (end > total || !more)) return OVERLAP
    if (!more && n > 0 && ends[n - 1] > end) return OVERLAP
    return i
  }

  /** Enters bytes `start` to `end` at the place that `placeOf` gave. */
  add(place: number, start: number, end: number, more: boolean): void {
    const n = this.fragments
    this.#starts.copyWithin(place + 1, place, n)
    this.#ends.copyWithin(place + 1, place, n)
    this.#starts[place] = start
    this.#ends[place] = end
    this.fragments = n + 1
    this.received += end - start
    if (!more) this.total = end
  }
}
