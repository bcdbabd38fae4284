import {
  createNetwork,
  EmulatedDisk,
  type EmulatedNic,
  EmulatedPersistentMemory,
  type Network,
} from '@parakernel/emulated'
import { type Clock, createPlainWindow, VirtualClock } from '@parakernel/hal'
import {
  type LeasedGrant,
  type LeaseOwner,
  LeaseTable,
  type PartitionHandle,
  type PartitionPlan,
  type Resource,
  RunLoop,
  runPartitionInline,
  spawnPartition,
} from '../../../src/index.ts'
import type { LeaseReport, LeaseScript } from '../../workers/lease-partition.ts'

const MODULE = new URL('../../workers/lease-partition.ts', import.meta.url).href

export const FRAMES = 64
export const MILLISECOND = 1e6

export interface Owner extends LeaseOwner {
  handle: PartitionHandle
}

/** A switch with two NICs, a disk and persistent memory under one lease table, and partitions that hold parts of them. */
export class Bed {
  readonly clock: Clock
  /** Of inline partitions; undefined: they run in workers. */
  readonly loop: RunLoop | undefined
  readonly table: LeaseTable
  readonly network: Network
  readonly nic: EmulatedNic
  readonly peer: EmulatedNic
  readonly disk: EmulatedDisk
  readonly memory: EmulatedPersistentMemory
  readonly owners: Owner[] = []

  constructor(kind: 'inline' | 'workers', options: { latency?: number; queues?: number } = {}) {
    const { latency = MILLISECOND, queues = 3 } = options
    const loop = kind === 'inline' ? new RunLoop({ clock: new VirtualClock() }) : undefined
    this.loop = loop
    this.table = new LeaseTable(
      loop === undefined
        ? {}
        : {
            clock: loop.clock,
            after: (nanoseconds, task) => {
              const timer = loop.timers.at(loop.clock.now() + nanoseconds, task)
              return () => loop.timers.cancel(timer)
            },
          },
    )
    const clock = loop === undefined ? {} : { clock: loop.clock }
    this.network = createNetwork(clock)
    this.nic = this.network.nic({ name: 'nic', queues, mac: '02:00:00:00:00:01', ringSize: 32 })
    this.peer = this.network.nic({ name: 'peer', queues: 2, mac: '02:00:00:00:00:02', ringSize: 32 })
    this.disk = new EmulatedDisk({ name: 'disk', queues, blocks: 64, ...(loop && { ...clock, latency }) })
    this.memory = new EmulatedPersistentMemory({ name: 'memory', size: 65_536 })
    this.clock = loop?.clock ?? { now: () => performance.now() * 1e6 }
  }

  netQueue(queue: number, device = this.nic): Resource {
    return { kind: 'net-queue', device, queue }
  }

  blockQueue(queue: number, firstLba = queue * 16, blocks = 16): Resource {
    return { kind: 'block-queue', device: this.disk, queue, range: { namespace: 1, firstLba, blocks } }
  }

  persistentRange(byteOffset: number, byteLength = 4096): Resource {
    return { kind: 'persistent-range', device: this.memory, range: { byteOffset, byteLength } }
  }

  /** An owner with frames and resources, running. */
  async start(name: string, resources: readonly Resource[], data: LeaseScript = {}): Promise<Owner> {
    const window = createPlainWindow(FRAMES, { frameSize: 4096 })
    const owner = { name, window, holder: undefined, handle: undefined as unknown as PartitionHandle } as Owner
    this.table.grant({ kind: 'frames', window }, owner)
    const leases = resources.map((resource) => this.table.grant(resource, owner).leased as LeasedGrant)
    const plan: PartitionPlan<LeaseScript> = {
      ...{ name, index: this.owners.length, partitions: 1, module: MODULE, grants: [], leases, window },
      ...{ heap: { byteOffset: 0, byteLength: 0 }, incoming: [], outgoing: [], cpu: undefined },
      ...{ wait: { kind: 'hybrid' }, hostModule: undefined, debugFrames: true, data },
    }
    owner.handle = this.loop === undefined ? spawnPartition(plan) : runPartitionInline(plan, this.loop)
    await owner.handle.ready
    owner.holder = owner.handle
    this.owners.push(owner)
    return owner
  }

  async report({ handle }: Owner): Promise<LeaseReport> {
    return (await handle.call('report')) as LeaseReport
  }

  /** Lets virtual time pass, with Node's turn in between, as a control thread would have it. */
  async run(nanoseconds: number, steps = 10): Promise<void> {
    const { loop } = this
    if (loop === undefined) throw new Error('workers run by themselves')
    const end = loop.clock.now() + nanoseconds
    for (let i = 1; i <= steps; i++) {
      loop.runUntil(() => false, end - ((steps - i) * nanoseconds) / steps)
      await settle()
    }
  }

  /** Runs until a promise of the table's is there. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let pending = true
    const watched = promise.finally(() => {
      pending = false
    })
    watched.catch(() => {})
    while (pending) {
      await settle()
      if (pending) await this.run(MILLISECOND / 10, 1)
    }
    return watched
  }

  async close(): Promise<void> {
    for (const { handle } of this.owners) await handle.kill()
    this.loop?.close()
    await this.network.close()
    await this.disk.close()
    await this.memory.close()
  }
}

/** Lets everything that is only waiting for its turn have it. */
export const settle = () => new Promise((resolve) => setImmediate(resolve))
