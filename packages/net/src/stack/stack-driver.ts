import { GRANT_ATTACHED, type NetQueue, type WakeSource } from '@parakernel/hal'
import type { Loop, Pollable, TimerId } from '@parakernel/kernel'
import type { ProtocolStack } from './protocol-stack.ts'

/** Ties a protocol stack to a run loop: polls it, keeps its one timer, and sees to it that what was sent goes out. */
export class StackDriver implements Pollable {
  readonly wake: WakeSource
  readonly #stack: ProtocolStack
  readonly #loop: Loop
  readonly #first: NetQueue
  readonly #wakeUps: readonly Pollable[]
  #timer: TimerId = 0
  #timerAt = Number.POSITIVE_INFINITY
  readonly #onTimer = (now: number) => this.#runTimers(now)
  #flushDeferred = false
  readonly #flush = () => {
    this.#flushDeferred = false
    this.#stack.flush()
  }
  #polling = false
  #stopped = false

  constructor(stack: ProtocolStack, loop: Loop) {
    this.#stack = stack
    this.#loop = loop
    const [first, ...others] = stack.interfaces.filter(({ loopback }) => !loopback).flatMap(({ links }) => links)
    this.#first = first.queue
    this.wake = first.queue.wake
    this.#wakeUps = others.map(({ queue }) => wakeUpOf(queue))
    for (const pollable of [this, ...this.#wakeUps]) loop.add(pollable)
    this.#schedule()
  }

  poll(now: number): number {
    this.#polling = true
    const work = this.#stack.poll(now)
    this.#polling = false
    if (this.#stack.context.timersMoved) this.#schedule()
    return work
  }

  arm(): boolean {
    const work = this.#first.arm()
    return work || this.#stack.hasWork
  }

  nextEvent(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { links } of this.#stack.interfaces) {
      for (const { queue } of links) next = Math.min(next, queue.nextEvent?.() ?? next)
    }
    return next
  }

  /** Sets the stack's time for a call from outside of a round, and returns it; within one, it is the round's. */
  readClock(): number {
    const { time } = this.#stack.context
    if (!this.#polling) time[0] = this.#loop.clock.now()
    return time[0]
  }

  /** A burst was sent: it goes out now, or at the end of the round that is running. */
  burstSent(): void {
    if (!this.#polling) this.#stack.flush()
    if (this.#stack.context.timersMoved) this.#schedule()
  }

  /** A stream has something to send: at the end of the round that is running, or of the next. */
  streamSent(): void {
    if (!this.#polling) this.changed()
  }

  /** Something is to be sent, or to be timed: at the end of this round, or of the next. */
  changed(): void {
    if (this.#stopped) return
    if (!this.#flushDeferred) {
      this.#flushDeferred = true
      this.#loop.defer(this.#flush)
    }
    this.#schedule()
  }

  /** Leaves the loop; devices that still have packets of ours on their way are polled until those have gone. */
  stop(): void {
    this.#stopped = true
    for (const pollable of [this, ...this.#wakeUps]) this.#loop.remove(pollable)
    this.#loop.timers.cancel(this.#timer)
    for (const { links } of this.#stack.interfaces) {
      for (const { queue } of links) if (sendsLater(queue)) drain(queue, this.#loop)
    }
  }

  /** Keeps one timer of the loop at the earliest time that a protocol waits for. */
  #schedule(): void {
    this.#stack.context.timersMoved = false
    const next = this.#stack.nextTimer()
    if (next === this.#timerAt) return
    this.#loop.timers.cancel(this.#timer)
    this.#timerAt = next
    this.#timer = next === Number.POSITIVE_INFINITY ? 0 : this.#loop.timers.at(next, this.#onTimer)
  }

  #runTimers(now: number): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    this.#stack.pollTimers(now)
    this.#schedule()
  }
}

/** A device on whose way packets take their time: an emulated link, or faults. */
function sendsLater(queue: NetQueue): boolean {
  return queue.nextEvent !== undefined && queue.nextEvent() !== Number.POSITIVE_INFINITY
}

/** Polls a queue for nothing but what it still has to send, until it has sent it or is detached. */
function drain(queue: NetQueue, loop: Loop): void {
  const pollable: Pollable = {
    wake: queue.wake,
    poll() {
      const isOver = queue.control.state !== GRANT_ATTACHED || !sendsLater(queue)
      if (isOver) loop.defer(() => loop.remove(pollable))
      return isOver ? 0 : queue.reap()
    },
    arm: () => queue.arm(),
    nextEvent: () => queue.nextEvent?.() ?? Number.POSITIVE_INFINITY,
  }
  loop.add(pollable)
}

/** A pollable has one wake source: the second and later queues get one of their own, which does nothing but wake. */
function wakeUpOf(queue: NetQueue): Pollable {
  return { wake: queue.wake, poll: () => 0, arm: () => queue.arm() }
}
