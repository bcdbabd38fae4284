import {
  attachBlockQueue,
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  FramePool,
  GRANT_ATTACHED,
  type Host,
  MonotonicClock,
} from '@parakernel/hal'
import { Sleeper } from '../sleeper.ts'
import type { BlockStep, EndResult, ExerciseResult, SleepResult } from './worker-protocol.ts'

const BURST = 8

/** Runs the suite's steps on one block queue, in whichever thread it is constructed. */
export class BlockStepRunner {
  readonly #clock = new MonotonicClock()
  readonly #started: () => void
  readonly #burst = new BlockBurst(BURST, BURST)
  readonly #completions = new BlockCompletions(BURST)
  #queue: BlockQueue | undefined
  #host: Host | undefined
  #frames: number[] = []

  /** @param started is called when a step that never ends has begun. */
  constructor(started: () => void) {
    this.#started = started
  }

  async run(step: BlockStep): Promise<unknown> {
    if (step.kind === 'attach') return this.#attach(step)
    const queue = this.#queue
    if (step.kind === 'reset') {
      queue?.detach()
      this.#queue = undefined
      return
    }
    if (queue === undefined) throw new Error('no queue is attached')
    if (step.kind === 'exercise') return this.#exercise(queue, step)
    if (step.kind === 'sleep') return this.#sleep(queue, step.rounds)
    if (step.kind === 'flood') return this.#flood(queue, step)
    if (step.kind === 'to-end') return this.#toEnd(queue, step.patience)
    return queue.detach()
  }

  async #attach({ grant, hostModule }: Extract<BlockStep, { kind: 'attach' }>): Promise<void> {
    if (hostModule !== undefined) {
      const { createHost } = (await import(hostModule)) as { createHost(): Host }
      this.#host = createHost()
    }
    const host = this.#host === undefined ? {} : { host: this.#host }
    this.#queue = await attachBlockQueue(grant, { pool: new FramePool(grant.window), clock: this.#clock, ...host })
    this.#frames = Array.from({ length: BURST }, () => this.#queue?.pool.allocate() ?? -1)
  }

  #exercise(queue: BlockQueue, { lba, blocks, stamp }: Extract<BlockStep, { kind: 'exercise' }>): ExerciseResult {
    const { blockSize } = queue.capabilities
    let wrong = 0
    let failed = 0
    for (const opcode of [BLOCK_WRITE, BLOCK_READ]) {
      for (let at = 0; at < blocks; at += BURST) {
        const count = Math.min(BURST, blocks - at)
        this.#burst.clear()
        for (let i = 0; i < count; i++) {
          this.#fill(queue, i, opcode === BLOCK_WRITE ? stamp + at + i : 0)
          this.#push(queue, opcode, lba + at + i, i)
        }
        failed += this.#finish(queue, count)
        if (opcode === BLOCK_WRITE) continue
        for (let i = 0; i < count; i++) {
          const start = queue.pool.address(this.#frames[i])
          for (let b = 0; b < blockSize; b++) {
            if (queue.pool.bytes[start + b] !== ((stamp + at + i) & 0xff)) wrong++
          }
        }
      }
    }
    return { wrong, failed }
  }

  #sleep(queue: BlockQueue, rounds: number): SleepResult {
    const sleeper = new Sleeper(queue, this.#clock, this.#host)
    let completed = 0
    let lost = 0
    for (let round = 0; round < rounds; round++) {
      this.#burst.clear()
      this.#push(queue, BLOCK_READ, queue.grant.range.firstLba, 0)
      queue.submit(this.#burst)
      let woken = true
      const end = performance.now() + 4000
      while (queue.complete(this.#completions) === 0) {
        if (performance.now() > end) return { completed, sleeps: sleeper.sleeps, lost }
        woken = sleeper.sleep(1000)
      }
      if (!woken) lost++
      completed++
    }
    sleeper.close()
    return { completed, sleeps: sleeper.sleeps, lost }
  }

  #flood(queue: BlockQueue, { lba, blocks, stamp }: Extract<BlockStep, { kind: 'flood' }>): never {
    for (let i = 0; i < BURST; i++) this.#fill(queue, i, stamp)
    for (let round = 0; ; round++) {
      this.#burst.clear()
      for (let i = 0; i < BURST; i++) this.#push(queue, BLOCK_WRITE, lba + ((round * BURST + i) % blocks), i)
      for (let done = 0; done < BURST; ) {
        done += queue.submit(this.#burst, done)
        queue.complete(this.#completions)
        if (round === 0 && done > 0) this.#started()
      }
    }
  }

  #toEnd(queue: BlockQueue, patience: number): EndResult {
    const end = performance.now() + patience
    let accepted = 0
    let completed = 0
    this.#started()
    this.#burst.clear()
    for (let i = 0; i < BURST; i++) this.#push(queue, BLOCK_READ, queue.grant.range.firstLba + i, i)
    while (queue.control.state === GRANT_ATTACHED && performance.now() < end) {
      accepted += queue.submit(this.#burst)
      completed += queue.complete(this.#completions)
    }
    const submittedAfter = queue.submit(this.#burst)
    const last = performance.now() + 1000
    while (completed !== accepted && performance.now() < last) completed += queue.complete(this.#completions)
    return { state: queue.control.state, missing: accepted - completed, submittedAfter }
  }

  #fill(queue: BlockQueue, i: number, value: number): void {
    const start = queue.pool.address(this.#frames[i])
    queue.pool.bytes.fill(value & 0xff, start, start + queue.capabilities.blockSize)
  }

  #push(queue: BlockQueue, opcode: number, lba: number, i: number): void {
    this.#burst.push(opcode, queue.grant.range.namespace, lba, 1, i)
    this.#burst.addSegment(this.#frames[i], 0, queue.capabilities.blockSize)
  }

  /** Submits the burst and waits for its end; answers how many commands failed. */
  #finish(queue: BlockQueue, count: number): number {
    const end = performance.now() + 10_000
    let done = 0
    let completed = 0
    let failed = 0
    while (completed < count) {
      if (done < count) done += queue.submit(this.#burst, done)
      const some = queue.complete(this.#completions)
      for (let i = 0; i < some; i++) if (this.#completions.status[i] !== 0) failed++
      completed += some
      if (performance.now() > end) throw new Error(`${count - completed} commands did not complete`)
    }
    return failed
  }
}
