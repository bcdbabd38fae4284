import { ParakernelError } from '@parakernel/hal'
import type { TimerId } from '../contracts.ts'

export type TimerTask = (now: number) => void

/** An id is `generation << SLOT_BITS | slot`, a positive int32: generations start at 1, so that 0 is never an id. */
const SLOT_BITS = 21
const MAX_SLOTS = 1 << SLOT_BITS
const MAX_GENERATION = (1 << (31 - SLOT_BITS)) - 1

/** Where a timer is: a bucket of the wheel (0 and up), or one of these. */
export const IN_HEAP = -1
export const FREE = -2
/** Due at Infinity: counted, never fired. */
export const PARKED = -3

/**
 * The timers of a wheel as columns, one row a timer. Rows are reused first in, first out, so that an id that was kept
 * too long is still told from its successor for at least a thousand lives of the row.
 */
export class TimerTable {
  /** When it fires: the time that was asked for, or a rounder one within its slack. */
  time: Float64Array
  /** Of a periodic timer: the time that was asked for. */
  base: Float64Array
  slack: Float64Array
  /** Order of insertion: decides between equal times. */
  sequence: Float64Array
  /** Nanoseconds, or 0 for a timer that fires once. */
  period: Float64Array
  /** Neighbour in the bucket, or the position in the heap. */
  previous: Int32Array
  next: Int32Array
  place: Int32Array
  readonly tasks: (TimerTask | undefined)[] = []
  size = 0

  #generation: Int32Array
  #capacity: number
  #freeHead = -1
  #freeTail = -1
  readonly #counter = new Float64Array(1)

  constructor(capacity: number) {
    this.#capacity = capacity
    this.time = new Float64Array(capacity)
    this.base = new Float64Array(capacity)
    this.slack = new Float64Array(capacity)
    this.sequence = new Float64Array(capacity)
    this.period = new Float64Array(capacity)
    this.previous = new Int32Array(capacity)
    this.next = new Int32Array(capacity)
    this.place = new Int32Array(capacity)
    this.#generation = new Int32Array(capacity)
    this.#addRows(0)
  }

  /** Takes a row. @throws ENOBUFS at two million timers. */
  allocate(time: number, period: number, task: TimerTask): number {
    if (this.#freeHead < 0) this.#grow()
    const row = this.#freeHead
    this.#freeHead = this.next[row]
    if (this.#freeHead < 0) this.#freeTail = -1
    this.time[row] = time
    this.period[row] = period
    this.tasks[row] = task
    this.stamp(row)
    this.size++
    return row
  }

  /** Puts a row behind all others of the same time. */
  stamp(row: number): void {
    this.sequence[row] = this.#counter[0]++
  }

  free(row: number): void {
    this.tasks[row] = undefined
    this.place[row] = FREE
    this.#generation[row] = this.#generation[row] === MAX_GENERATION ? 1 : this.#generation[row] + 1
    this.next[row] = -1
    if (this.#freeTail < 0) this.#freeHead = row
    else this.next[this.#freeTail] = row
    this.#freeTail = row
    this.size--
  }

  idOf(row: number): TimerId {
    return (this.#generation[row] << SLOT_BITS) | row
  }

  /** The row of an id, or -1 when it is not the id of a timer that is still to fire. */
  rowOf(id: TimerId): number {
    const row = id & (MAX_SLOTS - 1)
    if (row >= this.#capacity || this.place[row] === FREE || this.idOf(row) !== id) return -1
    return row
  }

  #grow(): void {
    const old = this.#capacity
    if (old >= MAX_SLOTS) {
      throw new ParakernelError('ENOBUFS', `${MAX_SLOTS} timers are pending`, {
        subject: 'timers',
        remedy: 'Cancel timers that are no longer needed, or let one timer serve many objects',
      })
    }
    const capacity = Math.min(old * 2, MAX_SLOTS)
    this.time = widen(new Float64Array(capacity), this.time)
    this.base = widen(new Float64Array(capacity), this.base)
    this.slack = widen(new Float64Array(capacity), this.slack)
    this.sequence = widen(new Float64Array(capacity), this.sequence)
    this.period = widen(new Float64Array(capacity), this.period)
    this.previous = widen(new Int32Array(capacity), this.previous)
    this.next = widen(new Int32Array(capacity), this.next)
    this.place = widen(new Int32Array(capacity), this.place)
    this.#generation = widen(new Int32Array(capacity), this.#generation)
    this.#capacity = capacity
    this.#addRows(old)
  }

  #addRows(first: number): void {
    for (let row = first; row < this.#capacity; row++) {
      this.place[row] = FREE
      this.#generation[row] = 1
      this.next[row] = row + 1 < this.#capacity ? row + 1 : -1
      this.tasks.push(undefined)
    }
    this.#freeHead = first
    this.#freeTail = this.#capacity - 1
  }
}

function widen<Column extends Float64Array | Int32Array>(column: Column, old: Column): Column {
  column.set(old)
  return column
}
