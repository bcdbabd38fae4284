import type { LogGeometry } from './geometry.ts'
import {
  CHECKED_AT,
  CHECKED_BYTES,
  EPOCH_AT,
  KIND_AT,
  KIND_PAD,
  KIND_RECORD,
  LEAD_AT,
  LENGTH_AT,
  PENDING_AT,
  RECORD_HEADER,
  recordBytes,
  SALT_AT,
  sequenceAt,
} from './record.ts'
import type { RecordWindow } from './window.ts'

/** Which epochs a record or pad may have: the current one from `epochPosition` on, before it any earlier one. */
export interface EpochRule {
  readonly epoch: number
  readonly epochPosition: number
}

const GOOD = 0
const BAD = 1
const ABSENT = 2

/** Checksums that a search computes at most, in multiples of the bytes that it looks through: enough unless somebody forged headers. */
const SEARCH_EFFORT = 4

/**
 * Reads records one after the other. After `next` the fields say what it found; `position` is where the one after it begins.
 */
export class Chain {
  position: number
  /** That the next record must have. */
  expected: number

  // Of the record that was read last.
  sequence = 0
  /** Where it begins, header included. */
  start = 0
  /** Index of its payload in the window's bytes. */
  payload = 0
  length = 0
  /** Records below it were durable when some record or pad was written that was read so far. */
  durableBefore = 0

  readonly #window: RecordWindow
  readonly #geometry: LogGeometry
  readonly #rule: EpochRule
  /** Nothing of the log lies at or behind it. */
  readonly #limit: number
  readonly #ahead: number
  // Of the header that was checked last.
  #kind = 0
  #size = 0
  #found = 0

  constructor(
    window: RecordWindow,
    geometry: LogGeometry,
    rule: EpochRule,
    limit: number,
    position: number,
    expected: number,
    ahead = 262_144,
  ) {
    this.#window = window
    this.#geometry = geometry
    this.#rule = rule
    this.#limit = limit
    this.position = position
    this.expected = expected
    this.#ahead = ahead
  }

