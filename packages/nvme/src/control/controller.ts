import { type Clock, ParakernelError, type RegisterWindow, write64 } from '@parakernel/hal'
import { ADMIN_ENTRIES, AdminQueue, type PendingAdmin } from '../admin/admin-queue.ts'
import { type AdminCommand, type AdminResult, asyncEventRequest, setFeature } from '../admin/command.ts'
import { type ControllerCapabilities, readCapabilities } from '../registers/capabilities.ts'
import {
  ALL_ONES,
  CC_ENABLE,
  CC_ENTRY_SIZES,
  CC_SHUTDOWN_MASK,
  CC_SHUTDOWN_NORMAL,
  CSTS_FATAL,
  CSTS_READY,
  CSTS_SHUTDOWN_COMPLETE,
  CSTS_SHUTDOWN_MASK,
  REG_ACQ,
  REG_AQA,
  REG_ASQ,
  REG_CC,
  REG_CSTS,
} from '../registers/offsets.ts'
import {
  EVENT_NAMESPACE_CHANGED,
  EVENT_SMART,
  FEATURE_ASYNC_EVENTS,
  FEATURE_QUEUES,
  FEATURE_VOLATILE_WRITE_CACHE,
} from '../spec/features.ts'
import type { CommandSetLimits, ControllerIdentity, NamespaceIdentity } from '../spec/identify.ts'
import { type AsyncEvent, parseAsyncEvent } from '../spec/log-pages.ts'
import { NvmeError } from '../spec/status-error.ts'
import type { NvmeTransport } from '../transport.ts'
import { deviceGone, notReady, timedOut, wasReset } from './errors.ts'
import { identifyController, identifyNamespaces } from './identification.ts'
import { deadline, type Procedure } from './procedure.ts'

/** `starting -> ready <-> resetting`, and from anywhere to `failed`, `removed` or `closed`, which are the end. */
export type ControllerState = 'starting' | 'ready' | 'resetting' | 'failed' | 'removed' | 'closed'

export interface ControllerOptions {
  /** Milliseconds that an admin command may take. */
  readonly adminTimeout: number
  /** I/O queue pairs that are asked for. */
  readonly queues: number
  /** Turns the volatile write cache on or off, if there is one. */
  readonly writeCache: 'keep' | 'on' | 'off'
}

/** Event requests that are kept outstanding, if the controller takes so many. */
const EVENT_REQUESTS = 4
/** A shutdown writes out caches; RTD3 entry latencies of disks are seconds. */
const SHUTDOWN_MS = 10_000

/**
 * One controller's registers and admin queue: bringing it up, asking it, and telling when it has gone wrong. Who asks for what, and what
 * becomes of the I/O queues meanwhile, is the device's business.
 */
export class Controller {
  readonly name: string
  readonly clock: Clock
  readonly transport: NvmeTransport
  readonly capabilities: ControllerCapabilities
  readonly admin: AdminQueue
  readonly #options: ControllerOptions
  readonly #registers: RegisterWindow
  state: ControllerState = 'starting'
  identity!: ControllerIdentity
  limits!: CommandSetLimits
  namespaces: ReadonlyMap<number, NamespaceIdentity> = new Map()
  /** I/O queue pairs that the controller gave. */
  queues = 0
  /** Why the controller must be reset; the device does it. */
  trouble: string | undefined
  /** Events that nobody has looked at yet. */
  readonly events: AsyncEvent[] = []
  #eventRequests: PendingAdmin[] = []
  /** How often it was disabled: a procedure that sees the number move was overtaken. */
  #life = 0

