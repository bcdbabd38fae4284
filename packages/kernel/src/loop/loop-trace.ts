import { type Clock, RecordRing } from '@parakernel/hal'

/** A round that found work; `a`: how much, `b`: how many of it were timers. */
export const TRACE_ROUND = 1
/** The timers of a round; `a`: how many. */
export const TRACE_TIMERS = 2
/** The loop slept until it was woken or something was due. */
export const TRACE_SLEEP = 3
/** A short sleep without a wake-up, so that work gathers. */
export const TRACE_GATHER = 4
/** Node's own loop had its turn. */
export const TRACE_NODE = 5

/** A round in which a step took longer than the loop's bound for stalls. */
export const TRACE_STALL = 6

/** A turn of Node's loop shorter than this leaves no record, or they would fill the ring. Nanoseconds. */
const SHORT_TURN = 20_000

/** Notes what a run loop does, as long as it hangs in `RunLoop.trace`. Allocates nothing after construction. */
export class LoopTrace {
  readonly #clock: Clock
  readonly #ring: RecordRing
  /** When Node's loop got its turn, or -1. */
  #turnSince = -1

  /** @param buffer made by `recordRingBuffer`; whoever made it reads the records */
  constructor(buffer: SharedArrayBuffer, clock: Clock) {
    this.#ring = new RecordRing(buffer)
    this.#clock = clock
  }

  /** The timers of the round that began at `now` have run. */
  timers(now: number, count: number): void {
    this.#add(TRACE_TIMERS, now, count, 0)
  }

  /** The round that began at `now` is over. */
  round(now: number, work: number, timers: number): void {
    this.#add(TRACE_ROUND, now, work, timers)
  }

  /** A sleep that began at `start` is over. */
  slept(kind: typeof TRACE_SLEEP | typeof TRACE_GATHER, start: number): void {
    this.#add(kind, start, 0, 0)
  }

  /** The round that began at `start` was over at `end`, too late. */
  stalled(start: number, end: number): void {
    const ring = this.#ring
    ring.start = start
    ring.end = end
    ring.add(TRACE_STALL, 0, 0)
  }

  nodeBegins(): void {
    this.#turnSince = this.#clock.now()
  }

  /** @param kind what the turn was for */
  nodeEnds(kind: typeof TRACE_NODE | typeof TRACE_SLEEP): void {
    const since = this.#turnSince
    this.#turnSince = -1
    if (since >= 0 && this.#clock.now() - since >= SHORT_TURN) this.#add(kind, since, 0, 0)
  }

  #add(kind: number, start: number, a: number, b: number): void {
    const ring = this.#ring
    ring.start = start
    ring.end = this.#clock.now()
    ring.add(kind, a, b)
  }
}
