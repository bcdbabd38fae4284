import { GuestSleeper } from './guest-sleeper.ts'
import { TRACE_NODE, TRACE_SLEEP } from './loop-trace.ts'
import type { Driver, RunLoop } from './run-loop.ts'
import { SLEEPS, SLEEPS_AVOIDED, YIELDS } from './statistics.ts'

/** Nanoseconds, and rounds, after which Node's loop gets its turn: 1.2 us of overhead a turn, under 1 %. */
const QUANTUM = 250_000
const ROUNDS_A_QUANTUM = 256

const microtask = Promise.resolve()

/**
 * A guest in a Node program: runs a quantum of rounds, then lets Node serve timers, sockets, signals and promises. A
 * round that resolved a promise ends the quantum's turn early, and the rest of the quantum follows as a microtask, behind
 * the continuations of that promise.
 */
export class GuestDriver implements Driver {
  readonly #loop: RunLoop
  readonly #sleeper: GuestSleeper
  readonly #turn = () => this.#newQuantum()
  readonly #step = () => this.#run()
  #immediate: NodeJS.Immediate | undefined
  #stopped = true
  #sleeping = false
  /** The last quantum ended in sleep. */
  #slept = false
  /** When the current quantum is over, and the rounds that it had. */
  #end = 0
  #rounds = 0
  /** On a virtual clock: turns of Node's loop without work since the last one with some. */
  #quietTurns = 0

  constructor(loop: RunLoop) {
    this.#loop = loop
    this.#sleeper = new GuestSleeper(loop, () => this.#woken())
  }

  start(): void {
    this.#stopped = false
    this.#immediate = setImmediate(this.#turn)
  }

  stop(): void {
    this.#stopped = true
    this.#sleeping = false
    clearImmediate(this.#immediate)
    this.#sleeper.close()
  }

  wake(): void {
    if (!this.#sleeping) return
    this.#sleeping = false
    this.#sleeper.end()
    this.#immediate = setImmediate(this.#turn)
  }

  /** Called by Node's loop, not from the middle of somebody's code: the turn can begin at once. */
  #woken(): void {
    if (!this.#sleeping) return
    this.#sleeping = false
    this.#sleeper.end()
    this.#newQuantum()
  }

  #newQuantum(): void {
    this.#loop.trace?.nodeEnds(this.#slept ? TRACE_SLEEP : TRACE_NODE)
    this.#loop.counters.values[YIELDS]++
    this.#end = this.#loop.clock.now() + QUANTUM
    this.#rounds = 0
    this.#run()
  }

  #run(): void {
    if (this.#stopped) return
    const loop = this.#loop
    let next: 'turn' | 'microtask' | 'sleep' = 'turn'
    try {
      loop.yieldRequested = false
      for (;;) {
        const work = loop.round()
        if (this.#stopped) return
        const over = ++this.#rounds >= ROUNDS_A_QUANTUM || (!loop.virtual && loop.now >= this.#end)
        if (work > 0) this.#quietTurns = 0
        if (loop.yieldRequested) {
          if (!over) next = 'microtask'
          break
        }
        if (work === 0 && (loop.virtual || loop.idle)) {
          next = this.#whenIdle()
          break
        }
        if (over) break
      }
    } finally {
      if (!this.#stopped) {
        loop.pause()
        if (next === 'microtask') microtask.then(this.#step)
        else if (next === 'turn') this.#immediate = setImmediate(this.#turn)
        this.#slept = next === 'sleep'
        if (next !== 'microtask') loop.trace?.nodeBegins()
      }
    }
  }

  #whenIdle(): 'turn' | 'sleep' {
    const loop = this.#loop
    if (loop.virtual) {
      // Continuations of promises come before the passing of time.
      if (this.#quietTurns++ === 0) return 'turn'
      this.#quietTurns = 0
      if (loop.jump()) return 'turn'
      this.#sleeping = true
      return 'sleep'
    }
    if (!this.#sleeper.begin()) {
      loop.counters.values[SLEEPS_AVOIDED]++
      return 'turn'
    }
    loop.counters.values[SLEEPS]++
    this.#sleeping = true
    return 'sleep'
  }
}
