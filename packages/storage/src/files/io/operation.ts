/** What an operation does. */
export const READ = 1
export const WRITE = 2
export const TRUNCATE = 3
export const PUNCH = 4
export const SYNC = 5

/**
 * One operation on a file. Made once by its owner and used again: filling it and handing it to the file allocates nothing. It is
 * the file's until `done` is called.
 */
export class FileOperation {
  /** Bytes from the start of the file; of `truncate`: the new length. */
  position = 0
  /** Bytes: the sum of the segments for a read or a write; of `punchHole`: the range's. */
  length = 0
  /** 0, or a negative errno of Linux (`errorCodeOf` names it). */
  status = 0
  /** Bytes that were read or written. */
  transferred = 0
  segmentCount = 0
  /** Frames of the medium's pool. */
  frame: Int32Array
  /** Bytes from the start of the frame; any alignment. */
  offset: Int32Array
  size: Int32Array
  readonly done: (operation: FileOperation) => void

  // The file's, while it has the operation.
  kind = 0
  next: FileOperation | undefined = undefined
  /** The segment that was looked at last, and how many bytes come before it. */
  segment = 0
  before = 0

  constructor(done: (operation: FileOperation) => void, segmentCapacity = 4) {
    this.done = done
    this.frame = new Int32Array(segmentCapacity)
    this.offset = new Int32Array(segmentCapacity)
    this.size = new Int32Array(segmentCapacity)
  }

  /** Forgets the segments. */
  begin(position: number, length = 0): this {
    this.position = position
    this.length = length
    this.status = 0
    this.transferred = 0
    this.segmentCount = 0
    this.segment = 0
    this.before = 0
    return this
  }

  /** Appends a run of a frame's bytes, and counts it into `length`. */
  add(frame: number, offset: number, size: number): this {
    const i = this.segmentCount++
    if (i === this.frame.length) this.#grow()
    this.frame[i] = frame
    this.offset[i] = offset
    this.size[i] = size
    this.length += size
    return this
  }

  /** Finds the segment that has byte `at` of the operation; returns how far into it that is. */
  seek(at: number): number {
    if (at < this.before) {
      this.segment = 0
      this.before = 0
    }
    while (at >= this.before + this.size[this.segment]) this.before += this.size[this.segment++]
    return at - this.before
  }

  #grow(): void {
    const wider = (column: Int32Array) => {
      const twice = new Int32Array(column.length * 2)
      twice.set(column)
      return twice
    }
    this.frame = wider(this.frame)
    this.offset = wider(this.offset)
    this.size = wider(this.size)
  }
}
