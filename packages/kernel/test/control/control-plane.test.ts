import { createNetwork, EmulatedDisk, EmulatedPersistentMemory } from '@parakernel/emulated'
import { VirtualClock } from '@parakernel/hal'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  ControlPlane,
  type PartitionSpecification,
  type Restart,
  RunLoop,
  runPartitionInline,
} from '../../src/index.ts'
import { settle } from '../lease/support/bed.ts'
import type { LeaseReport, LeaseScript } from '../workers/lease-partition.ts'

const MODULE = new URL('../workers/lease-partition.ts', import.meta.url)
const SCRIPTED = new URL('../workers/partitions.ts', import.meta.url)
const MILLISECOND = 1e6

const network = () => {
  const lan = createNetwork()
  const nic = lan.nic({ name: 'nic', queues: 2, ringSize: 32 })
  const peer = lan.nic({ name: 'peer', mac: '02:00:00:00:00:02', ringSize: 32 })
  return { lan, nic, peer }
}

let devices: ReturnType<typeof network>
let disk: EmulatedDisk
let memory: EmulatedPersistentMemory
let plane: ControlPlane
beforeEach(() => {
  devices = network()
  disk = new EmulatedDisk({ name: 'disk', queues: 2, blocks: 64 })
  memory = new EmulatedPersistentMemory({ name: 'memory', size: 65_536 })
  plane = new ControlPlane()
})
afterEach(async () => {
  await plane.stop(2_000)
  await devices.lan.close()
  await disk.close()
  await memory.close()
})

/** A partition that holds a bit of everything. */
function specification(more: Partial<PartitionSpecification<LeaseScript>> = {}): PartitionSpecification<LeaseScript> {
  return {
    name: 'p',
    module: MODULE,
    memory: { frames: 64, frameSize: 4096, heap: 4096 },
    queues: [{ device: devices.nic, queue: 0 }],
    storage: [
      { device: disk, queue: 0, range: { namespace: 1, firstLba: 0, blocks: 16 } },
      { device: memory, range: { byteOffset: 0, byteLength: 4096 } },
    ],
    debugFrames: true,
    data: { peer: '020000000002' },
    ...more,
  }
}

const busy = expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining('held by p') })
const report = async (partition: { call(method: string): Promise<unknown> }) =>
  (await partition.call('report')) as LeaseReport

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2))
}

describe('a spawned partition', () => {
  it('holds what its specification names, until it ends', async () => {
    const partition = plane.spawn(specification())
    await partition.ready
    expect(partition.leases.map(({ kind, enforcedBy }) => `${kind} ${enforcedBy}`)).toEqual([
      'frames guard',
      'net-queue guard',
      'block-queue guard',
      'persistent-range guard',
    ])
    expect(await report(partition)).toMatchObject({ queues: 1, blocks: 1, persistent: 1, frames: 64 })
    await partition.call('write', [1, 2])
    await until(async () => (await report(partition)).completions.length === 2)
    expect(() => plane.spawn(specification({ name: 'other' }))).toThrow(busy)
    expect(partition.statistics()).toMatchObject({ restarts: 0, queues: [{ txPackets: 0 }] })
    expect(await partition.stop()).toEqual({ kind: 'stopped' })
    expect(plane.partitions).toEqual([])
    expect(plane.leases.leases).toEqual([])
    const next = plane.spawn(specification({ name: 'next' }))
    await next.ready
  })

  it('whose devices are not to be had leaves nothing behind', async () => {
    expect(() => plane.spawn(specification({ queues: [{ device: devices.nic, queue: 7 }] }))).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
    expect(() => plane.spawn(specification({ memory: { kind: 'memfd' } }))).toThrow(
      expect.objectContaining({ code: 'ENOTSUP' }),
    )
    await settle()
    expect(plane.leases.leases).toEqual([])
    expect(plane.partitions).toEqual([])
  })

  it('gains and loses queues while it runs', async () => {
    const partition = plane.spawn(specification())
    const other = plane.spawn(specification({ name: 'other', queues: [], storage: [] }))
    await Promise.all([partition.ready, other.ready])
    const lease = partition.leases.find(({ kind }) => kind === 'net-queue')
    if (lease === undefined) throw new Error('no lease')
    const moved = await plane.leases.transfer(lease, other.owner)
    expect(other.leases).toContain(moved)
    expect(await report(partition)).toMatchObject({ queues: 0 })
    expect(await report(other)).toMatchObject({ queues: 1, events: [`grant ${moved.id}`] })
    devices.nic.remove()
    await until(async () => (await report(other)).events.includes(`taken ${moved.id}`))
  })

  it('that fails to start is not started again', async () => {
    const partition = plane.spawn({
      ...{ name: 'p', module: SCRIPTED, data: { fail: 'start' } },
      restart: { when: 'on-crash' },
    })
    await expect(partition.ready).rejects.toMatchObject({ code: 'EINVAL' })
    expect(await partition.exited).toMatchObject({ kind: 'crashed', error: { code: 'EINVAL' } })
    expect(partition.restarts).toBe(0)
  })

  it('without a policy stays down when it crashes, and all it held is free', async () => {
    const partition = plane.spawn(specification())
    await partition.ready
    await partition.call('crash')
    expect(await partition.exited).toMatchObject({ kind: 'crashed', error: { code: 'EIO' } })
    expect(plane.leases.leases).toEqual([])
    await expect(partition.call('report')).rejects.toMatchObject({ code: 'ENXIO' })
  })
})

