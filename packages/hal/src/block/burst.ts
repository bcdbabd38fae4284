export const BLOCK_READ = 1
export const BLOCK_WRITE = 2
/** Whatever had completed is on stable media when this completes. Address, blocks and segments are ignored. */
export const BLOCK_FLUSH = 3
export const BLOCK_WRITE_ZEROES = 4
/** The content is not needed any more: until it is written again, each block reads as zeroes or as what it held. */
export const BLOCK_DEALLOCATE = 5
/** Completes with `BLOCK_MISCOMPARE` when the blocks differ from the segments. */
export const BLOCK_COMPARE = 6

/** Force unit access: complete when the data is on stable media. */
export const BLOCK_FUA = 1 << 0
/** Status of a compare that found a difference: EILSEQ, as Linux's block drivers say it. */
export const BLOCK_MISCOMPARE = -84

/** Set by `submit` on commands that it refused: outside the lease, misaligned, or more than the device takes. */
export const BLOCK_REFUSED = 1 << 30

/**
 * Commands as a struct of arrays, allocated once. Each command names a run of rows in the segment columns beside it.
 * Addresses are doubles: a logical block address is exact below 2^53.
 */
export class BlockBurst {
  readonly capacity: number
  readonly segmentCapacity: number
  count = 0
  segments = 0
  refused = 0

  readonly opcode: Int32Array
  readonly namespace: Int32Array
  /** First logical block. */
  readonly lba: Float64Array
  /** Number of logical blocks. */
  readonly blocks: Int32Array
  readonly flags: Int32Array
  /** Comes back with the completion; the device does not look at it. */
  readonly cookie: Int32Array
  readonly firstSegment: Int32Array
  readonly segmentCount: Int32Array

  readonly frame: Int32Array
  /** Bytes from the start of the frame. */
  readonly offset: Int32Array
  readonly length: Int32Array

  constructor(capacity: number, segmentCapacity = capacity) {
    this.capacity = capacity
    this.segmentCapacity = segmentCapacity
    this.opcode = new Int32Array(capacity)
    this.namespace = new Int32Array(capacity)
    this.lba = new Float64Array(capacity)
    this.blocks = new Int32Array(capacity)
    this.flags = new Int32Array(capacity)
    this.cookie = new Int32Array(capacity)
    this.firstSegment = new Int32Array(capacity)
    this.segmentCount = new Int32Array(capacity)
    this.frame = new Int32Array(segmentCapacity)
    this.offset = new Int32Array(segmentCapacity)
    this.length = new Int32Array(segmentCapacity)
  }

  clear(): void {
    this.count = 0
    this.segments = 0
    this.refused = 0
  }

  /** Appends a command without segments and returns its index. Code that is hot at addresses above 2^30 writes the columns itself. */
  push(opcode: number, namespace: number, lba: number, blocks: number, cookie: number, flags = 0): number {
    const i = this.count++
    this.opcode[i] = opcode
    this.namespace[i] = namespace
    this.lba[i] = lba
    this.blocks[i] = blocks
    this.cookie[i] = cookie
    this.flags[i] = flags
    this.firstSegment[i] = this.segments
    this.segmentCount[i] = 0
    return i
  }

  /** Appends a segment to the last command. */
  addSegment(frame: number, offset: number, length: number): void {
    const s = this.segments++
    this.frame[s] = frame
    this.offset[s] = offset
    this.length[s] = length
    this.segmentCount[this.count - 1]++
  }
}

/** Completions arrive in any order; only a flush orders. */
export class BlockCompletions {
  readonly capacity: number
  count = 0
  readonly cookie: Int32Array
  /** 0, or a negative errno. */
  readonly status: Int32Array
  /**
   * Bytes moved by a read, write or compare, else 0. With status 0 that is the whole transfer: a device that moved less says EIO, and
   * here how much.
   */
  readonly result: Float64Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.cookie = new Int32Array(capacity)
    this.status = new Int32Array(capacity)
    this.result = new Float64Array(capacity)
  }
}
