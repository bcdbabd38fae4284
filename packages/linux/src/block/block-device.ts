import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'

/** linux/fs.h. */
const BLKROGET = 0x125e
const BLKSSZGET = 0x1268
const BLKDISCARD = 0x1277
const BLKPBSZGET = 0x127b
const BLKGETSIZE64 = 0x8008_1272

/** A command of a ring that discards: IORING_OP_URING_CMD with `addr` and `addr3` in bytes. Linux 6.12. */
export const BLOCK_URING_CMD_DISCARD = 0x1200

/** What an open block device is like. Sizes are bytes. */
export interface BlockGeometry {
  readonly bytes: number
  /** Unit of transfer. */
  readonly logicalBlock: number
  /** What the medium writes at once. */
  readonly physicalBlock: number
  readonly readOnly: boolean
}

export function blockGeometry(descriptor: number, subject: string): BlockGeometry {
  const value = (request: number, call: string): number => {
    const bytes = new Uint8Array(8)
    check(calls().ioctl(descriptor, request, bytes), { call: `ioctl(${call})`, subject })
    return Number(new DataView(bytes.buffer).getBigUint64(0, true))
  }
  return {
    bytes: value(BLKGETSIZE64, 'BLKGETSIZE64'),
    logicalBlock: value(BLKSSZGET, 'BLKSSZGET'),
    physicalBlock: value(BLKPBSZGET, 'BLKPBSZGET'),
    readOnly: value(BLKROGET, 'BLKROGET') !== 0,
  }
}

/** Tells the device that a range is not needed any more; what is read there afterwards is undefined. */
export function discardBlocks(descriptor: number, offset: number, length: number, subject: string): void {
  const range = BigUint64Array.of(BigInt(offset), BigInt(length))
  check(calls().ioctl(descriptor, BLKDISCARD, range), { call: 'ioctl(BLKDISCARD)', subject })
}
