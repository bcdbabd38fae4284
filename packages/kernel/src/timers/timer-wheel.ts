import { type Clock, ParakernelError } from '@parakernel/hal'
import type { TimerId, Timers } from '../contracts.ts'
import { roundestTime } from './slack.ts'
import { TimerHeap } from './timer-heap.ts'
import { IN_HEAP, PARKED, TimerTable, type TimerTask } from './timer-table.ts'

/** Nanoseconds a tick: timers of one tick are ordered by the heap, so this bounds no precision, only the heap's size. */
const TICK = 65_536
const BITS = 5
const WIDTH = 1 << BITS
/** Ticks are split at 2^30, so that both halves are int32; six levels below, two above: 2^40 ticks, 834 days. */
const LOW_LEVELS = 6
const LOW = 2 ** (BITS * LOW_LEVELS)
const LEVELS = 8
const MAX_TICK = 2 ** (BITS * LEVELS) - 1
/** Set while tasks run, for timers that are due already: they fire in the next round. */
const NEXT_ROUND = LEVELS * WIDTH
const BUCKETS = NEXT_ROUND + 1

/**
 * A hierarchical timer wheel whose timers fire in exact order of (time, insertion). A timer lies at the level of the
 * highest digit (base 32) in which its tick differs from the current one; so every timer of a level is due before every
 * timer of the level above, the first occupied bucket of the lowest level holds the earliest timer, and a clock that
 * jumps costs no more than the buckets that it passes. Timers of the current tick wait in a heap.
 *
 * `at` and `cancel` are O(1) (in the current tick O(log k) in its k timers), and allocate nothing unless the table grows.
 */
export class TimerWheel implements Timers {
  /** Called when a new timer is the earliest of all, so that a sleeping driver can set its alarm anew. */
  onEarlier: (() => void) | undefined
  /** The task that ran last. */
  last: TimerTask | undefined

  readonly #clock: Clock
  readonly #table: TimerTable
  readonly #heap: TimerHeap
  readonly #head = new Int32Array(BUCKETS).fill(-1)
  /** Earliest time that was put into each bucket; too early after that timer was cancelled. */
  readonly #earliest = new Float64Array(BUCKETS)
  /** One bit a bucket. */
  readonly #occupied = new Int32Array(LEVELS)
  #high = 0
  #low = 0
  /** No timer is due before this. */
  #due = Infinity
  /** The time for which tasks are being run, or -Infinity. */
  #running = -Infinity

  constructor(clock: Clock, capacity = 4096) {
    this.#clock = clock
    this.#table = new TimerTable(capacity)
    this.#heap = new TimerHeap(this.#table)
    this.#advance(clock.now())
  }

  get size(): number {
    return this.#table.size
  }

  at(time: number, task: TimerTask, slack = 0): TimerId {
    if (Number.isNaN(time)) throw invalid('the time of a timer is not a number')
    return this.#insert(slack === 0 ? time : roundestTime(time, checkSlack(slack)), 0, task)
  }

  every(period: number, task: TimerTask, first = this.#clock.now() + period, slack = 0): TimerId {
    if (!(period > 0 && period < Infinity)) throw invalid(`period ${period} is not a positive number of nanoseconds`)
    if (!Number.isFinite(first)) throw invalid(`the first time of a timer, ${first}, is not a finite number`)
    const id = this.#insert(roundestTime(first, checkSlack(slack)), period, task)
    const row = this.#table.rowOf(id)
    this.#table.base[row] = first
    this.#table.slack[row] = slack
    return id
  }

  cancel(id: TimerId): boolean {
    const table = this.#table
    const row = table.rowOf(id)
    if (row < 0) return false
    const place = table.place[row]
    if (place === IN_HEAP) this.#heap.remove(row)
    else if (place >= 0) this.#unlink(row, place)
    table.free(row)
    return true
  }

