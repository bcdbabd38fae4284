import { type Clock, type FrameWindow, MonotonicClock, ParakernelError } from '@parakernel/hal'
import { type Enforcement, GUARD } from './enforcement.ts'
import { Lease, type LeaseEnd, type LeaseEndKind, type LeaseHolder, type LeaseLoss, type LeaseOwner } from './lease.ts'
import { lossMeter, NO_LOSS } from './loss.ts'
import { bindResource, conflictOf, describeResource, type Resource, reclaimResource } from './resource.ts'

/** Nanoseconds that a holder has to give a lease back, where nobody says otherwise. */
export const DEFAULT_DEADLINE = 100e6

export interface LeaseTableOptions {
  /** Default: the host's monotonic clock. */
  readonly clock?: Clock
  /** Calls `task` after so many nanoseconds on `clock`; returns the way to stop it. Default: Node's timers. */
  readonly after?: (nanoseconds: number, task: () => void) => () => void
}

export const LEASE_COUNTERS = [
  'granted',
  'refused',
  'transferred',
  'returned',
  'taken',
  'orphaned',
  'removed',
  'packetsLost',
  'commandsCancelled',
  'framesRecovered',
] as const
export type LeaseCounter = (typeof LEASE_COUNTERS)[number]

/** A lease that is being revoked. */
interface Revocation {
  readonly lease: Lease
  readonly begun: number
  /** Who gets the resource in the same step in which it is free: nobody can come between. */
  successor: LeaseOwner | undefined
  /** Its holder is gone, or its device: there is nobody left to wait for. */
  readonly hurry: (kind: LeaseEndKind) => void
  readonly done: Promise<LeaseEnd>
  /** The successor's lease, or why there is none. */
  next: Lease | Error | undefined
}

/**
 * The control plane's record of who holds what. A resource has one owner at a time, from `grant` to the moment at which it can be
 * granted again; a holder that does not give it back by the deadline loses it without being asked twice (the abort protocol:
 * repossession, its tokens cancelled, its frames recovered, everybody else undisturbed).
 *
 * Lives in the control thread, which never blocks on a holder. See `Enforcement` for what a lease is worth against malice.
 */
export class LeaseTable {
  readonly #clock: Clock
  readonly #after: (nanoseconds: number, task: () => void) => () => void
  readonly #leases = new Map<number, Lease>()
  readonly #revocations = new Map<number, Revocation>()
  readonly #gone = new WeakSet<LeaseOwner>()
  readonly #counters = Object.fromEntries(LEASE_COUNTERS.map((name) => [name, 0])) as Record<LeaseCounter, number>
  #next = 1

  constructor({ clock = new MonotonicClock(), after = afterOnNode }: LeaseTableOptions = {}) {
    this.#clock = clock
    this.#after = after
  }

