import {
  type BlockCapabilities,
  type BlockCounter,
  type BlockDevice,
  type BlockQueueGrant,
  type BlockRange,
  type Clock,
  type FrameWindow,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
  ParakernelError,
  VirtualClock,
} from '@parakernel/hal'
import { type AdminCommand, getLogPage } from '../admin/command.ts'
import type { ResolvedOptions } from '../options.ts'
import type { NvmeQueueGrant } from '../queue/grant.ts'
import { DoorbellRelay } from '../registers/doorbell-relay.ts'
import { completionDoorbell, submissionDoorbell } from '../registers/offsets.ts'
import { forgetLocal, registerLocal } from '../registers/share.ts'
import type { ControllerIdentity, NamespaceIdentity } from '../spec/identify.ts'
import { type AsyncEvent, LOG_CHANGED_NAMESPACES } from '../spec/log-pages.ts'
import { NvmeError } from '../spec/status-error.ts'
import type { NvmeTransport, RegisterShare } from '../transport.ts'
import { Background } from './background.ts'
import { namespaceCapabilities } from './capabilities.ts'
import { Controller, type ControllerState } from './controller.ts'
import { DeviceHealth } from './device-health.ts'
import { notReady } from './errors.ts'
import { checkRange, checkWindow } from './grant-check.ts'
import { identifyNamespaces } from './identification.ts'
import { PairTable } from './pair-table.ts'
import { type Patience, type Procedure, run, runNow } from './procedure.ts'
import type { QueuePair } from './queue-pair.ts'
import { Ticks } from './ticks.ts'
import { looksPerTick, TICKS_PER_TIMEOUT, Watchdog } from './watchdog.ts'

/** Something that happened to the device by itself. */
export type DeviceEvent =
  | { readonly kind: 'event'; readonly event: AsyncEvent }
  | { readonly kind: 'reset'; readonly reason: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'gone'; readonly error: unknown }

/** The control half: a controller, and the queue pairs that partitions hold. */
export class NvmeDevice implements BlockDevice {
  readonly name: string
  readonly transport: NvmeTransport
  readonly controller: Controller
  readonly health: DeviceHealth
  readonly #options: ResolvedOptions
  readonly #patience: Patience
  readonly #watchdog: Watchdog
  readonly #depth: number
  readonly #ticks: Ticks
  readonly #looksPerTick: number
  #looks = 0
  readonly #share: RegisterShare
  readonly #relay: DoorbellRelay | undefined
  readonly #pairs: PairTable
  readonly #background: Background
  readonly #listeners = new Set<(event: DeviceEvent) => void>()
  #resetting: Promise<void> | undefined
  #closing: Promise<void> | undefined
  /** A queue was taken back while the controller was being reset. */
  #overtaken = false

