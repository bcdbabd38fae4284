/**
 * One operation on a medium. Made once by its owner and used again: filling it and submitting it allocates nothing. The
 * opcodes are those of a block device (`BLOCK_READ`, `BLOCK_WRITE`, `BLOCK_FLUSH`, `BLOCK_WRITE_ZEROES`, `BLOCK_DEALLOCATE`).
 */
export class MediumRequest {
  opcode = 0
  /** Bytes from the start of the medium that it is submitted to. */
  position = 0
  /** Bytes; the sum of the segments for a read or a write. */
  length = 0
  /** Of a write: complete when the data survives. */
  fua = false
  /** 0, or a negative errno of Linux. */
  status = 0
  segmentCount = 0
  readonly frame: Int32Array
  /** Bytes from the start of the frame. */
  readonly offset: Int32Array
  readonly size: Int32Array
  readonly done: (request: MediumRequest) => void

  // The medium's, while it has the request.
  next: MediumRequest | undefined = undefined
  /** Where the medium that it was submitted to begins, in bytes of the one that has the device. */
  origin = 0
  /** Bytes that commands were made for, and where the next command begins in the segments. */
  issued = 0
  segment = 0
  segmentOffset = 0
  /** Commands that are not complete. */
  commands = 0

  constructor(done: (request: MediumRequest) => void, segmentCapacity = 1) {
    this.done = done
    this.frame = new Int32Array(segmentCapacity)
    this.offset = new Int32Array(segmentCapacity)
    this.size = new Int32Array(segmentCapacity)
  }

  /** Forgets the segments, and begins an operation at `position`. Every submission begins with it. */
  begin(opcode: number, position: number, length = 0, fua = false): this {
    this.opcode = opcode
    this.position = position
    this.length = length
    this.fua = fua
    this.status = 0
    this.segmentCount = 0
    this.origin = 0
    return this
  }

  /** Appends a run of a frame's bytes, and counts it into `length`. */
  add(frame: number, offset: number, size: number): this {
    const i = this.segmentCount++
    this.frame[i] = frame
    this.offset[i] = offset
    this.size[i] = size
    this.length += size
    return this
  }
}