  /** What has not ended, in the order of the grants. */
  get leases(): readonly Lease[] {
    return [...this.#leases.values()]
  }

  get counters(): Readonly<Record<LeaseCounter, number>> {
    return { ...this.#counters }
  }

  leasesOf(owner: LeaseOwner): readonly Lease[] {
    return this.leases.filter((lease) => lease.owner === owner)
  }

  /**
   * Grants a resource to a partition that does not run yet, whose plan carries the lease; see `give` for one that runs.
   * @throws EBUSY naming the owner of what is held already, in whole or in part; EPERM for a queue over frames that `owner` holds no
   * lease of; ENXIO for an owner that is gone; what `device.grant` throws
   */
  grant(resource: Resource, owner: LeaseOwner, enforcement: Enforcement = GUARD): Lease {
    try {
      this.#check(resource, owner)
      return this.#bind(resource, owner, enforcement)
    } catch (error) {
      this.#counters.refused++
      throw error
    }
  }

  /** As `grant`, for a partition that runs: resolves when it has attached. @throws as `grant`; what kept the partition from attaching */
  async give(resource: Resource, owner: LeaseOwner, enforcement: Enforcement = GUARD): Promise<Lease> {
    return this.#handOver(this.grant(resource, owner, enforcement))
  }

  /**
   * Takes a lease back: asks its holder, and takes it by force when `timeout` nanoseconds have passed. When this resolves the
   * resource can be granted again. A lease that is being revoked is not revoked twice: the caller waits with the first.
   * @throws ESTALE for a lease that has ended; what a repossession by force throws, after which it may be tried again
   */
  revoke(lease: Lease, timeout: number = DEFAULT_DEADLINE): Promise<LeaseEnd> {
    return this.#revoke(lease, timeout, undefined).done
  }

  /**
   * Revokes a lease and grants what it held to `to`, with nobody between: resolves when that has attached.
   * @throws as `revoke`; EBUSY for a lease that is being revoked; EPERM and ENXIO as `grant`, before anything happens
   */
  async transfer(lease: Lease, to: LeaseOwner, timeout: number = DEFAULT_DEADLINE): Promise<Lease> {
    const subject = describeResource(lease.resource)
    if (lease.state === 'revoking') throw new ParakernelError('EBUSY', 'is being revoked', { subject })
    if (lease.kind === 'frames') {
      throw new ParakernelError('ENOTSUP', 'stays with its partition', { subject, remedy: 'Transfer queues' })
    }
    this.#checkOwner(lease.resource, to)
    const revocation = this.#revoke(lease, timeout, to)
    await revocation.done
    const { next } = revocation
    if (!(next instanceof Lease)) throw next ?? new ParakernelError('ENODEV', 'its device is gone', { subject })
    this.#counters.transferred++
    return this.#handOver(next)
  }

  /**
   * A partition is gone, however it ended: every lease of it ends, and its frames are all free. Resolves when all can be granted again,
   * or, where it has a successor, have been granted to that: all but its frames, and what was being revoked.
   */
  async ownerGone(owner: LeaseOwner, successor?: LeaseOwner): Promise<readonly LeaseEnd[]> {
    this.#gone.add(owner)
    owner.holder = undefined
    const leases = this.leasesOf(owner)
    // A device may use the frames until its queues are back.
    const queues = await Promise.allSettled(
      leases.filter(({ kind }) => kind !== 'frames').map((lease) => this.#end(lease, 'orphaned', successor)),
    )
    const ends = queues.map((end) => {
      if (end.status === 'rejected') throw end.reason
      return end.value
    })
    const frames = leases.filter(({ kind }) => kind === 'frames')
    return [...ends, ...(await Promise.all(frames.map((lease) => this.#end(lease, 'orphaned'))))]
  }

  /** A device is gone: its leases end as they are. */
  async deviceGone(device: object): Promise<readonly LeaseEnd[]> {
    const leases = this.leases.filter(({ resource }) => resource.kind !== 'frames' && resource.device === device)
    return Promise.all(leases.map((lease) => this.#end(lease, 'removed')))
  }

  /** Joins a revocation that is under way, or makes one that asks nobody. */
  #end(lease: Lease, kind: LeaseEndKind, successor?: LeaseOwner): Promise<LeaseEnd> {
    const revocation = this.#revocations.get(lease.id) ?? this.#revoke(lease, 0, successor)
    revocation.hurry(kind)
    return revocation.done
  }

  #check(resource: Resource, owner: LeaseOwner): void {
    this.#checkOwner(resource, owner)
    for (const { resource: held, owner: other } of this.#leases.values()) {
      const conflict = conflictOf(resource, held)
      if (conflict === undefined) continue
      throw new ParakernelError('EBUSY', `${conflict} of it is held by ${other.name}`, {
        subject: describeResource(resource),
        remedy: 'Revoke that lease first, or ask for something else',
      })
    }
  }

  #checkOwner(resource: Resource, owner: LeaseOwner): void {
    const subject = describeResource(resource)
    if (this.#gone.has(owner)) throw new ParakernelError('ENXIO', `${owner.name} is gone`, { subject })
    if (resource.kind === 'frames' || this.#holdsFrames(owner, owner.window)) return
    throw new ParakernelError('EPERM', `${owner.name} holds no lease of its frame window`, {
      subject,
      remedy: 'Grant it its frames first',
    })
  }

  #holdsFrames(owner: LeaseOwner, window: FrameWindow): boolean {
    return this.leasesOf(owner).some(
      ({ resource, state }) => resource.kind === 'frames' && resource.window === window && state === 'held',
    )
  }

  #bind(resource: Resource, owner: LeaseOwner, enforcement: Enforcement): Lease {
    const id = this.#next
    const lease = new Lease(id, resource, owner, enforcement, bindResource(resource, owner.window, id))
    this.#next++
    this.#leases.set(id, lease)
    this.#counters.granted++
    return lease
  }

  async #handOver(lease: Lease): Promise<Lease> {
    const { owner, leased } = lease
    if (leased === undefined || owner.holder === undefined) return lease
    try {
      await owner.holder.grant(leased)
    } catch (error) {
      // It could not attach, so there is nothing that it could put in order.
      if (lease.state !== 'ended') await this.#end(lease, 'taken')
      throw error
    }
    return lease
  }

  #revoke(lease: Lease, timeout: number, successor: LeaseOwner | undefined): Revocation {
    const under = this.#revocations.get(lease.id)
    if (under !== undefined) return under
    if (lease.state === 'ended') {
      throw new ParakernelError('ESTALE', 'has ended', {
        subject: `lease ${lease.id} of ${describeResource(lease.resource)}`,
      })
    }
    lease.state = 'revoking'
    const { promise: hurried, resolve: hurry } = Promise.withResolvers<LeaseEndKind>()
    const begun = this.#clock.now()
    const done = Promise.withResolvers<LeaseEnd>()
    const revocation: Revocation = { lease, begun, successor, hurry, done: done.promise, next: undefined }
    this.#revocations.set(lease.id, revocation)
    this.#run(revocation, timeout, hurried).then(done.resolve, done.reject)
    return revocation
  }

  async #run(revocation: Revocation, timeout: number, hurried: Promise<LeaseEndKind>): Promise<LeaseEnd> {
    const { lease } = revocation
    try {
      if (lease.kind === 'frames') await this.#revokeDependents(lease, timeout)
      const kind = await this.#ask(lease, revocation.begun + timeout, timeout, hurried)
      const measure = kind === 'returned' || kind === 'removed' ? () => NO_LOSS : lossMeter(lease)
      if (kind === 'taken') await lease.enforcement.repossess(lease)
      else reclaimResource(lease.resource, lease.leased)
      return this.#conclude(revocation, kind, measure())
    } catch (error) {
      // Still its holder's as far as anybody knows.
      this.#revocations.delete(lease.id)
      lease.state = 'held'
      throw error
    }
  }

  /** How the lease comes back: the holder's answer, or what comes first, its deadline or its end. */
  async #ask(lease: Lease, deadline: number, timeout: number, hurried: Promise<LeaseEndKind>): Promise<LeaseEndKind> {
    const { holder } = lease.owner
    const answers: Promise<LeaseEndKind>[] = [hurried]
    // Without a holder that runs there is nobody to ask. Frames are given back by ending.
    const stop =
      holder === undefined || lease.kind === 'frames' || timeout <= 0
        ? this.#now(answers)
        : this.#wait(answers, holder.revoke(lease.id, deadline), timeout)
    const kind = await Promise.race(answers)
    stop()
    return kind
  }

  #now(answers: Promise<LeaseEndKind>[]): () => void {
    // Behind `hurried`, which knows better.
    answers.push(Promise.resolve().then(() => 'taken' as const))
    return () => {}
  }

  #wait(answers: Promise<LeaseEndKind>[], answer: ReturnType<LeaseHolder['revoke']>, timeout: number): () => void {
    const expired = Promise.withResolvers<LeaseEndKind>()
    answers.push(
      // One that fails to put its things in order has none to put.
      answer.then(
        (how) => (how === 'returned' ? how : 'taken'),
        () => 'taken' as const,
      ),
      expired.promise,
    )
    return this.#after(timeout, () => expired.resolve('taken'))
  }

