import { TRACE_NODE } from './loop-trace.ts'
import type { Driver, RunLoop } from './run-loop.ts'
import { YIELDS } from './statistics.ts'

/** Nanoseconds of work after which Node's loop gets its turn: what a message or a signal may have to wait. */
const QUANTUM = 1_000_000
const ROUNDS_A_QUANTUM = 8192
/** Longest sleep: what a message may have to wait whose sender did not know how to wake this thread. */
const LONGEST_SLEEP = 50_000_000

/** Has the thread to itself: blocks in it, and yields to Node now and then. */
export class OwnerDriver implements Driver {
  readonly #loop: RunLoop
  readonly #step = () => this.#run()
  #immediate: NodeJS.Immediate | undefined
  #stopped = true

  constructor(loop: RunLoop) {
    this.#loop = loop
  }

  start(): void {
    this.#stopped = false
    this.#immediate = setImmediate(this.#step)
  }

  stop(): void {
    this.#stopped = true
    clearImmediate(this.#immediate)
  }

  /** A round follows every turn of Node's loop, and that is the only place where this can be called from. */
  wake(): void {}

  #run(): void {
    const loop = this.#loop
    loop.trace?.nodeEnds(TRACE_NODE)
    try {
      loop.yieldRequested = false
      const end = loop.clock.now() + QUANTUM
      let woken = false
      for (let rounds = 0; rounds < ROUNDS_A_QUANTUM; rounds++) {
        const work = loop.round()
        if (this.#stopped || loop.yieldRequested) break
        if (work > 0) woken = false
        else if (woken) break
        else if (loop.virtual ? !loop.jump() : loop.idle || loop.mayGather) {
          woken = loop.block(loop.now + LONGEST_SLEEP)
        }
        if (!loop.virtual && loop.now >= end) break
      }
    } finally {
      if (!this.#stopped) {
        loop.pause()
        loop.counters.values[YIELDS]++
        loop.trace?.nodeBegins()
        this.#immediate = setImmediate(this.#step)
      }
    }
  }
}