describe('a partition that is restarted when it crashes', () => {
  it('has what it had, which nobody else could get meanwhile, and clean memory', async () => {
    const restarts: Restart[] = []
    const partition = plane.spawn(
      specification({
        restart: { when: 'on-crash', backoff: 50 * MILLISECOND },
        onRestart: (restart) => restarts.push(restart),
      }),
    )
    await partition.ready
    const first = partition.owner
    await partition.call('flood', true)
    await until(() => partition.statistics().queues[0].txPackets > 100)
    await partition.call('crash')
    await until(() => restarts.length === 1)
    expect(restarts).toMatchObject([{ number: 1, cause: { code: 'EIO' }, delay: 50 * MILLISECOND }])
    expect(() => plane.spawn(specification({ name: 'thief' }))).toThrow(busy)
    await expect(partition.call('report')).rejects.toMatchObject({ code: 'ENXIO' })
    await until(async () => (await partition.call('report').catch(() => undefined)) !== undefined)
    expect(partition.owner).not.toBe(first)
    expect(await report(partition)).toMatchObject({ queues: 1, blocks: 1, persistent: 1, available: 64, sent: 0 })
    await partition.call('write', [9])
    await partition.call('persist')
    await until(async () => (await report(partition)).completions.length === 1)
    expect(partition.statistics().restarts).toBe(1)
    // The thief's frames are among them.
    expect(plane.leases.counters).toMatchObject({ orphaned: 5, framesRecovered: 128 })
  })

  it('does not get what was taken from it', async () => {
    const partition = plane.spawn(specification({ restart: { when: 'on-crash', backoff: MILLISECOND } }))
    await partition.ready
    const lease = partition.leases.find(({ kind }) => kind === 'block-queue')
    if (lease !== undefined) await plane.leases.revoke(lease)
    await partition.call('crash')
    await until(() => partition.restarts === 1)
    await until(async () => (await partition.call('report').catch(() => undefined)) !== undefined)
    expect(await report(partition)).toMatchObject({ queues: 1, blocks: 0, persistent: 1 })
  })

  it('can be stopped while it waits', async () => {
    const partition = plane.spawn(specification({ restart: { when: 'on-crash', backoff: 1e15 } }))
    await partition.ready
    await partition.call('crash')
    await until(() => partition.restarts === 1)
    expect(await partition.stop()).toEqual({ kind: 'stopped' })
    expect(plane.leases.leases).toEqual([])
  })
})

describe('on a virtual clock', () => {
  it('waits twice as long each time, gives up, and starts anew when the bad spell is over', async () => {
    const loop = new RunLoop({ clock: new VirtualClock() })
    const inline = new ControlPlane({ loop })
    const restarts: [number, number][] = []
    const lives: ReturnType<typeof runPartitionInline>[] = []
    const spawn = (maximum: number) =>
      inline.spawn({
        ...{ name: 'p', module: SCRIPTED, data: {} },
        start(plan) {
          const life = runPartitionInline(plan, loop)
          lives.push(life)
          return life
        },
        restart: { when: 'on-crash', maximum, within: 1e9, backoff: 100e6 },
        onRestart: ({ delay }) => restarts.push([loop.clock.now(), delay]),
      })
    const run = async (nanoseconds: number) => {
      loop.runUntil(() => false, loop.clock.now() + nanoseconds)
      await settle()
    }
    const partition = spawn(2)
    await partition.ready
    const crash = async () => {
      await lives.at(-1)?.kill()
      await settle()
    }
    await crash()
    expect(lives).toHaveLength(1)
    await run(100e6)
    expect(lives).toHaveLength(2)
    await crash()
    await run(199e6)
    expect(lives).toHaveLength(2)
    await run(1e6)
    expect(lives).toHaveLength(3)
    expect(restarts).toEqual([
      [0, 100e6],
      [100e6, 200e6],
    ])
    // The first two are forgotten by then.
    await run(2e9)
    await crash()
    expect(restarts.at(-1)).toEqual([2.3e9, 100e6])
    await run(100e6)
    await crash()
    await run(200e6)
    await crash()
    expect(await partition.exited).toMatchObject({ kind: 'crashed', error: { code: 'ECANCELED' } })
    expect(partition.restarts).toBe(4)
    expect(inline.leases.leases).toEqual([])
    expect(await inline.stop()).toEqual([])
    loop.close()
  })
})
