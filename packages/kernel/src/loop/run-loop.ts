import { isMainThread } from 'node:worker_threads'
import { type Clock, type Host, MonotonicClock, ParakernelError, type VirtualClock, WakeWord } from '@parakernel/hal'
import { BACKGROUND, FAST, type Loop, type Pollable, type WaitPolicy } from '../contracts.ts'
import { TimerWheel } from '../timers/timer-wheel.ts'
import { BlockingSleeper } from './blocking-sleeper.ts'
import { DeferredQueue } from './deferred-queue.ts'
import { Gathering } from './gathering.ts'
import { GuestDriver } from './guest-driver.ts'
import type { LogHistogram } from './log-histogram.ts'
import { type LoopTrace, TRACE_GATHER, TRACE_SLEEP } from './loop-trace.ts'
import { OwnerDriver } from './owner-driver.ts'
import { type GroupStatistics, labelOf, PollGroup } from './poll-group.ts'
import { seededOrder } from './seeded-order.ts'
import { functionName, type Stall, StallDetector, type StallOptions, type StepTimer } from './stall-detector.ts'
import {
  BATCHES,
  BUSY_ROUNDS,
  batchClass,
  GATHERS,
  LoopCounters,
  ROUNDS,
  SLEEPS,
  SLEEPS_AVOIDED,
  STALLS,
  TIMERS,
  WORK,
} from './statistics.ts'
import { gatherTime, spinBudget } from './waiting-policy.ts'
import { collectWakeSources, type WakeSources } from './wake-sources.ts'

/** Timers that one round fires at most; the rest is due in the next, after the queues had their turn. */
const TIMERS_A_ROUND = 256
/** Jumps of a virtual clock in a row that may find nothing to do, before this counts as a pollable's mistake. */
const EMPTY_JUMPS = 100_000
/** What a gathering sleep waits for: its time-out alone. */
const NOBODY_NOTIFIES = new Int32Array(new SharedArrayBuffer(4))
/** Work that one poll is asked for at most: a batch is what has queued up, and no more than this. */
const BATCH = 64
/** Four bursts of the fast path for each of the background, while both have work. */
const SHARES: Readonly<Record<string, number>> = { [FAST]: 4, [BACKGROUND]: 1 }

export interface RunLoopOptions {
  /** Default: the host's monotonic clock. A `VirtualClock` makes the loop deterministic. */
  readonly clock?: Clock
  /** Needed to sleep on descriptors; without it they are polled every millisecond. */
  readonly host?: Host
  /** Default: hybrid, 50 us of each. */
  readonly wait?: WaitPolicy
  /** Shared memory of the wake word by which other threads wake this loop: its partition's. */
  readonly wake?: SharedArrayBuffer
  /** Shared memory for `LoopCounters`, so that another thread can read them. */
  readonly counters?: SharedArrayBuffer
  /** Work that one poll is asked for at most; default 64. */
  readonly batch?: number
  /** Only with a virtual clock: draws the order in which the pollables of a group have their turn, anew each round. */
  readonly seed?: number
  /** What to do about steps that hog the loop; not on a virtual clock. */
  readonly stall?: StallOptions
}

/**
 * Who runs the loop. `guest` shares the thread with a Node program: a quantum of rounds, then Node's turn, and all
 * waiting is done in Node's own loop. `owner` has the thread to itself: it blocks while there is nothing to do, and lets
 * Node's loop run every millisecond and after each wake-up that brought no work. While anything depends on Node's loop
 * (`dependOnNode`), an owner waits there as a guest does.
 */
export type DriverKind = 'guest' | 'owner'

export interface Driver {
  start(): void
  stop(): void
  /** Something was added from outside of a round. */
  wake(): void
}

/** The run loop of one thread. */
export class RunLoop implements Loop {
  readonly clock: Clock
  readonly timers: TimerWheel
  readonly host: Host | undefined
  readonly wait: WaitPolicy
  readonly counters: LoopCounters
  /** Nanoseconds without work after which the loop sleeps. */
  readonly spin: number
  now: number
  /** Set by `requestYield`, cleared by the driver. */
  yieldRequested = false
  /** Notes what the loop does, while there is one. */
  trace: LoopTrace | undefined

