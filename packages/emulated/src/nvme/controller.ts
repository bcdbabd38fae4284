import { type Clock, type DmaMemory, MonotonicClock, type RegisterWindow, WakeWord } from '@parakernel/hal'
import { draw, scatter } from '../disk/random.ts'
import { executeAdmin, PENDING } from './admin-commands.ts'
import { EmulatedBus } from './bus.ts'
import { CompletionWriter } from './completion-writer.ts'
import { Chunks } from './data-pointer.ts'
import { type FaultAction, Faults } from './faults.ts'
import { Features } from './features.ts'
import { Health } from './health.ts'
import { executeIo, locate, rangeOf, WRITE } from './io-commands.ts'
import { Namespace } from './namespace.ts'
import {
  type NvmeControllerOptions,
  type NvmeNamespaceOptions,
  type ResolvedNvmeOptions,
  resolveNvmeOptions,
} from './options.ts'
import type { ControllerParts } from './parts.ts'
import { CompletionQueue, type FetchedCommand, SubmissionQueue } from './queues.ts'
import { type RegisterEvents, Registers } from './registers.ts'
import {
  ABORT_REQUESTED,
  DATA_TRANSFER_ERROR,
  DO_NOT_RETRY,
  IDENTIFIER_CONFLICT,
  isPermanent,
  SUCCESS,
} from './status.ts'

const EVENT_INVALID_DOORBELL = 0
const EVENT_INVALID_VALUE = 1

/**
 * An NVMe controller in this thread, down to registers, doorbells, data pointers and phase bits: what a driver meets on PCI. It rejects what
 * a real one rejects, and counts what only a driver's bug can cause. With a latency, commands are done when `run` is called and their
 * time has come; without, when the doorbell is rung.
 *
 * In structure it is what a driver's transport is: `registers`, `memory`, `interrupts`, `model`.
 */
export class EmulatedNvme {
  readonly name: string
  readonly clock: Clock
  readonly options: ResolvedNvmeOptions
  readonly registers: RegisterWindow
  readonly memory: DmaMemory
  readonly bus: EmulatedBus
  readonly interrupts: {
    readonly vectors: number
    connect(vector: number, wake: SharedArrayBuffer): { readonly kind: 'word' }
    disconnect(vector: number): void
  }
  /** What the content outlives: nothing. */
  readonly persistence = 'none'
  readonly health = new Health()
  readonly faults = new Faults()
  readonly namespaces = new Map<number, Namespace>()
  readonly #registers: Registers
  readonly #features: Features
  readonly #parts: ControllerParts
  readonly #submissions = new Map<number, SubmissionQueue>()
  readonly #completions = new Map<number, CompletionQueue>()
  readonly #eventRequests: FetchedCommand[] = []
  readonly #wakes = new Map<number, WakeWord>()
  readonly #answers: CompletionWriter
  readonly #random: Int32Array
  /** Fetched and not done, in the order of their arrival. */
  #pending: FetchedCommand[] = []