  /** The next record without waiting, where it is in the window already; undefined where it is not. False: there is no good one. */
  nextNow(): boolean | undefined {
    for (;;) {
      const at = this.#headerPosition(this.position)
      if (at + RECORD_HEADER > this.#limit) return false
      if (!this.#window.has(at, RECORD_HEADER)) return undefined
      const address = this.#window.address(at)
      if (!this.#plausible(address, at, this.expected, this.expected)) return false
      if (!this.#window.has(at, this.#kind === KIND_PAD ? RECORD_HEADER : this.#size)) return undefined
      if (!this.#intact(address)) return false
      if (this.#accept(at, address)) return true
    }
  }

  /** The next record; false where there is no good one. */
  async next(): Promise<boolean> {
    for (;;) {
      const now = this.nextNow()
      if (now !== undefined) return now
      const at = this.#headerPosition(this.position)
      this.position = at
      const status = await this.#check(at, this.expected, this.expected, this.#ahead)
      if (status !== GOOD) return false
      if (this.#accept(at, this.#window.address(at))) return true
    }
  }

  /** The record at the position, whatever its sequence; false when none begins there. */
  async nextAt(): Promise<boolean> {
    const at = this.position
    const status = await this.#check(at, 0, Number.MAX_SAFE_INTEGER, this.#ahead)
    return status === GOOD && this.#accept(at, this.#window.address(at))
  }

  /**
   * Looks for a good record whose sequence is above `expected` from `from` on, at most `limit` bytes far; true: it was read, and the
   * chain goes on behind it.
   */
  async search(from: number, limit: number): Promise<boolean> {
    const end = Math.min(this.#limit, from + limit)
    let effort = SEARCH_EFFORT * (end - from)
    for (let at = from; at + RECORD_HEADER <= end && effort > 0; at += 8) {
      if (this.#headerPosition(at) !== at) continue
      if (!this.#window.has(at, RECORD_HEADER) && !(await this.#window.load(at, RECORD_HEADER, this.#ahead))) continue
      // Each record takes a header at least, so one at this distance cannot be further on.
      const furthest = this.expected + Math.floor((at - from) / RECORD_HEADER) + 1
      if (!this.#plausible(this.#window.address(at), at, this.expected, furthest)) continue
      effort -= this.#size
      if ((await this.#check(at, this.expected, furthest, this.#ahead)) !== GOOD) continue
      this.expected = this.#found
      if (this.#accept(at, this.#window.address(at))) return true
      if (await this.next()) return true
    }
    return false
  }

  /** Whether what the next record would be in could not be read from the media. */
  unreadable(): boolean {
    return this.#window.unreadable(
      this.#headerPosition(this.position),
      RECORD_HEADER + Math.max(0, this.#suspectedBytes()),
    )
  }

  #suspectedBytes(): number {
    const at = this.#headerPosition(this.position)
    if (!this.#window.has(at, RECORD_HEADER)) return 0
    const fits = this.#plausible(this.#window.address(at), at, this.expected, this.expected)
    return fits ? this.#size - RECORD_HEADER : 0
  }

  #headerPosition(position: number): number {
    const left = this.#geometry.headerBlock - (position % this.#geometry.headerBlock)
    return left < RECORD_HEADER ? position + left : position
  }

  async #check(at: number, low: number, high: number, ahead: number): Promise<number> {
    const window = this.#window
    if (at + RECORD_HEADER > this.#limit) return ABSENT
    if (!window.has(at, RECORD_HEADER) && !(await window.load(at, RECORD_HEADER, ahead))) return BAD
    if (!this.#plausible(window.address(at), at, low, high)) return BAD
    const needed = this.#kind === KIND_PAD ? RECORD_HEADER : this.#size
    if (!window.has(at, needed) && !(await window.load(at, needed, ahead))) return BAD
    return this.#intact(window.address(at)) ? GOOD : BAD
  }

  /** Everything about a header that costs no checksum; leaves its kind, size and sequence. */
  #plausible(address: number, at: number, low: number, high: number): boolean {
    const { view } = this.#window
    if (view.getInt32(address + SALT_AT, true) !== this.#geometry.salt) return false
    const kind = view.getUint8(address + KIND_AT)
    const lead = view.getUint8(address + LEAD_AT)
    const length = view.getUint32(address + LENGTH_AT, true)
    const limit = kind === KIND_PAD ? this.#geometry.length : this.#geometry.recordLimit
    if ((kind !== KIND_RECORD && kind !== KIND_PAD) || lead > 7 || length > limit) return false
    const sequence = sequenceAt(view, address)
    if (!(sequence >= low && sequence <= high)) return false
    const epoch = view.getUint32(address + EPOCH_AT, true)
    const { epoch: current, epochPosition } = this.#rule
    if (at >= epochPosition ? epoch !== current : epoch >= current) return false
    this.#kind = kind
    this.#size = recordBytes(length, lead)
    this.#found = sequence
    return at + this.#size <= this.#limit
  }

  #intact(address: number): boolean {
    const { view, checksum } = this.#window
    const lead = view.getUint8(address + LEAD_AT)
    const length = view.getUint32(address + LENGTH_AT, true)
    const payload = address + RECORD_HEADER + lead
    const crc = this.#kind === KIND_PAD ? 0 : checksum.crc(0, payload, length)
    return checksum.crc(crc, address + CHECKED_AT, CHECKED_BYTES) === view.getInt32(address, true)
  }

  /** Goes on behind what was checked; true for a record, false for a pad. */
  #accept(at: number, address: number): boolean {
    this.position = at + this.#size
    const { view } = this.#window
    const durable = this.#found - view.getUint32(address + PENDING_AT, true)
    if (durable > this.durableBefore) this.durableBefore = durable
    if (this.#kind === KIND_PAD) return false
    this.start = at
    this.sequence = this.#found
    this.length = view.getUint32(address + LENGTH_AT, true)
    this.payload = address + RECORD_HEADER + view.getUint8(address + LEAD_AT)
    this.expected = this.#found + 1
    return true
  }
}