  readonly #virtual: VirtualClock | undefined
  readonly #own: WakeWord | undefined
  readonly #counts: Float64Array
  readonly #roundTimes: LogHistogram
  readonly #deferred = new DeferredQueue()
  readonly #gathering: Gathering
  /** Of all groups, in the order in which they came. */
  readonly #pollables: Pollable[] = []
  readonly #groups = new Map<string, PollGroup>()
  readonly #fast: PollGroup
  /** The groups that have pollables. */
  #busyGroups: readonly PollGroup[] = []
  /** Others than `FAST` have, or their order is drawn: rounds go by group. */
  #sharing = false
  #cursor = -1
  /** How many pollables did something in the last round, and the index of the last of them. */
  #workers = 0
  #worker = -1
  readonly #batch: number
  readonly #random: ((bound: number) => number) | undefined
  readonly #stalls: StallDetector
  /** When to look for a stall again. */
  #lookAt: number
  /** Round followed round in this thread, with nothing in between that is not the loop's. */
  #unbroken = false
  /** Timers and deferred tasks of the last round. */
  #timersRun = 0
  #tasksRun = 0
  readonly #suspects = () => this.#stepsOfLastRound()
  #running = false
  /** The last round found work. */
  #busy = false
  /** Time of the first round of the current quiet spell, or -1. */
  #quietSince = -1
  #sources: WakeSources | undefined
  #sleeper: BlockingSleeper | undefined
  #driver: Driver | undefined
  #driverKind: DriverKind | undefined
  #nodeDependents = 0

