/** Doubles a record: kind, start, end, and two numbers that depend on the kind. */
const STRIDE = 5
/** Doubles before the records; the first counts the records ever written. */
const HEADER = 8

export interface TraceRecord {
  /** What it means is the writer's to say. */
  readonly kind: number
  /** Nanoseconds on the writer's clock. */
  readonly start: number
  readonly end: number
  readonly a: number
  readonly b: number
}

/** Room for so many records, and for one more that is being written. */
export function recordRingBuffer(records: number): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER + (records + 1) * STRIDE) * 8)
}

/** The latest events of one queue or loop, fixed records in shared memory: its thread writes, the control thread reads. */
export class RecordRing {
  /** Times of the event under way; fields and not arguments, because doubles would be boxed. */
  start = 0
  end = 0
  readonly #values: Float64Array
  readonly #slots: number

  constructor(buffer: SharedArrayBuffer) {
    this.#values = new Float64Array(buffer)
    this.#slots = (this.#values.length - HEADER) / STRIDE
  }

  /** Records ever written. */
  get written(): number {
    return this.#values[0]
  }

  add(kind: number, a: number, b: number): void {
    const values = this.#values
    const at = HEADER + (values[0] % this.#slots) * STRIDE
    values[at] = kind
    values[at + 1] = this.start
    values[at + 2] = this.end
    values[at + 3] = a
    values[at + 4] = b
    values[0]++
  }

  /** A copy of the records that are still there, oldest first. What the writer overwrote meanwhile is not among them. */
  records(): TraceRecord[] {
    const written = this.written
    const values = this.#values.slice()
    const records: TraceRecord[] = []
    // The slot of record `this.written` is being written, perhaps.
    for (let i = Math.max(0, this.written + 1 - this.#slots); i < written; i++) {
      const at = HEADER + (i % this.#slots) * STRIDE
      records.push({
        kind: values[at],
        start: values[at + 1],
        end: values[at + 2],
        a: values[at + 3],
        b: values[at + 4],
      })
    }
    return records
  }
}