  constructor(options: NvmeControllerOptions = {}, clock: Clock = new MonotonicClock()) {
    this.options = resolveNvmeOptions(options)
    this.clock = clock
    this.name = `emulated:${this.options.serial}`
    this.bus = new EmulatedBus()
    this.memory = this.bus
    this.interrupts = {
      vectors: this.options.vectors,
      connect: (vector, wake) => {
        this.#wakes.set(vector, new WakeWord(wake))
        return { kind: 'word' }
      },
      disconnect: (vector) => void this.#wakes.delete(vector),
    }
    this.#random = Int32Array.of(scatter(this.options.seed, 0))
    this.#answers = new CompletionWriter(this.bus, this.health, this.#wakes, this.#random)
    for (const namespace of this.options.namespaces) this.addNamespace(namespace)
    this.#features = new Features(this.options)
    this.#registers = new Registers(this.options, clock, this.#events())
    this.registers = this.#registers
    this.#parts = {
      options: this.options,
      bus: this.bus,
      namespaces: this.namespaces,
      features: this.#features,
      health: this.health,
      submissions: this.#submissions,
      completions: this.#completions,
      chunks: new Chunks(),
      result: new Int32Array(1),
      eventRequests: this.#eventRequests,
      cancel: (matching, status) => this.#cancel(matching, status),
    }
  }

  readonly model = {
    run: (): void => this.run(),
    nextEvent: (): number => this.nextEvent(),
  }

  /** Commands that were fetched and are neither done nor waiting for an event. */
  get inFlight(): number {
    return this.#pending.length
  }

  /** Does what is due. */
  run(): void {
    this.#registers.run()
    if (this.#pending.length === 0) return
    const now = this.clock.now()
    for (;;) {
      const index = this.#nextDue(now)
      if (index < 0) break
      const [command] = this.#pending.splice(index, 1)
      this.#execute(command)
      if (!this.#registers.ready) break
    }
    this.#report()
  }

  nextEvent(): number {
    let next = this.#registers.nextEvent()
    for (const { due, hung } of this.#pending) if (hung === 'no' && due < next) next = due
    return next
  }

  /** Another namespace, which the host is told of. Returns its number. */
  addNamespace(options: NvmeNamespaceOptions): number {
    let number = 1
    while (this.namespaces.has(number)) number++
    this.namespaces.set(number, new Namespace(number, options, this.options))
    this.#namespaceChanged(number)
    return number
  }

  removeNamespace(number: number): void {
    if (this.namespaces.delete(number)) this.#namespaceChanged(number)
  }

  /** Changes the temperature; from the threshold on the host is warned. */
  setTemperature(kelvin: number): void {
    this.health.setTemperature(kelvin)
    this.#report()
  }

  /** CSTS.CFS: nothing is done until a reset. */
  fail(): void {
    this.#pending = []
    this.#registers.fail()
  }

  /** Pulled out: registers read as all ones, and memory is not touched any more. */
  remove(): void {
    this.#pending = []
    this.#registers.remove()
  }

  /** Pulled out at the nth register access from now on. */
  removeAfter(accesses: number): void {
    this.#registers.removeAfter(accesses, () => this.remove())
  }

  /** Plugged in again: as after power on. */
  insert(): void {
    this.#reset()
    this.#registers.powerOn()
  }

  /**
   * Power fails, and comes back. Writes that were under way leave any legal trace, and of the volatile cache any legal subset survives.
   * @param random like `Math.random`
   */
  powerCut(random: () => number): void {
    for (const command of this.#pending) {
      const namespace = this.namespaces.get(command.words[1] >>> 0)
      if (command.queue.number === 0 || command.opcode !== WRITE || namespace === undefined) continue
      if (locate(this.#parts, command, namespace) !== SUCCESS) continue
      const { lba, blocks } = rangeOf(command)
      namespace.tear(lba, blocks, this.#parts.chunks, random)
    }
    for (const namespace of this.namespaces.values()) namespace.powerCut(random)
    this.health.unsafeShutdowns++
    this.insert()
  }

  /** The driver lets go; what is on the media stays, and the controller can be opened again. */
  close(): void {
    this.#pending = []
    this.#wakes.clear()
  }

  #namespaceChanged(number: number): void {
    this.health.namespaceChanged(number)
    if (this.#parts !== undefined) this.#report()
  }

  #events(): RegisterEvents {
    return {
      enable: (submission, submissionEntries, completion, completionEntries) => {
        const queue = new CompletionQueue(0, completionEntries, completion, 0)
        this.#completions.set(0, queue)
        this.#submissions.set(0, new SubmissionQueue(0, submissionEntries, submission, queue))
      },
      reset: () => this.#reset(),
      shutdown: () => {
        for (const namespace of this.namespaces.values()) namespace.flush()
      },
      submissionDoorbell: (queue, value) => this.#rungSubmission(queue, value),
      completionDoorbell: (queue, value) => this.#rungCompletion(queue, value),
      disabledDoorbell: () => void this.health.counters.doorbellsWhileDisabled++,
    }
  }

  #reset(): void {
    this.#pending = []
    this.#submissions.clear()
    this.#completions.clear()
    this.#eventRequests.length = 0
    this.#features.reset()
    this.health.reset()
  }

  #rungSubmission(number: number, tail: number): void {
    const queue = this.#submissions.get(number)
    if (queue === undefined) {
      this.#badDoorbell('doorbellsInvalidQueue', EVENT_INVALID_DOORBELL)
      return
    }
    if (tail >= queue.entries) {
      this.#badDoorbell('doorbellsOutOfRange', EVENT_INVALID_VALUE)
      return
    }
    queue.tail = tail
    while (queue.head !== queue.tail && this.#registers.ready) {
      const command = queue.fetch(this.bus)
      if (command === undefined) {
        // The queue itself cannot be reached: there is no way to say so but this.
        this.health.counters.dmaFaults++
        this.fail()
        return
      }
      this.#accept(command)
    }
    this.#report()
  }

  #rungCompletion(number: number, head: number): void {
    const queue = this.#completions.get(number)
    if (queue === undefined) {
      this.#badDoorbell('doorbellsInvalidQueue', EVENT_INVALID_DOORBELL)
      return
    }
    const taken = (head - queue.head + queue.entries) % queue.entries
    if (head >= queue.entries || taken > queue.filled) {
      this.#badDoorbell('doorbellsOutOfRange', EVENT_INVALID_VALUE)
      return
    }
    queue.head = head
    while (queue.waiting.length > 0 && !queue.full) this.#answers.put(queue, queue.waiting.shift() as Int32Array)
  }

  #badDoorbell(counter: 'doorbellsInvalidQueue' | 'doorbellsOutOfRange', information: number): void {
    this.health.counters[counter]++
    this.health.error(information)
    this.#report()
  }

  #accept(command: FetchedCommand): void {
    const { queue, identifier } = command
    this.health.counters.commands++
    if (queue.outstanding.has(identifier)) {
      this.health.counters.identifierConflicts++
      this.#answers.complete(command, IDENTIFIER_CONFLICT | DO_NOT_RETRY, 0)
      return
    }
    queue.outstanding.add(identifier)
    const fault = this.faults.of(command)
    const { latency, jitter } = this.options
    let delay = queue.number === 0 ? 0 : latency
    if (delay > 0 && jitter > 0) delay += jitter * this.#draw()
    if (fault !== undefined) {
      if ('controller' in fault) {
        if (fault.controller === 'fatal') this.fail()
        else this.remove()
        return
      }
      if ('hang' in fault) command.hung = fault.hang
      if ('delay' in fault) delay += fault.delay
    }
    if (command.hung === 'no' && delay === 0) {
      this.#execute(command, fault)
      return
    }
    if (delay > 0) command.due = this.clock.now() + delay
    if (fault !== undefined) this.#late.set(command, fault)
    this.#pending.push(command)
  }

  /** Faults of commands that are done later. */
  readonly #late = new WeakMap<FetchedCommand, FaultAction>()

  #execute(command: FetchedCommand, fault = this.#late.get(command)): void {
    const parts = this.#parts
    parts.result[0] = 0
    let status: number
    if (fault !== undefined && 'status' in fault) {
      status = fault.status | (fault.doNotRetry ? DO_NOT_RETRY : 0)
      if (fault.status >>> 8 === 2) this.health.mediaErrors++
    } else {
      status = command.queue.number === 0 ? executeAdmin(parts, command) : executeIo(parts, command)
      if (status === PENDING) return
      if (status === DATA_TRANSFER_ERROR) this.health.counters.dmaFaults++
      if (fault !== undefined && 'data' in fault) this.#scribble()
      if (isPermanent(status)) status |= DO_NOT_RETRY
    }
    const value = parts.result[0]
    if (fault !== undefined && 'completion' in fault)
      this.#answers.completeWrongly(command, status, value, fault.completion)
    else this.#answers.complete(command, status, value)
  }

  /** Over the data of the command that was just done. */
  #scribble(): void {
    const { chunks } = this.#parts
    for (let i = 0; i < chunks.count; i++) {
      for (let j = 0; j < chunks.lengths[i]; j++) chunks.bytes[i][chunks.offsets[i] + j] = draw(this.#random, 0)
    }
  }

  /** Ends what is pending with a status; returns how many commands that were. */
  #cancel(matching: (command: FetchedCommand) => boolean, status: number): number {
    const found = this.#pending.filter(matching)
    if (found.length === 0) return 0
    this.#pending = this.#pending.filter((command) => !found.includes(command))
    for (const command of found) {
      this.#answers.complete(command, status === ABORT_REQUESTED ? status : status | DO_NOT_RETRY, 0)
    }
    return found.length
  }

  /** Answers event requests with events that wait. */
  #report(): void {
    while (this.#eventRequests.length > 0 && this.#registers.ready) {
      const event = this.health.takeEvent()
      if (event === undefined) return
      this.#answers.complete(this.#eventRequests.shift() as FetchedCommand, SUCCESS, event)
    }
  }

  #nextDue(now: number): number {
    let found = -1
    let candidates = 0
    for (const [i, { due, hung }] of this.#pending.entries()) {
      if (hung !== 'no' || due > now) continue
      candidates++
      if (this.options.reorder) {
        // Reservoir sampling: each of the candidates is as likely.
        if (this.#draw() * candidates < 1) found = i
      } else if (found < 0 || due < this.#pending[found].due) found = i
    }
    return found
  }

  #draw(): number {
    return (draw(this.#random, 0) >>> 0) / 0x1_0000_0000
  }
}
