export const RECEIVE = 1
export const TRANSMIT = 2
export const RING_FULL = 3
export const REFUSED_ENTRIES = 4
export const SLEEP = 5

/** Doubles a record: kind, start, end, and two numbers that depend on the kind. */
const STRIDE = 5
/** Doubles before the records; the first counts the records ever written. */
const HEADER = 8

export interface TraceRecord {
  readonly kind: number
  /** Nanoseconds on the holder's clock. */
  readonly start: number
  readonly end: number
  readonly a: number
  readonly b: number
}

export function recordRingBuffer(records: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER + records * STRIDE) * 8)
}

/** The latest events of one queue, fixed records in shared memory: the holder writes, the control thread reads. */
export class RecordRing {
  /** Times of the event under way; fields and not arguments, because doubles would be boxed. */
  start = 0
  end = 0
  readonly #values: Float64Array
  readonly #capacity: number

  constructor(buffer: SharedArrayBuffer) {
    this.#values = new Float64Array(buffer)
    this.#capacity = (this.#values.length - HEADER) / STRIDE
  }

  /** Records ever written. */
  get written(): number {
    return this.#values[0]
  }

  add(kind: number, a: number, b: number): void {
    const values = this.#values
    const at = HEADER + (values[0] % this.#capacity) * STRIDE
    values[at] = kind
    values[at + 1] = this.start
    values[at + 2] = this.end
    values[at + 3] = a
    values[at + 4] = b
    values[0]++
  }

  /** The records that are still there, oldest first. */
  *records(): Generator<TraceRecord> {
    const values = this.#values
    for (let i = Math.max(0, this.written - this.#capacity); i < this.written; i++) {
      const at = HEADER + (i % this.#capacity) * STRIDE
      yield { kind: values[at], start: values[at + 1], end: values[at + 2], a: values[at + 3], b: values[at + 4] }
    }
  }
}