  /** Queues over a window cannot outlive its lease. */
  async #revokeDependents({ owner }: Lease, timeout: number): Promise<void> {
    const queues = this.leasesOf(owner).filter(({ kind }) => kind === 'net-queue' || kind === 'block-queue')
    await Promise.all(queues.map((lease) => this.revoke(lease, timeout)))
  }

  #conclude(revocation: Revocation, kind: LeaseEndKind, lost: LeaseLoss): LeaseEnd {
    const { lease, successor, begun } = revocation
    const { owner, resource } = lease
    lease.state = 'ended'
    this.#leases.delete(lease.id)
    this.#revocations.delete(lease.id)
    this.#counters[kind]++
    this.#counters.packetsLost += lost.packets
    this.#counters.commandsCancelled += lost.commands
    if (kind === 'orphaned' && resource.kind === 'frames') this.#counters.framesRecovered += resource.window.frameCount
    if (successor !== undefined && kind !== 'removed') revocation.next = this.#succeed(lease, successor)
    if (kind !== 'returned') void this.#tell(owner, lease)
    const next = revocation.next instanceof Lease ? revocation.next : undefined
    return { lease, kind, took: this.#clock.now() - begun, lost, next }
  }

  #succeed({ resource, enforcement }: Lease, successor: LeaseOwner): Lease | Error {
    try {
      this.#checkOwner(resource, successor)
      return this.#bind(resource, successor, enforcement)
    } catch (error) {
      return error as Error
    }
  }

  /** The holder hears of it when it can; nobody waits for that. */
  async #tell({ holder }: LeaseOwner, lease: Lease): Promise<void> {
    if (holder === undefined || lease.kind === 'frames') return
    try {
      this.#counters.framesRecovered += await holder.taken(lease.id)
    } catch {
      // It ended first: its frames are counted with its window.
    }
  }
}

/** By Node's own timers, which count in milliseconds. */
export function afterOnNode(nanoseconds: number, task: () => void): () => void {
  const timer = setTimeout(task, Math.ceil(nanoseconds / 1e6))
  return () => clearTimeout(timer)
}
