import type { IoContext } from './context.ts'
import type { FileOperation } from './operation.ts'

/** Copies `length` bytes of the operation, from its byte `from` on, out of a buffer. */
export function fromBuffer(
  io: IoContext,
  operation: FileOperation,
  from: number,
  length: number,
  buffer: number,
  at: number,
): void {
  const { pool } = io.medium
  for (let done = 0; done < length; ) {
    const into = operation.seek(from + done)
    const i = operation.segment
    const size = Math.min(length - done, operation.size[i] - into)
    io.cache.buffers.drain(buffer, at + done, pool.address(operation.frame[i]) + operation.offset[i] + into, size)
    done += size
  }
  io.bytesCopied += length
}

/** Copies them into a buffer. */
export function toBuffer(
  io: IoContext,
  operation: FileOperation,
  from: number,
  length: number,
  buffer: number,
  at: number,
): void {
  const { pool } = io.medium
  for (let done = 0; done < length; ) {
    const into = operation.seek(from + done)
    const i = operation.segment
    const size = Math.min(length - done, operation.size[i] - into)
    io.cache.buffers.fill(buffer, at + done, pool.address(operation.frame[i]) + operation.offset[i] + into, size)
    done += size
  }
  io.bytesCopied += length
}

export function zero(io: IoContext, operation: FileOperation, from: number, length: number): void {
  const { pool } = io.medium
  for (let done = 0; done < length; ) {
    const into = operation.seek(from + done)
    const i = operation.segment
    const size = Math.min(length - done, operation.size[i] - into)
    io.cache.buffers.clearAt(pool.address(operation.frame[i]) + operation.offset[i] + into, size)
    done += size
  }
}

/** Checksum of `length` bytes of the operation. */
export function checksumOf(io: IoContext, operation: FileOperation, from: number, length: number): number {
  const { pool } = io.medium
  let crc = 0
  for (let done = 0; done < length; ) {
    const into = operation.seek(from + done)
    const i = operation.segment
    const size = Math.min(length - done, operation.size[i] - into)
    crc = io.cache.buffers.checksumOf(crc, pool.address(operation.frame[i]) + operation.offset[i] + into, size)
    done += size
  }
  return crc
}

/** Segments that the bytes `from` to `from + length` take if the device can move them in place; 0 if it cannot. */
export function directSegments(io: IoContext, operation: FileOperation, from: number, length: number): number {
  const { pool, blockSize, memoryAlignment } = io.medium
  let count = 0
  for (let done = 0; done < length; count++) {
    const into = operation.seek(from + done)
    const i = operation.segment
    const size = Math.min(length - done, operation.size[i] - into)
    const address = pool.address(operation.frame[i]) + operation.offset[i] + into
    if (size % blockSize !== 0 || address % memoryAlignment !== 0) return 0
    done += size
  }
  return count
}
