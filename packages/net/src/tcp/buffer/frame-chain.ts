/**
 * Bytes that lie in several frames, in order, as columns: what the queues of a connection hand to a device or to the
 * application. Allocated once, refilled for every use. Whether a row comes with a reference to its frame is said by
 * whoever fills it.
 */
export class FrameChain {
  readonly capacity: number
  /** Rows in use, from 0. */
  count = 0
  readonly frame: Int32Array
  /** Byte address in the pool's region. */
  readonly address: Int32Array
  readonly length: Int32Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.frame = new Int32Array(capacity)
    this.address = new Int32Array(capacity)
    this.length = new Int32Array(capacity)
  }

  get isFull(): boolean {
    return this.count === this.capacity
  }

  /** The caller has made sure that there is room. */
  push(frame: number, address: number, length: number): void {
    const i = this.count++
    this.frame[i] = frame
    this.address[i] = address
    this.length[i] = length
  }

  clear(): void {
    this.count = 0
  }
}
