/** The controller serves the queue. */
export const SERVING = 0
/** The controller is being reset: the device may still touch frames, nothing is submitted, nothing completes. */
export const RESETTING = 1
/** The grant is over, or the controller is gone for good: see the control block. */
export const ENDED = 2

const EPOCH = 0
const PHASE = 1
const GENERATION = 2
const TICK = 3
const BROKEN = 4
const STALE = 5
const ACKNOWLEDGED = 6
const HEADER = 16

/** No abort was sent for what is in the slot. */
export const MARK_NONE = 0
/** An abort is under way: the slot's identifier must not be used again before it is answered. */
export const MARK_ABORTING = 1
/** The command ran out of time, and its abort was answered. */
export const MARK_LATE = 2

/**
 * What the two halves of a queue pair share beside the rings: the control thread tells of resets and lets time pass, the holder tells
 * what is outstanding since when. Plain loads and stores on the holder's side, but for one look at the epoch per call.
 *
 * Time is told in ticks that the control thread counts, so that the data path reads no clock.
 */
export class QueueState {
  readonly buffer: SharedArrayBuffer
  readonly words: Int32Array
  /** By slot: the tick of the submission, 0 when the slot is free. */
  readonly stamps: Int32Array
  /** By slot: the command identifier under which the controller knows it. */
  readonly identifiers: Int32Array
  /** By slot: `MARK_*`. The control thread marks, the holder clears when it frees the slot. */
  readonly marks: Int32Array
  readonly depth: number

  constructor(depth: number, buffer = new SharedArrayBuffer((HEADER + 3 * depth) * 4)) {
    this.depth = depth
    this.buffer = buffer
    this.words = new Int32Array(buffer, 0, HEADER)
    this.stamps = new Int32Array(buffer, HEADER * 4, depth)
    this.identifiers = new Int32Array(buffer, (HEADER + depth) * 4, depth)
    this.marks = new Int32Array(buffer, (HEADER + 2 * depth) * 4, depth)
    if (this.tick === 0) this.words[TICK] = 1
  }

  /** Moves on with every change of phase. */
  get epoch(): number {
    return Atomics.load(this.words, EPOCH)
  }

  get phase(): number {
    return Atomics.load(this.words, PHASE)
  }

  /** How often the queue pair was created; its lowest bit names the set of rings. */
  get generation(): number {
    return Atomics.load(this.words, GENERATION)
  }

  /** Coarse time, from 1. */
  get tick(): number {
    return this.words[TICK]
  }

  /** The holder read a completion that cannot be, and waits for a reset. */
  get broken(): boolean {
    return Atomics.load(this.words, BROKEN) !== 0
  }

  /** Completions that named no outstanding command, or a wrong queue or head. */
  get rubbish(): number {
    return Atomics.load(this.words, STALE)
  }

  /** The holder looks at rings and doorbells no more. */
  get acknowledged(): boolean {
    return Atomics.load(this.words, ACKNOWLEDGED) !== 0
  }

  /** Control thread. */
  enter(phase: number): void {
    Atomics.store(this.words, PHASE, phase)
    Atomics.add(this.words, EPOCH, 1)
  }

  /** Control thread: the queue pair exists anew, on the other set of rings, and is served. */
  restart(): void {
    Atomics.store(this.words, BROKEN, 0)
    Atomics.add(this.words, GENERATION, 1)
    this.enter(SERVING)
  }

  /** Control thread: one tick has passed. */
  advance(): void {
    const next = (this.words[TICK] + 1) & 0x3fff_ffff
    this.words[TICK] = next === 0 ? 1 : next
  }

  /** Holder. */
  breakDown(): void {
    Atomics.add(this.words, STALE, 1)
    Atomics.store(this.words, BROKEN, 1)
  }

  /** Holder. */
  acknowledge(): void {
    Atomics.store(this.words, ACKNOWLEDGED, 1)
  }
}