  next(): number {
    let time = this.#heap.size > 0 ? this.#table.time[this.#heap.top] : this.#firstBucketTime()
    if (this.#head[NEXT_ROUND] >= 0) time = Math.min(time, this.#earliest[NEXT_ROUND])
    return time
  }

  /**
   * Fires what is due at `now`, in order, at most `limit` timers, and returns their number. Timers that a task sets for a
   * time that is past fire in the next call. Not re-entrant.
   */
  run(now: number, limit = Infinity): number {
    if (now < this.#due) return 0
    this.#advance(now)
    const table = this.#table
    const heap = this.#heap
    let fired = 0
    this.#running = now
    try {
      while (fired < limit && heap.size > 0) {
        const row = heap.top
        const time = table.time[row]
        if (time > now) break
        heap.remove(row)
        const task = table.tasks[row] as TimerTask
        const period = table.period[row]
        if (period === 0) table.free(row)
        else {
          const base = table.base[row]
          const next = base + period * (Math.floor((now - base) / period) + 1)
          table.base[row] = next
          table.time[row] = roundestTime(next, table.slack[row])
          table.stamp(row)
          this.#place(row)
        }
        fired++
        this.last = task
        task(now)
      }
    } finally {
      this.#running = -Infinity
      this.#refile(NEXT_ROUND)
      this.#due = this.next()
    }
    return fired
  }

  #insert(time: number, period: number, task: TimerTask): TimerId {
    const row = this.#table.allocate(time, period, task)
    this.#place(row)
    if (time < this.#due) {
      this.#due = time
      this.onEarlier?.()
    }
    return this.#table.idOf(row)
  }

  #place(row: number): void {
    const time = this.#table.time[row]
    if (time <= this.#running) {
      this.#link(row, NEXT_ROUND)
      return
    }
    const tick = Math.floor(time / TICK)
    if (tick > MAX_TICK) {
      this.#table.place[row] = PARKED
      return
    }
    const high = Math.max(0, Math.floor(tick / LOW)) | 0
    const low = Math.max(0, tick - high * LOW) | 0
    if (high < this.#high || (high === this.#high && low <= this.#low)) {
      this.#heap.push(row)
      return
    }
    if (high === this.#high) {
      const level = digit(low ^ this.#low)
      this.#link(row, level * WIDTH + ((low >> (level * BITS)) & (WIDTH - 1)))
    } else {
      const level = digit(high ^ this.#high)
      this.#link(row, (LOW_LEVELS + level) * WIDTH + ((high >> (level * BITS)) & (WIDTH - 1)))
    }
  }

  /** Moves the current tick on to that of `now`, and all timers up to it into the heap. */
  #advance(now: number): void {
    const tick = Math.min(Math.max(0, Math.floor(now / TICK)), MAX_TICK)
    const high = Math.floor(tick / LOW) | 0
    const low = (tick - high * LOW) | 0
    if (high < this.#high || (high === this.#high && low <= this.#low)) return
    for (;;) {
      const level = this.#lowestLevel()
      if (level < 0) break
      const index = lowestBit(this.#occupied[level])
      const startsHigh = level < LOW_LEVELS ? this.#high : replaceDigit(this.#high, level - LOW_LEVELS, index)
      const startsLow = level < LOW_LEVELS ? replaceDigit(this.#low, level, index) : 0
      if (startsHigh > high || (startsHigh === high && startsLow > low)) break
      this.#high = startsHigh
      this.#low = startsLow
      this.#refile(level * WIDTH + index)
    }
    this.#high = high
    this.#low = low
  }

  #firstBucketTime(): number {
    const level = this.#lowestLevel()
    return level < 0 ? Infinity : this.#earliest[level * WIDTH + lowestBit(this.#occupied[level])]
  }

  #lowestLevel(): number {
    for (let level = 0; level < LEVELS; level++) if (this.#occupied[level] !== 0) return level
    return -1
  }

  /** Empties a bucket and places its timers anew. */
  #refile(bucket: number): void {
    let row = this.#head[bucket]
    if (row < 0) return
    this.#head[bucket] = -1
    this.#clearBit(bucket)
    while (row >= 0) {
      const next = this.#table.next[row]
      this.#place(row)
      row = next
    }
  }

  #link(row: number, bucket: number): void {
    const table = this.#table
    const head = this.#head[bucket]
    const time = table.time[row]
    table.place[row] = bucket
    table.previous[row] = -1
    table.next[row] = head
    this.#head[bucket] = row
    if (head >= 0) {
      table.previous[head] = row
      if (time < this.#earliest[bucket]) this.#earliest[bucket] = time
    } else {
      this.#earliest[bucket] = time
      if (bucket < NEXT_ROUND) this.#occupied[bucket >> BITS] |= 1 << (bucket & (WIDTH - 1))
    }
  }

  #unlink(row: number, bucket: number): void {
    const { previous, next } = this.#table
    const before = previous[row]
    const after = next[row]
    if (after >= 0) previous[after] = before
    if (before >= 0) next[before] = after
    else {
      this.#head[bucket] = after
      if (after < 0) this.#clearBit(bucket)
    }
  }

  #clearBit(bucket: number): void {
    if (bucket < NEXT_ROUND) this.#occupied[bucket >> BITS] &= ~(1 << (bucket & (WIDTH - 1)))
  }
}

/** Number of the highest digit of `bits`, which is not 0. */
function digit(bits: number): number {
  return ((31 - Math.clz32(bits)) / BITS) | 0
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}

/** `value` with the given digit replaced, and all lower digits zero. */
function replaceDigit(value: number, level: number, index: number): number {
  const shift = level * BITS
  const upper = shift + BITS >= 32 ? 0 : (value >> (shift + BITS)) << (shift + BITS)
  return upper | (index << shift)
}

function checkSlack(slack: number): number {
  if (slack >= 0 && slack < Infinity) return slack
  throw invalid(`slack ${slack} is not a number of nanoseconds from 0 on`)
}

function invalid(message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: 'timers' })
}