  /** @throws ENODEV when nothing answers, ENOTSUP for a controller that this driver cannot drive, ENOMEM */
  constructor(transport: NvmeTransport, clock: Clock, options: ControllerOptions) {
    this.transport = transport
    this.name = `nvme ${transport.name}`
    this.clock = clock
    this.#options = options
    this.#registers = transport.registers
    this.capabilities = readCapabilities(this.#registers)
    // After the others: what was there until now has been read.
    if (this.#registers.read32(REG_CSTS) === ALL_ONES) throw deviceGone(this.name)
    const { nvmCommandSet, minPage, version } = this.capabilities
    if (!nvmCommandSet || minPage > 4096) {
      const lacks = nvmCommandSet ? `needs memory pages of ${minPage} bytes` : 'has no NVM command set'
      throw new ParakernelError('ENOTSUP', `the controller (NVMe ${version}) ${lacks}`, {
        subject: this.name,
        remedy: 'Use the kernel driver with the io-uring backend',
      })
    }
    this.admin = new AdminQueue(transport.memory, this.#registers, this.capabilities.doorbellStride)
  }

  /** From whatever state to one that takes commands; queue pairs are gone afterwards. @throws ENODEV, ETIMEDOUT, EIO, NvmeError */
  *start(): Procedure<void> {
    this.trouble = undefined
    yield* this.disable()
    yield* this.#enable()
    const { identity, limits } = yield* identifyController(this)
    this.identity = identity
    this.limits = limits
    yield* this.#setQueues()
    yield* this.#setWriteCache()
    this.namespaces = yield* identifyNamespaces(this)
    yield* this.#askForEvents()
  }

  /** After this the controller touches no memory. */
  *disable(): Procedure<void> {
    this.#life++
    const configuration = this.#registers.read32(REG_CC)
    if (configuration === ALL_ONES) throw this.#removed()
    this.#registers.write32(REG_CC, configuration & ~(CC_ENABLE | CC_SHUTDOWN_MASK))
    if (!(yield* this.#awaitReady(0))) {
      this.transport.reset?.()
      if (this.transport.reset === undefined || !(yield* this.#awaitReady(0))) {
        throw timedOut(this.name, 'disabling the controller', this.capabilities.readyTimeout)
      }
    }
    this.admin.loseAll()
    this.#eventRequests = []
  }

  /** Has the controller write out what it holds, as before power is taken away. Queues must be gone, or idle. */
  *shutdown(): Procedure<void> {
    const configuration = this.#registers.read32(REG_CC)
    if (configuration === ALL_ONES) throw this.#removed()
    this.#registers.write32(REG_CC, (configuration & ~CC_SHUTDOWN_MASK) | CC_SHUTDOWN_NORMAL)
    const limit = deadline(this.clock, SHUTDOWN_MS)
    for (;;) {
      const status = this.#registers.read32(REG_CSTS)
      if (status === ALL_ONES) throw this.#removed()
      if ((status & CSTS_SHUTDOWN_MASK) === CSTS_SHUTDOWN_COMPLETE) break
      if (this.clock.now() > limit) throw timedOut(this.name, 'shutting down', SHUTDOWN_MS)
      yield
    }
  }

  /** One admin command from start to end. @throws NvmeError for an error status; ETIMEDOUT, EAGAIN after a reset, ENODEV */
  *command(command: AdminCommand): Procedure<AdminResult> {
    const limit = deadline(this.clock, this.#options.adminTimeout)
    const life = this.#life
    while (!this.admin.ready) {
      this.#checkAlive(command, limit)
      yield
      this.poll()
      if (life !== this.#life) throw wasReset(this.name, command.name)
    }
    const pending = this.admin.submit(command)
    for (;;) {
      this.poll()
      if (pending.settled) break
      this.#checkAlive(command, limit)
      yield
    }
    if (pending.lost) throw this.state === 'removed' ? deviceGone(this.name) : wasReset(this.name, command.name)
    if (pending.field !== 0) throw new NvmeError(pending.field, command.name, this.name)
    return { value: pending.value, data: pending.data }
  }

  /** The same for callers outside: only while the controller is ready. @throws as above; EAGAIN, ENODEV by the state */
  *ask(command: AdminCommand): Procedure<AdminResult> {
    if (this.state !== 'ready') throw notReady(this.name, this.state)
    return yield* this.command(command)
  }

  /** Settles admin commands and collects events. */
  poll(): void {
    this.admin.poll()
    if (this.admin.rubbish > 0) {
      this.admin.rubbish = 0
      this.trouble ??= 'the admin queue has completions of unknown commands'
    }
    for (let i = this.#eventRequests.length - 1; i >= 0; i--) {
      const request = this.#eventRequests[i]
      if (!request.settled) continue
      this.#eventRequests.splice(i, 1)
      if (request.lost || request.field !== 0) continue
      const event = parseAsyncEvent(request.value)
      this.events.push(event)
      if (event.type === 'error' && event.information === 3) this.trouble ??= event.name
      if (this.admin.ready) this.#eventRequests.push(this.admin.submit(asyncEventRequest))
    }
  }

  /** Looks at the registers: whether the controller is there, and well. */
  inspect(): void {
    const status = this.#registers.read32(REG_CSTS)
    if (status === ALL_ONES) this.#removed()
    else if ((status & CSTS_FATAL) !== 0) this.trouble ??= 'the controller reports a fatal error (CSTS.CFS)'
    else if ((status & CSTS_READY) === 0) this.trouble ??= 'the controller stopped by itself (CSTS.RDY)'
  }

  #checkAlive(command: AdminCommand, limit: number): void {
    const status = this.#registers.read32(REG_CSTS)
    if (status === ALL_ONES) throw this.#removed()
    if ((status & CSTS_FATAL) !== 0) {
      this.trouble ??= 'the controller reports a fatal error (CSTS.CFS)'
      throw new ParakernelError('EIO', `${command.name}: ${this.trouble}`, {
        subject: this.name,
        remedy: 'Reset the controller',
      })
    }
    if ((status & CSTS_READY) === 0 && this.state === 'ready') {
      this.trouble ??= 'the controller stopped by itself (CSTS.RDY)'
      throw new ParakernelError('EIO', `${command.name}: ${this.trouble}`, {
        subject: this.name,
        remedy: 'Reset the controller',
      })
    }
    if (this.clock.now() > limit) {
      this.trouble ??= `${command.name} was not answered`
      throw timedOut(this.name, command.name, this.#options.adminTimeout)
    }
  }

  #removed(): ParakernelError {
    this.state = 'removed'
    this.admin.loseAll()
    return deviceGone(this.name)
  }

  *#enable(): Procedure<void> {
    const registers = this.#registers
    this.admin.restart()
    registers.write32(REG_AQA, ((ADMIN_ENTRIES - 1) << 16) | (ADMIN_ENTRIES - 1))
    write64(registers, REG_ASQ, this.admin.submissionBus)
    write64(registers, REG_ACQ, this.admin.completionBus)
    // Pages of 4 KiB (CC.MPS 0), round robin (CC.AMS 0), the NVM command set (CC.CSS 0).
    registers.write32(REG_CC, CC_ENTRY_SIZES | CC_ENABLE)
    if (yield* this.#awaitReady(CSTS_READY)) return
    throw timedOut(this.name, 'enabling the controller', this.capabilities.readyTimeout)
  }

  /** False when CSTS.RDY does not become `wanted` in the time of CAP.TO. @throws ENODEV, EIO */
  *#awaitReady(wanted: number): Procedure<boolean> {
    const limit = deadline(this.clock, this.capabilities.readyTimeout)
    const life = this.#life
    for (;;) {
      if (life !== this.#life) throw wasReset(this.name, 'being enabled')
      const status = this.#registers.read32(REG_CSTS)
      if (status === ALL_ONES) throw this.#removed()
      if ((status & CSTS_READY) === wanted) return true
      if (wanted === CSTS_READY && (status & CSTS_FATAL) !== 0) {
        throw new ParakernelError('EIO', 'the controller reports a fatal error while it is enabled', {
          subject: this.name,
          remedy: 'Power the device off and on',
        })
      }
      if (this.clock.now() > limit) return false
      yield
    }
  }

  /** Both numbers are 0-based, and the controller may give fewer or more than asked for. */
  *#setQueues(): Procedure<void> {
    const asked = this.#options.queues - 1
    const { value } = yield* this.command(setFeature(FEATURE_QUEUES, (asked << 16) | asked))
    this.queues = Math.min(asked, value & 0xffff, value >>> 16) + 1
  }

  *#setWriteCache(): Procedure<void> {
    const { writeCache } = this.#options
    if (writeCache === 'keep' || !this.identity.volatileCache) return
    yield* this.command(setFeature(FEATURE_VOLATILE_WRITE_CACHE, writeCache === 'on' ? 1 : 0))
  }

  *#askForEvents(): Procedure<void> {
    const wanted = EVENT_SMART | (this.identity.optionalEvents & EVENT_NAMESPACE_CHANGED)
    yield* this.command(setFeature(FEATURE_ASYNC_EVENTS, wanted))
    const requests = Math.min(EVENT_REQUESTS, this.identity.eventRequestLimit)
    for (let i = 0; i < requests; i++) this.#eventRequests.push(this.admin.submit(asyncEventRequest))
  }
}
