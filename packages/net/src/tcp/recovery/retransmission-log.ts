const SMALLEST = 8
const EMPTY = new Int32Array(0)

/**
 * Retransmissions in the order in which they were sent, a ring of (sequence, serial). Together with the records, whose first
 * transmissions are in sequence order, it gives the order of time that RACK needs (RFC 8985 section 6.1) without sorting. An
 * entry whose record has another serial by now, or is gone, is outdated and dropped when it comes to the front.
 */
export class RetransmissionLog {
  #head = 0
  #tail = 0
  #ring = EMPTY
  #mask = -1

  get isEmpty(): boolean {
    return this.#head === this.#tail
  }

  get firstSequence(): number {
    return this.#ring[(this.#head & this.#mask) * 2]
  }

  get firstSerial(): number {
    return this.#ring[(this.#head & this.#mask) * 2 + 1]
  }

  push(sequence: number, serial: number): void {
    if (((this.#tail - this.#head) | 0) > this.#mask) this.#grow()
    const at = (this.#tail & this.#mask) * 2
    this.#ring[at] = sequence
    this.#ring[at + 1] = serial
    this.#tail = (this.#tail + 1) | 0
  }

  shift(): void {
    this.#head = (this.#head + 1) | 0
  }

  clear(): void {
    this.#head = 0
    this.#tail = 0
    if (this.#mask < SMALLEST) return
    this.#ring = EMPTY
    this.#mask = -1
  }

  #grow(): void {
    const before = this.#mask + 1
    const size = before === 0 ? SMALLEST : before * 2
    const ring = new Int32Array(size * 2)
    for (let i = 0; i < before; i++) {
      const from = ((this.#head + i) & this.#mask) * 2
      ring[i * 2] = this.#ring[from]
      ring[i * 2 + 1] = this.#ring[from + 1]
    }
    this.#ring = ring
    this.#mask = size - 1
    this.#head = 0
    this.#tail = before
  }
}
