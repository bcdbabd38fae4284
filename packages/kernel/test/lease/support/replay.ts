import { EmulatedDisk } from '@parakernel/emulated'
import {
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  createPlainWindow,
  DebugFramePool,
  VirtualClock,
} from '@parakernel/hal'
import { type LeasedGrant, type LeaseHolder, type LeaseOwner, LeaseTable, type Resource } from '../../../src/index.ts'
import { HeldLeases } from '../../../src/partition/held-leases.ts'
import { settle } from './bed.ts'

/** ECANCELED of a queue that was taken, ENODEV of one that went with its device. */
const CANCELLED = [-125, -19]
const FRAMES = 2
const LATENCY = 1e6

/** A message of the control plane's on its way: what it asks, and how its answer comes back. */
interface Message<T> {
  readonly run: () => Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

/**
 * A partition whose every step is taken when it is told to. The leases are the kernel's own `HeldLeases`, the queue the emulated
 * disk's; messages wait until they are delivered, and answers until they are sent.
 */
class Partition implements LeaseHolder, LeaseOwner {
  readonly name: string
  readonly window = createPlainWindow(FRAMES, { frameSize: 4096, headroom: 0 })
  readonly pool = new DebugFramePool(this.window)
  holder: LeaseHolder | undefined = this
  alive = true
  completed = 0
  cancelled = 0
  given: Message<void> | undefined
  asked: Message<'returned' | 'take'> | undefined
  answer: (() => void) | undefined
  readonly #held: HeldLeases
  readonly #clock: VirtualClock
  readonly #completions = new BlockCompletions(1)
  /** By queue: cookies that are outstanding, and the frame of each. */
  readonly #outstanding = new Map<BlockQueue, Map<number, { frame: number; due: number }>>()
  #cookie = 0

  constructor(number: number, clock: VirtualClock) {
    this.name = `${number}`
    this.#clock = clock
    this.#held = new HeldLeases(this.name, { pool: this.pool, clock })
  }

  // What the lease table calls.

