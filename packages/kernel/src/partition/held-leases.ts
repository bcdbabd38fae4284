import {
  type AttachContext,
  attachBlockQueue,
  attachNetQueue,
  attachPersistentRegion,
  type BlockQueue,
  type FramePool,
  type NetQueue,
  ParakernelError,
  type PersistentRegion,
} from '@parakernel/hal'
import type { HeldLease, PartitionExports, PartitionPlan } from '../contracts.ts'
import type { LeasedGrant } from '../lease/resource.ts'

/** What a partition holds, in its own thread: attached, by lease, and how each comes and goes. */
export class HeldLeases {
  /** The lists of the partition's context. */
  readonly queues: NetQueue[] = []
  readonly blocks: BlockQueue[] = []
  readonly persistent: PersistentRegion[] = []
  readonly #subject: string
  readonly #attach: AttachContext
  readonly #held = new Map<number, HeldLease>()
  /** Block queues that were taken: what was outstanding is still to be collected from them. */
  readonly #taken: BlockQueue[] = []

  constructor(name: string, attach: AttachContext) {
    this.#subject = `partition ${name}`
    this.#attach = attach
  }

  /** What the plan grants, with leases and without. */
  async attachAll({ grants, blockGrants = [], persistentGrants = [], leases = [] }: PartitionPlan): Promise<void> {
    for (const grant of grants) this.queues.push(await attachNetQueue(grant, this.#attach))
    for (const grant of blockGrants) this.blocks.push(await attachBlockQueue(grant, this.#attach))
    for (const grant of persistentGrants) this.persistent.push(await attachPersistentRegion(grant, this.#attach))
    for (const leased of leases) await this.#add(leased)
  }

  /** A lease comes. @throws ESTALE when it is over already; what `onGrant` throws, after which it is not held */
  async grant(leased: LeasedGrant, { onGrant }: PartitionExports): Promise<void> {
    const lease = await this.#add(leased)
    try {
      await onGrant?.(lease)
    } catch (error) {
      this.#drop(lease)
      detach(lease)
      throw error
    }
  }

  /** A lease is asked for; too late, it is as good as taken, and `taken` will say so. @throws ESTALE for one that is not held; what `onRevoke` throws, after which it is still held */
  async revoke(id: number, deadline: number, exports: PartitionExports): Promise<'returned' | 'take'> {
    const lease = this.#find(id)
    if (this.#isPast(deadline)) return 'take'
    if (exports.onRevoke !== undefined) await exports.onRevoke(lease, deadline)
    else if (lease.kind === 'block-queue') return 'take'
    if (!this.#held.has(id) || this.#isPast(deadline)) return 'take'
    this.#drop(lease)
    detach(lease)
    return 'returned'
  }

  /** A lease is over. Returns the frames that came back by that; 0 for a lease that is not held. */
  taken(id: number, { onTaken }: PartitionExports): number {
    const lease = this.#held.get(id)
    if (lease === undefined) return 0
    const before = this.#pool.available
    this.#drop(lease)
    if (lease.kind === 'block-queue') this.#taken.push(lease.queue)
    else detach(lease)
    onTaken?.(lease)
    return this.#pool.available - before
  }

  detachAll(): void {
    this.#held.clear()
    for (const region of this.persistent.splice(0)) region.detach()
    for (const queue of [...this.blocks.splice(0), ...this.#taken.splice(0)]) queue.detach()
    for (const queue of this.queues.splice(0)) queue.detach()
  }

  get #pool(): FramePool {
    return this.#attach.pool
  }

  async #add(leased: LeasedGrant): Promise<HeldLease> {
    const { lease: id } = leased
    let lease: HeldLease
    if (leased.kind === 'net-queue') {
      lease = { id, kind: 'net-queue', queue: await attachNetQueue(leased.grant, this.#attach) }
      this.queues.push(lease.queue)
    } else if (leased.kind === 'block-queue') {
      lease = { id, kind: 'block-queue', queue: await attachBlockQueue(leased.grant, this.#attach) }
      this.blocks.push(lease.queue)
    } else {
      lease = { id, kind: 'persistent-range', region: await attachPersistentRegion(leased.grant, this.#attach) }
      this.persistent.push(lease.region)
    }
    this.#held.set(id, lease)
    return lease
  }

  #isPast(deadline: number): boolean {
    return this.#attach.clock.now() >= deadline
  }

  #find(id: number): HeldLease {
    const lease = this.#held.get(id)
    if (lease !== undefined) return lease
    throw new ParakernelError('ESTALE', `holds no lease ${id}`, { subject: this.#subject })
  }

  #drop(lease: HeldLease): void {
    this.#held.delete(lease.id)
    if (lease.kind === 'net-queue') remove(this.queues, lease.queue)
    else if (lease.kind === 'block-queue') remove(this.blocks, lease.queue)
    else remove(this.persistent, lease.region)
  }
}

function detach(lease: HeldLease): void {
  if (lease.kind === 'persistent-range') lease.region.detach()
  else lease.queue.detach()
}

function remove<T>(list: T[], item: T): void {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
}
