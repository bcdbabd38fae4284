const HEAD = 0
const TAIL = 16
/** Head and tail lie on cache lines of their own. */
const HEADER_BYTES = 128
const SLOT_BYTES = 2048
export const RING_SLOTS = 256

export function packetRingBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + RING_SLOTS * SLOT_BYTES)
}

/** A ring of packets in shared memory, one producer and one consumer: this device's cable, in one direction. */
export class PacketRing {
  readonly #indices: Int32Array
  readonly #view: DataView
  readonly #bytes: Uint8Array

  constructor(buffer: SharedArrayBuffer) {
    this.#indices = new Int32Array(buffer, 0, HEADER_BYTES / 4)
    this.#view = new DataView(buffer, HEADER_BYTES)
    this.#bytes = new Uint8Array(buffer, HEADER_BYTES)
  }

  get full(): boolean {
    return this.size === RING_SLOTS
  }

  get size(): number {
    return (Atomics.load(this.#indices, HEAD) - Atomics.load(this.#indices, TAIL)) | 0
  }

  /** The caller has looked at `full`. */
  push(bytes: Uint8Array, start: number, length: number): void {
    const head = Atomics.load(this.#indices, HEAD)
    const slot = (head & (RING_SLOTS - 1)) * SLOT_BYTES
    this.#view.setInt32(slot, length)
    this.#bytes.set(bytes.subarray(start, start + length), slot + 4)
    Atomics.store(this.#indices, HEAD, (head + 1) | 0)
  }

  /** Length of the oldest packet. The caller has looked at `size`. */
  get nextLength(): number {
    return this.#view.getInt32(this.#slot())
  }

  /** Copies the oldest packet to `target` at `start` and removes it. */
  take(target: Uint8Array, start: number): void {
    const slot = this.#slot()
    const length = this.#view.getInt32(slot)
    target.set(this.#bytes.subarray(slot + 4, slot + 4 + length), start)
    this.drop()
  }

  drop(): void {
    Atomics.store(this.#indices, TAIL, (Atomics.load(this.#indices, TAIL) + 1) | 0)
  }

  #slot(): number {
    return (Atomics.load(this.#indices, TAIL) & (RING_SLOTS - 1)) * SLOT_BYTES
  }
}