  grant(leased: LeasedGrant): Promise<void> {
    return new Promise((resolve, reject) => {
      const run = () =>
        this.#held.grant(leased, {
          onGrant: (lease) => {
            if (lease.kind === 'block-queue') this.#outstanding.set(lease.queue, new Map())
          },
        })
      this.given = { run, resolve, reject }
    })
  }

  revoke(lease: number, deadline: number): Promise<'returned' | 'take'> {
    return new Promise((resolve, reject) => {
      this.asked = { run: () => this.#held.revoke(lease, deadline, { onRevoke: () => {} }), resolve, reject }
    })
  }

  async taken(lease: number): Promise<number> {
    if (!this.alive) throw new Error('dead')
    return this.#held.taken(lease, {})
  }

  // Its steps.

  async attach(): Promise<void> {
    const { run, resolve, reject } = this.given as Message<void>
    this.given = undefined
    await run().then(resolve, reject)
  }

  async giveBack(): Promise<void> {
    const { run, resolve, reject } = this.asked as Message<'returned' | 'take'>
    this.asked = undefined
    try {
      const how = await run()
      if (how === 'returned') this.answer = () => resolve(how)
      else resolve(how)
    } catch (error) {
      reject(error as Error)
    }
  }

  push(): void {
    const [queue] = this.#held.blocks
    const burst = new BlockBurst(1)
    const frame = this.pool.allocate()
    const cookie = ++this.#cookie
    // Each is due at a time of its own.
    this.#clock.advance(1)
    burst.push(BLOCK_WRITE, 1, 0, 1, cookie)
    burst.addSegment(frame, 0, 4096)
    if (queue.submit(burst) !== 1) throw new Error('was not taken')
    this.#of(queue).set(cookie, { frame, due: this.#clock.now() + LATENCY })
  }

  /** The oldest command of the queue that it holds is done. */
  complete(): void {
    const [queue] = this.#held.blocks
    const [first] = this.#of(queue).values()
    this.#clock.advanceTo(first.due)
    if (this.#collect(queue) !== 0) throw new Error('a completion is not a success')
    this.completed++
  }

  /** One of a queue that was taken is cancelled. */
  cancel(): void {
    const queue = [...this.#outstanding.keys()].find((one) => !this.#isHeld(one) && this.#of(one).size > 0)
    if (queue === undefined) throw new Error('nothing is left to cancel')
    if (!CANCELLED.includes(this.#collect(queue))) throw new Error('a completion is not a cancellation')
    this.cancelled++
  }

  crash(): void {
    this.alive = false
    const error = new Error('dead')
    this.given?.reject(error)
    this.asked?.reject(error)
    this.given = undefined
    this.asked = undefined
    this.#outstanding.clear()
  }

  /** Outstanding, cancelled to be, completed, cancelled, free frames: as the model prints it. */
  get state(): string {
    let held = 0
    let orphaned = 0
    for (const [queue, tokens] of this.#outstanding) {
      if (this.#isHeld(queue)) held += tokens.size
      else orphaned += tokens.size
    }
    const frames = this.alive ? this.pool.available : FRAMES
    return [held, orphaned, this.completed, this.cancelled, frames].join()
  }

  /** A token must be this partition's, and outstanding at this queue: none is completed twice, none for another. */
  #collect(queue: BlockQueue): number {
    const completions = this.#completions
    if (queue.complete(completions) !== 1) throw new Error('a completion is lost')
    const token = this.#of(queue).get(completions.cookie[0])
    if (token === undefined) throw new Error(`completion of ${completions.cookie[0]}, which is not outstanding`)
    this.#of(queue).delete(completions.cookie[0])
    this.pool.release(token.frame)
    return completions.status[0]
  }

  #isHeld(queue: BlockQueue): boolean {
    return this.#held.blocks.includes(queue)
  }

  #of(queue: BlockQueue): Map<number, { frame: number; due: number }> {
    return this.#outstanding.get(queue) as Map<number, { frame: number; due: number }>
  }
}

/** The code in the place of the model: takes the model's steps, and says in what state it is then. */
export class Replay {
  readonly #clock = new VirtualClock()
  readonly #disk = new EmulatedDisk({
    clock: this.#clock,
    blocks: 16,
    media: new Uint8Array(16 * 4096),
    latency: LATENCY,
  })
  readonly #deadlines = new Set<() => void>()
  readonly #table = new LeaseTable({
    clock: this.#clock,
    after: (_, task) => {
      this.#deadlines.add(task)
      return () => this.#deadlines.delete(task)
    },
  })
  readonly #partitions = [1, 2].map((number) => new Partition(number, this.#clock))
  /** What the table's promises ended with, that nothing else shows. */
  readonly #unexpected: unknown[] = []

  constructor() {
    for (const partition of this.#partitions) {
      this.#table.grant({ kind: 'frames', window: partition.window }, partition)
    }
  }

  /** Takes one step of the model's: the state that it leaves, as the model prints it. */
  async step(action: string, number: number): Promise<string> {
    const partition = this.#partitions[number - 1]
    const lease = this.#lease
    if (action === 'grant') this.#later(this.#table.give(this.#resource, partition))
    else if (action === 'refuse') this.#refuse(partition)
    else if (action === 'revoke') this.#later(this.#table.revoke(lease as never))
    else if (action === 'transfer') this.#later(this.#table.transfer(lease as never, partition))
    else if (action === 'answer') {
      partition.answer?.()
      partition.answer = undefined
    } else if (action === 'bury') await this.#table.ownerGone(partition)
    else if (action === 'remove') {
      this.#disk.remove()
      await this.#table.deviceGone(this.#disk)
    } else if (action === 'deadline') for (const task of this.#deadlines) task()
    else if (action === 'attach') await partition.attach()
    else if (action === 'push') partition.push()
    else if (action === 'complete') partition.complete()
    else if (action === 'cancel') partition.cancel()
    else if (action === 'give_back') await partition.giveBack()
    else if (action === 'crash') partition.crash()
    else throw new Error(`the model has a step ${action} that is not known here`)
    await settle()
    if (this.#unexpected.length > 0) throw this.#unexpected[0]
    return this.state
  }

  get state(): string {
    const lease = this.#lease
    const state = lease === undefined ? 'FREE' : lease.state === 'held' ? 'HELD' : 'REVOKING'
    const [one, two] = this.#partitions
    return `${state} owner=${lease?.owner.name ?? 0} 1:${one.state} 2:${two.state}`
  }

  get #resource(): Resource {
    return { kind: 'block-queue', device: this.#disk, queue: 0, range: { namespace: 1, firstLba: 0, blocks: 16 } }
  }

  get #lease() {
    const [lease, second] = this.#table.leases.filter(({ kind }) => kind === 'block-queue')
    if (second !== undefined) throw new Error('two leases of one queue')
    return lease
  }

  /** A second grant fails, with the owner's name. */
  #refuse(partition: Partition): void {
    const owner = this.#lease?.owner.name
    try {
      this.#table.grant(this.#resource, partition)
    } catch (error) {
      const { code, message } = error as Error & { code: string }
      if (code === 'EBUSY' && message.includes(`held by ${owner}`)) return
      throw error
    }
    throw new Error('granted twice')
  }

  /** What the table will say of it. Grants and transfers may fail for what happens meanwhile; nothing else may go wrong. */
  #later(promise: Promise<unknown>): void {
    const expected = ['ESTALE', 'ENXIO', 'ENODEV']
    promise.catch((error: Error & { code?: string }) => {
      if (error.message !== 'dead' && !expected.includes(error.code ?? '')) this.#unexpected.push(error)
    })
  }
}
