import { ParakernelError } from '@parakernel/hal'
import type { PartitionPlan } from '../contracts.ts'
import type { Lease, LeaseOwner } from '../lease/lease.ts'
import type { LeasedGrant, Resource } from '../lease/resource.ts'
import {
  type PartitionExit,
  type PartitionHandle,
  type PartitionStatistics,
  STOP_TIMEOUT,
} from '../partition/handle.ts'
import { createMemory, type Memory } from './memory.ts'
import { RestartBudget } from './restart-budget.ts'
import type { PartitionSpecification } from './specification.ts'
import type { Supervision } from './supervision.ts'

/** One life of a partition. */
interface Life {
  readonly owner: LeaseOwner
  readonly memory: Memory
}

export interface SupervisedStatistics extends PartitionStatistics {
  readonly restarts: number
}

/**
 * A partition with its leases and its restart policy: what it holds when it crashes is reclaimed, and kept for its successor, which
 * gets memory of its own. A first start that fails is not tried again: that is no accident.
 */
export class SupervisedPartition {
  readonly name: string
  /** Of the first life. Rejects when that fails to start. */
  readonly ready: Promise<void>
  /** Resolves once, when it is gone for good. Never rejects. */
  readonly exited: Promise<PartitionExit>
  restarts = 0
  readonly #specification: PartitionSpecification
  readonly #control: Supervision
  readonly #budget: RestartBudget
  readonly #wake: SharedArrayBuffer
  readonly #exit = Promise.withResolvers<PartitionExit>()
  #life: Life
  #handle: PartitionHandle
  #cancelRestart: (() => void) | undefined
  #stopping = false

  /** @internal Use `ControlPlane.spawn`. */
  constructor(specification: PartitionSpecification, control: Supervision) {
    this.name = specification.name
    this.#specification = specification
    this.#control = control
    this.#budget = new RestartBudget(specification.restart)
    this.#wake = specification.wake ?? new SharedArrayBuffer(64)
    this.#life = this.#newLife()
    try {
      for (const resource of this.#resources()) {
        control.leases.grant(resource, this.#life.owner, specification.enforcement)
      }
    } catch (error) {
      this.#release(this.#life)
      throw error
    }
    for (const { device } of specification.queues ?? []) control.watch(device)
    this.exited = this.#exit.promise
    this.#handle = this.#start()
    this.ready = this.#handle.ready
    // Whoever looks at `exited` only need not handle `ready` as well.
    this.ready.catch(() => {})
  }

  /** Who holds its leases now: `leases.give` and `leases.transfer` take it. A restart makes another one. */
  get owner(): LeaseOwner {
    return this.#life.owner
  }

  get leases(): readonly Lease[] {
    return this.#control.leases.leasesOf(this.owner)
  }

  /** As of `PartitionHandle`; between two lives there is nobody to call (ENXIO). */
  call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    return this.#handle.call(method, ...args)
  }

  /** Of the present life, or the last one; queues count over all of them. */
  statistics(): SupervisedStatistics {
    return { ...this.#handle.statistics(), restarts: this.restarts }
  }

  /** Stops it in order, as `PartitionHandle.stop`; it is not restarted. */
  async stop(timeout = STOP_TIMEOUT): Promise<PartitionExit> {
    this.#stopping = true
    if (this.#cancelRestart === undefined) await this.#handle.stop(timeout)
    else {
      this.#cancelRestart()
      this.#cancelRestart = undefined
      await this.#end({ kind: 'stopped' })
    }
    return this.exited
  }

  /** Ends it by force; it is not restarted. */
  async kill(): Promise<PartitionExit> {
    this.#stopping = true
    if (this.#cancelRestart !== undefined) return this.stop()
    await this.#handle.kill()
    return this.exited
  }

  /** Frames of its own, and nothing else yet. */
  #newLife(): Life {
    const { leases, host } = this.#control
    const memory = createMemory(this.#specification, this.#wake, host)
    const owner: LeaseOwner = { name: this.name, window: memory.window, holder: undefined }
    leases.grant({ kind: 'frames', window: memory.window }, owner, this.#specification.enforcement)
    return { owner, memory }
  }

  #resources(): Resource[] {
    const { queues = [], storage = [] } = this.#specification
    return [
      ...queues.map((one): Resource => ({ kind: 'net-queue', ...one })),
      ...storage.map(
        (one): Resource => ('queue' in one ? { kind: 'block-queue', ...one } : { kind: 'persistent-range', ...one }),
      ),
    ]
  }

  #start(): PartitionHandle {
    const { start = this.#control.start } = this.#specification
    const { owner } = this.#life
    const handle = start(this.#plan())
    owner.holder = handle
    const isFirst = this.restarts === 0
    let isReady = false
    handle.ready.then(
      () => {
        isReady = true
      },
      () => {},
    )
    void handle.exited.then((exit) => this.#exited(exit, isReady || !isFirst))
    return handle
  }

  #plan(): PartitionPlan {
    const specification = this.#specification
    const { memory } = this.#life
    const { index = 0, partitions = 1, incoming = [], outgoing = [], wait = { kind: 'hybrid' } } = specification
    return {
      ...{ name: this.name, index, partitions, module: String(specification.module), grants: [], incoming, outgoing },
      leases: this.leases.map(({ leased }) => leased).filter((leased): leased is LeasedGrant => leased !== undefined),
      ...{ window: memory.window, heap: memory.heap, cpu: specification.core, wait },
      ...{ hostModule: this.#control.hostModule, data: specification.data },
      ...(specification.deviceReserve !== undefined && { deviceReserve: specification.deviceReserve }),
      ...(specification.debugFrames !== undefined && { debugFrames: specification.debugFrames }),
    }
  }

  async #exited(exit: PartitionExit, mayRestart: boolean): Promise<void> {
    const { clock, after } = this.#control
    const delay = exit.kind === 'crashed' && mayRestart && !this.#stopping ? this.#budget.take(clock.now()) : undefined
    if (delay === undefined || exit.kind !== 'crashed') {
      await this.#end(exit)
      return
    }
    try {
      await this.#succeed()
    } catch (error) {
      await this.#end({ kind: 'crashed', error: error as Error })
      return
    }
    if (this.#stopping) {
      await this.#end({ kind: 'stopped' })
      return
    }
    this.restarts++
    this.#cancelRestart = after(delay, () => {
      this.#cancelRestart = undefined
      this.#handle = this.#start()
    })
    this.#specification.onRestart?.({ number: this.restarts, cause: exit.error, delay })
  }

  /** What the dead one held goes to a new life, with nobody between. @throws ENODEV for what is not to be had any more */
  async #succeed(): Promise<void> {
    const { leases } = this.#control
    const last = this.#life
    const next = this.#newLife()
    this.#life = next
    const ends = await leases.ownerGone(last.owner, next.owner)
    last.memory.release()
    const lost = ends.find(({ kind, lease, next: one }) => kind === 'orphaned' && lease.kind !== 'frames' && !one)
    if (lost === undefined) return
    throw new ParakernelError('ENODEV', `its ${lost.lease.kind} is not to be had any more`, {
      subject: `partition ${this.name}`,
    })
  }

  async #end(exit: PartitionExit): Promise<void> {
    let final = exit
    try {
      await this.#control.leases.ownerGone(this.owner)
      this.#life.memory.release()
    } catch (error) {
      final = { kind: 'crashed', error: error as Error }
    }
    this.#exit.resolve(final)
  }

  #release({ owner, memory }: Life): void {
    void this.#control.leases.ownerGone(owner).then(() => memory.release())
  }
}
