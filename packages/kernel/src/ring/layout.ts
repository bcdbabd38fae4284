import { ParakernelError } from '@parakernel/hal'
import type { RingDescriptor } from '../contracts.ts'

/**
 * The two indices are free-running int32 counts, each on cache lines of its own (128 bytes, because processors fetch lines
 * in pairs), in front of the slots. Their difference is the number of messages in the ring.
 */
export const PRODUCED = 0
export const CONSUMED = 32
export const HEADER_BYTES = 256
const HEADER_WORDS = HEADER_BYTES / 4

const MAX_BYTES = 2 ** 31 - HEADER_BYTES

export interface RingOptions {
  /** Messages that the ring holds; a power of two. */
  readonly slots: number
  /** Bytes a message; a multiple of 8. */
  readonly slotBytes: number
  /** Wake word of the consumer's partition. */
  readonly wake: SharedArrayBuffer
  readonly ready?: RingDescriptor['ready']
}

/** Makes a ring from one partition to another. @throws EINVAL */
export function createRing({ slots, slotBytes, wake, ready }: RingOptions): RingDescriptor {
  const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject: 'ring' })
  if (!Number.isInteger(slots) || slots < 1 || (slots & (slots - 1)) !== 0) {
    throw invalid(`${slots} slots are not a power of two`)
  }
  if (!Number.isInteger(slotBytes) || slotBytes < 8 || slotBytes % 8 !== 0) {
    throw invalid(`${slotBytes} bytes a slot are not a multiple of 8`)
  }
  if (slots * slotBytes > MAX_BYTES) throw invalid(`${slots} slots of ${slotBytes} bytes are more than 2 GiB`)
  const buffer = new SharedArrayBuffer(HEADER_BYTES + slots * slotBytes)
  return { buffer, slots, slotBytes, wake, ...(ready !== undefined && { ready }) }
}

/** The views of one end; the slots' views start at slot 0. */
export interface RingViews {
  readonly indices: Int32Array
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

export function ringViews({ buffer }: RingDescriptor): RingViews {
  return {
    indices: new Int32Array(buffer, 0, HEADER_WORDS),
    bytes: new Uint8Array(buffer, HEADER_BYTES),
    words: new Int32Array(buffer, HEADER_BYTES),
  }
}

/** Messages that wait in a ring, read from any thread. */
export function ringDepth({ buffer }: RingDescriptor): number {
  const indices = new Int32Array(buffer, 0, HEADER_WORDS)
  return (Atomics.load(indices, PRODUCED) - Atomics.load(indices, CONSUMED)) | 0
}