  private constructor(transport: NvmeTransport, clock: Clock, options: ResolvedOptions) {
    this.transport = transport
    this.name = `nvme ${transport.name}`
    this.#options = options
    this.#patience = { clock, model: transport.model }
    this.controller = new Controller(transport, clock, options)
    this.#watchdog = new Watchdog(this.controller)
    const period = options.timeout / TICKS_PER_TIMEOUT
    this.#looksPerTick = looksPerTick(period)
    this.#ticks = new Ticks(clock, period / this.#looksPerTick, () => this.watch())
    const { registers, model } = transport
    // A virtual clock belongs to one thread, and so does everything that goes by it.
    this.#relay =
      transport.share === undefined && !(clock instanceof VirtualClock)
        ? new DoorbellRelay(registers, model, () => clock.now())
        : undefined
    this.#share =
      transport.share ??
      registerLocal({ registers, model: this.#ticks.over(model, () => this.#isWaiting) }, this.#relay?.buffer)
    this.#depth = Math.min(options.depth, 2 ** Math.floor(Math.log2(this.controller.capabilities.maxQueueEntries)))
    this.#pairs = new PairTable(this.controller, options, this.#depth)
    this.#background = new Background(this.#patience, () => this.#judge())
    this.health = new DeviceHealth((command) => this.ask(command))
  }

  /** Brings the controller up. @throws ENODEV, ENOTSUP, ETIMEDOUT, EIO, NvmeError; the transport is closed then */
  static async open(transport: NvmeTransport, clock: Clock, options: ResolvedOptions): Promise<NvmeDevice> {
    let device: NvmeDevice | undefined
    try {
      device = new NvmeDevice(transport, clock, options)
      await run(device.controller.start(), device.#patience)
      // Throws for a namespace that is not there, or has a format that is not supported.
      void device.capabilities
      device.controller.state = 'ready'
      device.#ticks.start()
      return device
    } catch (error) {
      device?.controller.admin.close()
      if (device !== undefined) device.#unshare()
      await transport.close()
      throw error
    }
  }

  get state(): ControllerState {
    return this.controller.state
  }

  get identity(): ControllerIdentity {
    return this.controller.identity
  }

  get queues(): number {
    return this.controller.queues
  }

  /** Of the namespace that was opened; a grant has those of its own namespace. */
  get capabilities(): BlockCapabilities {
    return this.#capabilitiesOf(this.#namespace(this.#options.namespace ?? this.#first()))
  }

  get namespaces(): ReadonlyMap<number, number> {
    return new Map([...this.controller.namespaces].map(([number, { blocks }]) => [number, blocks]))
  }

  grant(queue: number, range: BlockRange, window: FrameWindow): NvmeQueueGrant {
    const { state } = this.controller
    if (state !== 'ready') throw notReady(this.name, state)
    const subject = `${this.name} queue ${queue}`
    const namespace = this.#namespace(range.namespace)
    checkRange(queue, this.queues, range, namespace, subject)
    const capabilities = this.#capabilitiesOf(namespace)
    checkWindow(window, capabilities, subject)
    const holder = this.#pairs.get(queue)
    if (holder !== undefined) {
      if (!holder.detached) {
        throw new ParakernelError('EBUSY', 'the queue has an owner', { subject, remedy: 'Reclaim its grant first' })
      }
      this.#take(queue, holder)
    }
    return this.#create(range, queue, window, capabilities)
  }

  reclaim(grant: BlockQueueGrant): void {
    const pair = this.#pairs.get(grant.queue)
    const { serial } = (grant as NvmeQueueGrant).transport
    if (pair?.grant?.transport.serial === serial) this.#take(grant.queue, pair)
  }

  statistics(): Record<BlockCounter, number> {
    return this.#pairs.statistics()
  }

  /** An admin command. @throws NvmeError, ETIMEDOUT, EAGAIN while the controller is reset, ENODEV */
  async ask(command: AdminCommand): Promise<{ readonly value: number; readonly data: Uint8Array }> {
    try {
      return await run(this.controller.ask(command), this.#patience)
    } finally {
      // It may have found that the controller is gone, or in trouble.
      this.#judge()
    }
  }

  /** Tells of events, resets and removal. Returns the way to stop. */
  onEvent(listener: (event: DeviceEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /**
   * Resets the controller. Queue pairs are made anew, and what was outstanding on them is sent again. One that is under way is joined.
   * Rejects when the controller does not come back; every grant is over then.
   */
  reset(reason = 'it was asked for'): Promise<void> {
    this.#resetting ??= this.#reset(reason).finally(() => {
      this.#resetting = undefined
    })
    return this.#resetting
  }

  /** What the device does by timer: looks after the controller, and lets time pass for commands in ticks of an eighth of the timeout. */
  watch(): void {
    const { controller } = this
    if (controller.state !== 'ready') {
      this.#judge()
      return
    }
    controller.inspect()
    controller.poll()
    const pairs = this.#pairs.entries().map(([, pair]) => pair)
    this.#watchdog.inspect(pairs)
    if (this.#looks++ % this.#looksPerTick === 0) {
      for (const abort of this.#watchdog.tick(pairs, (pair) => this.#pairs.countTimeout(pair))) {
        this.#background.launch(abort)
      }
    }
    this.#serveEvents()
    this.#judge()
  }

  /** Resolves when nothing is under way in the background: aborts, resets, log pages of events. */
  async idle(): Promise<void> {
    while (this.#background.busy || this.#resetting !== undefined) {
      await Promise.allSettled([this.#background.idle(), this.#resetting])
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  get #isWaiting(): boolean {
    return this.state === 'ready' && this.#pairs.waiting
  }

  #namespace(number: number): NamespaceIdentity {
    const namespace = this.controller.namespaces.get(number)
    if (namespace !== undefined) return namespace
    throw new ParakernelError('EINVAL', `there is no namespace ${number}`, {
      subject: this.name,
      remedy: `Active namespaces: ${[...this.controller.namespaces.keys()].join(', ') || 'none'}`,
    })
  }

  #first(): number {
    return this.controller.namespaces.keys().next().value ?? 1
  }

  #capabilitiesOf(namespace: NamespaceIdentity): BlockCapabilities {
    const attach = this.#share.kind === 'local' && this.#share.relay === undefined ? 'thread' : 'worker'
    return namespaceCapabilities(this.controller, namespace, this.#options, this.#depth, attach)
  }

  #create(range: BlockRange, queue: number, window: FrameWindow, capabilities: BlockCapabilities): NvmeQueueGrant {
    const { controller } = this
    const pair = this.#pairs.prepare(queue, window, capabilities)
    const { doorbellStride } = controller.capabilities
    this.#relay?.discard(
      submissionDoorbell(pair.hardwareQueue, doorbellStride),
      completionDoorbell(pair.hardwareQueue, doorbellStride),
    )
    try {
      runNow(pair.create(controller), this.#patience)
    } catch (error) {
      // Unless it was refused, the controller may have taken the queue after all, or may do so yet.
      if (!(error instanceof NvmeError)) {
        controller.trouble ??= `queue ${pair.hardwareQueue} could not be created: ${(error as Error).message}`
        this.#stopNow()
      }
      this.#pairs.discard(pair)
      throw error
    }
    return this.#pairs.enter(queue, pair, range, capabilities, this.#share)
  }

  /** Takes a queue pair from the controller, and then from its holder. A controller that does not let go of it is reset. */
  #take(queue: number, pair: QueuePair): void {
    const { controller } = this
    this.#pairs.forget(queue)
    try {
      if (controller.state === 'ready') runNow(pair.destroy(controller), this.#patience)
      else if (controller.state === 'resetting') {
        // The reset may not have stopped it yet. It is overtaken, and begins again.
        this.#overtaken = true
        runNow(controller.disable(), this.#patience)
      }
    } catch (error) {
      controller.trouble ??= `queue ${pair.hardwareQueue} could not be deleted: ${(error as Error).message}`
      this.#stopNow()
    }
    this.#pairs.end(queue, pair, GRANT_RECLAIMED)
  }

  /** Makes sure that the controller touches no memory, before anybody is told that it does not. */
  #stopNow(): void {
    const { controller } = this
    if (controller.state === 'ready') {
      controller.state = 'resetting'
      this.#pairs.suspendAll()
      try {
        runNow(controller.disable(), this.#patience)
      } catch (error) {
        this.#giveUp(error)
        return
      }
      controller.state = 'ready'
    }
    this.#judge()
  }

  async #reset(reason: string): Promise<void> {
    const { controller } = this
    if (controller.state !== 'ready') throw notReady(this.name, controller.state)
    controller.state = 'resetting'
    controller.trouble = undefined
    this.#tell({ kind: 'reset', reason })
    this.#pairs.suspendAll()
    this.#watchdog.forget()
    do {
      this.#overtaken = false
      try {
        await run(this.#restart(), this.#patience)
      } catch (error) {
        if (this.#overtaken && controller.state === 'resetting') continue
        this.#giveUp(error)
        throw error
      }
    } while (this.#overtaken)
    controller.state = 'ready'
    this.#tell({ kind: 'ready' })
  }

  *#restart(): Procedure<void> {
    const { controller } = this
    yield* controller.start()
    this.#relay?.discard()
    for (const [queue, pair] of this.#pairs.entries()) {
      // Taken back while others were made.
      if (this.#pairs.get(queue) !== pair) continue
      // A namespace may have gone, or shrunk, and a queue number too.
      const { namespace, firstLba, blocks } = (pair.grant as NvmeQueueGrant).range
      const there = controller.namespaces.get(namespace)
      if (queue >= controller.queues || there === undefined || firstLba + blocks > there.blocks)
        this.#pairs.end(queue, pair, GRANT_REMOVED)
      else yield* pair.recreate(controller)
    }
  }

  /** The controller is gone, or does not come back: every holder is told, and completes by itself what is outstanding. */
  #giveUp(error: unknown): void {
    const { controller } = this
    if (controller.state !== 'removed') controller.state = 'failed'
    controller.admin.loseAll()
    this.#pairs.endAll()
    this.#tell({ kind: 'gone', error })
  }

  /** Draws the consequences of what was found. */
  #judge(): void {
    const { controller } = this
    if (controller.state === 'removed') {
      if (this.#pairs.entries().length > 0) this.#giveUp(notReady(this.name, 'removed'))
    } else if (controller.trouble !== undefined && controller.state === 'ready') {
      // Whoever listens is told of a reset that fails; the grants say it too.
      this.reset(controller.trouble).catch(() => {})
    }
  }

  #serveEvents(): void {
    for (const event of this.controller.events.splice(0)) {
      this.#tell({ kind: 'event', event })
      this.#background.launch(this.#answer(event))
    }
  }

  /** Reading the log page of an event lets the controller report the next one of its kind. */
  *#answer({ logPage, type, information }: AsyncEvent): Procedure<void> {
    yield* this.controller.ask(getLogPage(logPage, logPage === LOG_CHANGED_NAMESPACES ? 4096 : 512))
    if (type === 'notice' && information === 0) this.controller.namespaces = yield* identifyNamespaces(this.controller)
  }

  #tell(event: DeviceEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  #unshare(): void {
    forgetLocal(this.#share)
    this.#relay?.close()
  }

  async #close(): Promise<void> {
    this.#ticks.stop()
    await this.idle()
    const { controller } = this
    for (const [queue, pair] of this.#pairs.entries()) this.#take(queue, pair)
    await this.idle()
    try {
      if (controller.state === 'ready') {
        await run(controller.shutdown(), this.#patience)
        await run(controller.disable(), this.#patience)
      }
    } finally {
      controller.state = 'closed'
      this.#pairs.sweep(true)
      controller.admin.close()
      this.#unshare()
      await this.transport.close()
    }
  }
}