  constructor(options: RunLoopOptions = {}) {
    this.clock = options.clock ?? new MonotonicClock()
    this.timers = new TimerWheel(this.clock)
    this.timers.onEarlier = () => this.wake()
    this.host = options.host
    this.wait = options.wait ?? { kind: 'hybrid' }
    this.counters = new LoopCounters(options.counters)
    this.now = this.clock.now()
    this.#virtual = 'advanceTo' in this.clock ? (this.clock as VirtualClock) : undefined
    this.#own = options.wake === undefined ? undefined : new WakeWord(options.wake)
    this.#counts = this.counters.values
    this.#roundTimes = this.counters.roundTimes
    const { batch = BATCH, seed } = options
    if (!(Number.isInteger(batch) && batch >= 1)) throw invalid(`a batch of ${batch} is not a positive integer`)
    if (seed !== undefined && this.#virtual === undefined) throw invalid('only a virtual clock repeats a seeded order')
    this.#batch = batch
    this.#random = seed === undefined ? undefined : seededOrder(seed)
    this.#fast = this.#group(FAST)
    this.#stalls = new StallDetector(options.stall ?? {}, this.clock, this.#counts)
    this.#lookAt = this.#virtual === undefined && this.#stalls.bound < Infinity ? 0 : Infinity
    this.spin = spinBudget(this.wait)
    this.#gathering = new Gathering(gatherTime(this.wait))
  }

  /** Whether time moves only by this loop's own jumps. */
  get virtual(): boolean {
    return this.#virtual !== undefined
  }

  get pollables(): readonly Pollable[] {
    return this.#pollables
  }

  add(pollable: Pollable, group: string = FAST): void {
    if (this.#pollables.includes(pollable)) return
    this.#pollables.push(pollable)
    this.#group(group).members.push(pollable)
    this.#membersChanged()
  }

  remove(pollable: Pollable): void {
    const index = this.#pollables.indexOf(pollable)
    if (index < 0) return
    this.#pollables.splice(index, 1)
    const place = this.#fast.members.indexOf(pollable)
    if (place >= 0 && place <= this.#cursor) this.#cursor--
    for (const group of this.#groups.values()) if (group.remove(pollable)) break
    this.#membersChanged()
  }

  /**
   * Sets how much of the loop a group gets while others have work too: of n shares in all, so many n-th parts of the work, in
   * bursts of 32 a share. `FAST` begins with 4, every other group with 1. @throws EINVAL unless it is an integer from 1 to 1,000
   */
  setShare(group: string, share: number): void {
    if (!(Number.isInteger(share) && share >= 1 && share <= 1000)) throw invalid(`share ${share} is not 1 to 1000`)
    this.#group(group).share = share
  }

  /** The last step that hogged the loop. */
  get lastStall(): Stall | undefined {
    return this.#stalls.last
  }

  /** What each group did, by its name. */
  groups(): Readonly<Record<string, GroupStatistics>> {
    return Object.fromEntries(Array.from(this.#groups.values(), (group) => [group.name, group.statistics()]))
  }

  #group(name: string): PollGroup {
    let group = this.#groups.get(name)
    if (group === undefined) {
      group = new PollGroup(name, SHARES[name] ?? 1, this.#batch, this.#counts)
      this.#groups.set(name, group)
    }
    return group
  }

  #pollGroups(now: number, probe: StepTimer | undefined): number {
    const groups = this.#busyGroups
    if (this.#random !== undefined) for (const group of groups) group.shuffle(this.#random)
    return pollShares(groups, now, probe)
  }

  #membersChanged(): void {
    this.#busyGroups = [...this.#groups.values()].filter(({ members }) => members.length > 0)
    // A round that is running ends as it began.
    this.#sharing = this.#random !== undefined || this.#busyGroups.some((group) => group !== this.#fast)
    this.#sources = undefined
    this.wake()
  }

  defer(task: () => void): void {
    this.#deferred.push(task)
    this.wake()
  }

  wake(): void {
    if (!this.#running) this.#driver?.wake()
  }

  requestYield(): void {
    this.yieldRequested = true
  }

  /** For whoever runs rounds now and then: what happens between them is not the loop's. */
  runOnce(): number {
    this.#unbroken = false
    const work = this.round()
    this.#unbroken = false
    return work
  }

  /** One round of many without a break: see `pause`. */
  round(): number {
    if (this.#running) {
      throw new ParakernelError('EBUSY', 'a round is running in this thread already', {
        subject: 'run loop',
        remedy: 'Do not wait inside of a poll, a timer or a handler: use `await runtime.completion(token)`, or defer',
      })
    }
    this.#running = true
    try {
      const now = this.clock.now()
      if (now >= this.#lookAt) this.#look(now)
      this.#unbroken = true
      if (this.#busy) this.#roundTimes.record(now - this.now)
      this.now = now
      const { probe } = this.#stalls
      const timers = probe === undefined ? this.timers.run(now, TIMERS_A_ROUND) : this.#probeTimers(now, probe)
      const trace = this.trace
      if (trace !== undefined && timers > 0) trace.timers(now, timers)
      let work = timers
      const counts = this.#counts
      if (this.#sharing || probe !== undefined) work += this.#pollGroups(now, probe)
      else {
        const { members } = this.#fast
        this.#workers = 0
        // Written out here: behind a call to the group it takes a nanosecond more for each pollable.
        for (this.#cursor = 0; this.#cursor < members.length; this.#cursor++) {
          const done = members[this.#cursor].poll(now, this.#batch)
          if (done > 0) {
            work += done
            this.#workers++
            this.#worker = this.#cursor
            counts[BATCHES + batchClass(done)]++
          }
        }
        this.#cursor = -1
        if (this.#workers > 0) this.#fast.work += work - timers
      }
      const tasks = this.#deferred.run(probe)
      work += tasks
      this.#timersRun = timers
      this.#tasksRun = tasks
      counts[ROUNDS]++
      this.#busy = work > 0
      if (work > 0) {
        if (trace !== undefined) trace.round(now, work, timers)
        counts[BUSY_ROUNDS]++
        counts[WORK] += work
        counts[TIMERS] += timers
        this.#quietSince = -1
      } else if (this.#quietSince < 0) {
        this.#quietSince = now
        this.#gathering.quiet(counts[WORK])
      }
      return work
    } finally {
      this.#running = false
    }
  }

  /** The thread does something else now: sleeps, or runs Node's loop. Ends the last round. */
  pause(now = this.clock.now()): void {
    if (now >= this.#lookAt) this.#look(now)
    this.#unbroken = false
  }

  #look(now: number): void {
    const stalls = this.#counts[STALLS]
    this.#lookAt = this.#stalls.look(now, this.#unbroken ? this.now : -1, this.#suspects)
    if (this.#counts[STALLS] > stalls) this.trace?.stalled(this.now, now)
  }

  #probeTimers(now: number, probe: StepTimer): number {
    probe.begin(now)
    let fired = 0
    while (fired < TIMERS_A_ROUND && this.timers.run(now, 1) > 0) {
      fired++
      probe.step(() => functionName('timer', this.timers.last))
    }
    return fired
  }

  /** Names of all that did something in the last round; of all pollables when nobody did. */
  #stepsOfLastRound(): string[] {
    const steps: string[] = []
    if (this.#timersRun === 1) steps.push(functionName('timer', this.timers.last))
    else if (this.#timersRun > 1)
      steps.push(`one of ${this.#timersRun} timers`, functionName('timer', this.timers.last))
    if (this.#sharing) for (const group of this.#busyGroups) steps.push(...group.workers())
    else if (this.#workers === 1) steps.push(...this.#fast.members.slice(this.#worker, this.#worker + 1).map(labelOf))
    else if (this.#workers > 1) steps.push(...this.#fast.members.map(labelOf))
    if (this.#tasksRun === 1) steps.push(functionName('task', this.#deferred.last))
    else if (this.#tasksRun > 1) steps.push(`one of ${this.#tasksRun} tasks`, functionName('task', this.#deferred.last))
    return steps.length === 0 ? this.#pollables.map(labelOf) : steps
  }

  runUntil(done: () => boolean, deadline = Infinity): boolean {
    this.#unbroken = false
    try {
      return this.#rounds(done, deadline)
    } finally {
      if (this.#virtual === undefined) this.pause()
    }
  }

  #rounds(done: () => boolean, deadline: number): boolean {
    let emptyJumps = 0
    for (;;) {
      if (done()) return true
      if (this.round() > 0) {
        emptyJumps = 0
        if (done()) return true
        if (this.now >= deadline) return false
        continue
      }
      if (done()) return true
      if (this.#virtual !== undefined) {
        if (!this.jump(deadline)) return false
        if (++emptyJumps > EMPTY_JUMPS) throw stuck()
      } else {
        if (this.now >= deadline) return false
        if (this.idle || this.mayGather) {
          if (deadline === Infinity && this.inert) return false
          this.block(deadline)
        }
      }
    }
  }

  /** After a round without work: whether the policy says to sleep now. */
  get idle(): boolean {
    return this.#quietSince >= 0 && this.now - this.#quietSince >= this.spin
  }

  /** After a round without work: whether to block for a while although that round was the first of its kind. */
  get mayGather(): boolean {
    return this.#gathering.due
  }

  /** True when nothing can ever happen here unless somebody else adds it: no pollables, timers or deferred tasks. */
  get inert(): boolean {
    return this.#pollables.length === 0 && this.#deferred.size === 0 && this.timers.next() === Infinity
  }

  /** The next time at which something happens by itself; past or present when tasks are deferred. */
  nextEvent(): number {
    if (this.#deferred.size > 0) return this.now
    let time = this.timers.next()
    for (let i = 0; i < this.#pollables.length; i++) {
      const event = this.#pollables[i].nextEvent?.() ?? Infinity
      if (event < time) time = event
    }
    return time
  }

  /**
   * Moves a virtual clock on to the next event, or to `deadline` if that is earlier, and says whether there was an event
   * to move to.
   */
  jump(deadline = Infinity): boolean {
    const event = this.nextEvent()
    if (event === Infinity || event > deadline) {
      if (deadline < Infinity) this.#virtual?.advanceTo(deadline)
      return false
    }
    this.#virtual?.advanceTo(event)
    return true
  }

  /**
   * Blocks the thread until something wakes it, the next event is due or `until` has come; not if there is work. False when
   * it only let work gather for a moment, so that nothing is known yet about how long this quiet spell is.
   */
  block(until: number): boolean {
    if ((this.#gathering.due && this.#gather(until)) || !this.idle) return false
    const sources = this.wakeSources()
    this.#sleeper ??= new BlockingSleeper(sources, this.host)
    const sleeper = this.#sleeper
    sleeper.announce()
    if (this.arm()) {
      sleeper.cancel()
      this.#counts[SLEEPS_AVOIDED]++
      return true
    }
    const now = this.clock.now()
    const duration = Math.min(until, this.nextEvent()) - now
    // What is due sooner than a sleep pays is spun for; poll(2) counts in milliseconds, too.
    if (duration <= 0 || duration < this.spin) sleeper.cancel()
    else {
      this.#counts[SLEEPS]++
      this.pause(now)
      sleeper.sleep(duration)
      this.trace?.slept(TRACE_SLEEP, now)
    }
    return true
  }

  /** False when the next event is too near. */
  #gather(until: number): boolean {
    const gathering = this.#gathering
    gathering.slept(this.#counts[WORK])
    if (Math.min(until, this.nextEvent()) - this.now < 2 * gathering.length) return false
    this.#counts[GATHERS]++
    const now = this.clock.now()
    this.pause(now)
    Atomics.wait(NOBODY_NOTIFIES, 0, 0, gathering.length / 1e6)
    this.trace?.slept(TRACE_GATHER, now)
    return true
  }

  /** Arms every pollable, and says whether one of them had work after all. */
  arm(): boolean {
    let work = false
    for (let i = 0; i < this.#pollables.length; i++) if (this.#pollables[i].arm()) work = true
    return work
  }

  wakeSources(): WakeSources {
    if (this.#sources === undefined) {
      this.#sources = collectWakeSources(this.#pollables, this.#own)
      this.#sleeper?.close()
      this.#sleeper = undefined
    }
    return this.#sources
  }

  /** Hands the loop to a driver; the default is `guest` in the main thread and `owner` in a worker. @throws EBUSY */
  start(kind: DriverKind = isMainThread ? 'guest' : 'owner'): void {
    if (this.#driverKind === kind) return
    if (this.#driverKind !== undefined) {
      throw new ParakernelError('EBUSY', `the ${this.#driverKind} driver runs this loop`, {
        subject: 'run loop',
        remedy: 'Stop it first',
      })
    }
    this.#driverKind = kind
    this.#drive()
  }

  dependOnNode(): () => void {
    if (this.#nodeDependents++ === 0) this.#drive()
    let released = false
    return () => {
      if (released) return
      released = true
      if (--this.#nodeDependents === 0) this.#drive()
    }
  }

  /** Lets the driver run that the chosen kind and the dependents call for. */
  #drive(): void {
    if (this.#driverKind === undefined) return
    const guest = this.#driverKind === 'guest' || this.#nodeDependents > 0
    if (this.#driver !== undefined && guest === this.#driver instanceof GuestDriver) return
    this.#driver?.stop()
    this.#driver = guest ? new GuestDriver(this) : new OwnerDriver(this)
    this.#driver.start()
  }

  /** Takes the loop from its driver. Pollables, timers and tasks stay. Idempotent. */
  stop(): void {
    this.#driver?.stop()
    this.#driver = undefined
    this.#driverKind = undefined
  }

  /** Stops, and gives the descriptors back that sleeping needed. Idempotent. */
  close(): void {
    this.stop()
    this.#sleeper?.close()
    this.#sleeper = undefined
    this.#sources = undefined
  }
}

/** Polls each group by its share; those that owe work too when otherwise there would be none. */
function pollShares(groups: readonly PollGroup[], now: number, probe: StepTimer | undefined): number {
  let work = 0
  let owing = false
  for (let i = 0; i < groups.length; i++) {
    const done = groups[i].pollShare(now, probe)
    if (done < 0) owing = true
    else work += done
  }
  if (work > 0 || !owing) return work
  for (let i = 0; i < groups.length; i++) {
    groups[i].forgive()
    work += groups[i].pollShare(now, probe)
  }
  return work
}

function invalid(message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: 'run loop' })
}

function stuck(): ParakernelError {
  return new ParakernelError('EPROTO', `${EMPTY_JUMPS} events in a row brought no work`, {
    subject: 'run loop on a virtual clock',
    remedy: 'A pollable whose `nextEvent` is due must do work when it is polled',
  })
}
