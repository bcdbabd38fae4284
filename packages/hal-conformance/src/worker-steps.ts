import {
  attachNetQueue,
  DEFAULT_BURST,
  DebugFramePool,
  GRANT_ATTACHED,
  type Host,
  MonotonicClock,
  NetBurst,
  type NetQueue,
} from '@parakernel/hal'
import { Sleeper } from './sleeper.ts'
import type { DetachResult, EchoResult, PollResult, Step } from './worker-protocol.ts'

/** Runs the suite's steps on one queue, in whichever thread it is constructed. */
export class StepRunner {
  readonly #clock = new MonotonicClock()
  readonly #started: () => void
  #queue: NetQueue | undefined
  #host: Host | undefined

  /** @param started is called when a step that never ends has begun. */
  constructor(started: () => void) {
    this.#started = started
  }

  async run(step: Step): Promise<unknown> {
    if (step.kind === 'attach') return this.#attach(step)
    const queue = this.#queue
    if (queue === undefined) throw new Error('no queue is attached')
    if (step.kind === 'echo') return this.#echo(queue, step)
    if (step.kind === 'flood') return this.#flood(queue, step.packet)
    if (step.kind === 'poll-to-end') return this.#pollToEnd(queue, step.patience)
    return this.#detach(queue)
  }

  async #attach({ grant, hostModule }: Extract<Step, { kind: 'attach' }>): Promise<void> {
    if (hostModule !== undefined) {
      const { createHost } = (await import(hostModule)) as { createHost(): Host }
      this.#host = createHost()
    }
    const host = this.#host === undefined ? {} : { host: this.#host }
    this.#queue = await attachNetQueue(grant, { pool: new DebugFramePool(grant.window), clock: this.#clock, ...host })
  }

  #echo(queue: NetQueue, { count, sleep, patience }: Extract<Step, { kind: 'echo' }>): EchoResult {
    const { pool } = queue
    const burst = new NetBurst(DEFAULT_BURST, queue.capabilities.columns)
    const sleeper = new Sleeper(queue, this.#clock, this.#host)
    let received = 0
    let transmitted = 0
    let lost = 0
    let last = performance.now()
    let woken = true
    while (transmitted < count && performance.now() - last < patience) {
      if (queue.receive(burst) === 0) {
        if (sleep) woken = sleeper.sleep(1_000)
        continue
      }
      if (!woken) lost++
      woken = true
      last = performance.now()
      received += burst.count
      for (let i = 0; i < burst.count; i++)
        exchangeAddresses(pool.bytes, pool.address(burst.frame[i]) + burst.offset[i])
      // The device's findings about what arrived mean nothing for what leaves.
      for (let i = 0; i < burst.count; i++) burst.flags[i] &= 1
      let done = 0
      while (done < burst.count && performance.now() - last < patience) done += queue.transmit(burst, done)
      transmitted += done
    }
    // What is still in the ring has to leave before the queue is detached.
    const settle = performance.now() + 20
    while (performance.now() < settle) queue.reap()
    sleeper.close()
    return { received, transmitted, sleeps: sleeper.sleeps, lost }
  }

  #flood(queue: NetQueue, packet: Uint8Array): never {
    const { pool } = queue
    const burst = new NetBurst(DEFAULT_BURST, queue.capabilities.columns)
    const { transmitAlignment: alignment } = queue.capabilities
    const offset = Math.ceil((pool.base + pool.headroom) / alignment) * alignment - pool.base
    for (let rounds = 0; ; rounds++) {
      burst.count = 0
      while (burst.count < burst.capacity) {
        const frame = pool.allocate()
        if (frame < 0) break
        pool.bytes.set(packet, pool.address(frame) + offset)
        burst.push(frame, offset, packet.length)
      }
      const done = queue.transmit(burst)
      for (let i = done; i < burst.count; i++) pool.release(burst.frame[i])
      if (rounds === 0) this.#started()
    }
  }

  #pollToEnd(queue: NetQueue, patience: number): PollResult {
    const burst = new NetBurst(DEFAULT_BURST, queue.capabilities.columns)
    const end = performance.now() + patience
    this.#started()
    while (queue.control.state === GRANT_ATTACHED && performance.now() < end) {
      queue.receive(burst)
      for (let i = 0; i < burst.count; i++) queue.pool.release(burst.frame[i])
      burst.count = 0
    }
    const receivedAfter = queue.receive(burst)
    burst.count = 0
    const frame = queue.pool.allocate()
    burst.push(frame, queue.pool.headroom, 60)
    const transmittedAfter = queue.transmit(burst)
    queue.pool.release(frame)
    return { state: queue.control.state, receivedAfter, transmittedAfter }
  }

  #detach(queue: NetQueue): DetachResult {
    queue.detach()
    const pool = queue.pool as DebugFramePool
    return { missing: pool.frameCount - pool.available, report: pool.report() }
  }
}

function exchangeAddresses(bytes: Uint8Array, start: number): void {
  for (let i = start; i < start + 6; i++) {
    const byte = bytes[i]
    bytes[i] = bytes[i + 6]
    bytes[i + 6] = byte
  }
}
