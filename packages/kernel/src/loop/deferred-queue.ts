import { functionName, type StepTimer } from './stall-detector.ts'

/** Tasks for the end of a round. Two lists that take turns, whose storage is kept, so that a task costs no allocation. */
export class DeferredQueue {
  size = 0
  /** That ran last. */
  last: (() => void) | undefined
  #filling: (() => void)[] = []
  #running: (() => void)[] = []

  push(task: () => void): void {
    const at = this.size++
    if (at < this.#filling.length) this.#filling[at] = task
    else this.#filling.push(task)
  }

  /** Runs what was there when it was called; what the tasks defer stays for the next call. Returns the number run. */
  run(probe?: StepTimer): number {
    const count = this.size
    if (count === 0) return 0
    const tasks = this.#filling
    this.#filling = this.#running
    this.#running = tasks
    this.size = 0
    let i = 0
    try {
      while (i < count) {
        const task = tasks[i]
        tasks[i++] = nothing
        this.last = task
        task()
        if (probe !== undefined) timeStep(probe, task)
      }
    } finally {
      // A task threw: the rest must not be lost with it.
      for (; i < count; i++) this.push(tasks[i])
    }
    return count
  }
}

/** By itself: a closure in the loop over the tasks would be made for each of them, probe or not. */
function timeStep(probe: StepTimer, task: () => void): void {
  probe.step(() => functionName('task', task))
}

function nothing(): void {}
