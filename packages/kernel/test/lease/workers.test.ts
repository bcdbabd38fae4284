import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Lease, LeaseOwner } from '../../src/index.ts'
import { Bed, FRAMES, MILLISECOND, type Owner } from './support/bed.ts'

let bed: Bed
beforeEach(() => {
  bed = new Bed('workers')
})
afterEach(() => bed.close())

const leaseOf = (owner: LeaseOwner, kind: Lease['kind'] = 'net-queue') =>
  bed.table.leasesOf(owner).find((lease) => lease.kind === kind) as Lease

/** Waits for a condition, however busy the machine is. */
async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2))
}

const PEER = '020000000002'
const NIC = '020000000001'

/** Has a partition hog its thread from now on; resolves when it does, with the way to end that. */
async function hog({ handle }: Owner): Promise<() => Promise<unknown>> {
  const word = new Int32Array(new SharedArrayBuffer(4))
  const over = handle.call('hog', word.buffer)
  await until(() => Atomics.load(word, 0) === 1)
  return () => {
    Atomics.store(word, 0, 2)
    return over
  }
}

/** Packets that a partition's first queue has received, read without asking it. */
const received = ({ handle }: Owner) => handle.statistics().queues[0].rxPackets

/** A queue that was taken from `a` works for a newcomer. */
async function grantableAgain(queue: number) {
  const before = bed.nic.queueStatistics(queue).txPackets
  const next = await bed.start('next', [bed.netQueue(queue)], { peer: PEER, flood: true })
  await until(() => bed.nic.queueStatistics(queue).txPackets > before + 100)
  return next
}

describe('a worker partition', () => {
  it('is handed leases and gives them back while it runs', async () => {
    const a = await bed.start('a', [], { onRevoke: 'orderly' })
    const lease = await bed.table.give(bed.netQueue(0), a)
    await bed.table.give(bed.blockQueue(0), a)
    await a.handle.call('write', [1, 2, 3])
    expect(await bed.table.revoke(leaseOf(a, 'block-queue'), 5_000 * MILLISECOND)).toMatchObject({ kind: 'returned' })
    expect(await bed.table.revoke(lease, 5_000 * MILLISECOND)).toMatchObject({ kind: 'returned' })
    const { completions, ...rest } = await bed.report(a)
    expect(completions.map(([cookie, status]) => [cookie, status]).sort()).toEqual([1, 2, 3].map((n) => [n, 0]))
    expect(rest).toMatchObject({ queues: 0, blocks: 0, available: FRAMES })
  })

  it('refuses a lease that was taken before it could attach', async () => {
    const a = await bed.start('a', [])
    const release = await hog(a)
    const given = bed.table.give(bed.netQueue(0), a)
    const ended = bed.table.revoke(leaseOf(a), MILLISECOND)
    given.catch(() => {})
    expect(await ended).toMatchObject({ kind: 'taken' })
    await release()
    await expect(given).rejects.toMatchObject({ code: 'ESTALE' })
    await bed.table.give(bed.netQueue(0), a)
  })
})

describe('a revoked queue is back within its deadline', () => {
  it('from a holder that ignores the request, while its neighbour goes on', async () => {
    const neighbour = await bed.start('neighbour', [bed.netQueue(0, bed.peer)])
    const other = await bed.start('other', [bed.netQueue(1)], { peer: PEER, flood: true })
    const a = await bed.start('a', [bed.netQueue(0)], { onRevoke: 'ignore', peer: PEER, flood: true })
    await until(() => received(a) + received(neighbour) > 200)
    const end = await bed.table.revoke(leaseOf(a), 20 * MILLISECOND)
    expect(end.kind).toBe('taken')
    // Not before; and after it as late as a busy machine's timers are.
    expect(end.took).toBeGreaterThanOrEqual(19 * MILLISECOND)
    const before = received(neighbour)
    await until(() => received(neighbour) > before + 200)
    await until(async () => (await bed.report(a)).events.some((event) => event.startsWith('taken')))
    await a.handle.call('flood', false)
    expect(await bed.report(a)).toMatchObject({ queues: 0, available: FRAMES })
    await grantableAgain(0)
    expect(other.handle.statistics().queues[0].txPackets).toBeGreaterThan(0)
  })

  it('from one that hogs its loop, which finds out when it is back', async () => {
    const a = await bed.start('a', [bed.netQueue(0), bed.blockQueue(0)], { peer: PEER, flood: true })
    const release = await hog(a)
    const ends = await Promise.all([
      bed.table.revoke(leaseOf(a), 20 * MILLISECOND),
      bed.table.revoke(leaseOf(a, 'block-queue'), 20 * MILLISECOND),
    ])
    expect(ends.map(({ kind }) => kind)).toEqual(['taken', 'taken'])
    await grantableAgain(0)
    await release()
    await until(async () => (await bed.report(a)).events.length === 2)
    await a.handle.call('flood', false)
    expect(await bed.report(a)).toMatchObject({ queues: 0, blocks: 0, available: FRAMES })
  })

  it('from one that is killed in mid-burst', async () => {
    const a = await bed.start('a', [bed.netQueue(0)], { peer: PEER, flood: true })
    await until(() => a.handle.statistics().queues[0].txPackets > 100)
    const exit = await a.handle.kill()
    expect(exit).toMatchObject({ kind: 'crashed', error: { code: 'ECANCELED' } })
    const ends = await bed.table.ownerGone(a)
    expect(ends.map(({ kind }) => kind)).toEqual(['orphaned', 'orphaned'])
    const next = await grantableAgain(0)
    // What lay on its way to a dead holder reaches nobody else.
    await next.handle.call('flood', false)
    expect(await bed.report(next)).toMatchObject({ received: 0 })
  })

  it('from one that crashes while it is asked', async () => {
    const a = await bed.start('a', [bed.netQueue(0)], { onRevoke: 'ignore' })
    const revoked = bed.table.revoke(leaseOf(a), 60_000 * MILLISECOND)
    await a.handle.call('crash')
    // Its end is an answer: nobody waits for the deadline.
    expect(await revoked).toMatchObject({ kind: 'taken' })
    await a.handle.exited
    await bed.table.ownerGone(a)
    expect(bed.table.leases).toEqual([])
  })
})

it('what is on its way to a queue that is taken is counted as lost', async () => {
  const sender = await bed.start('sender', [bed.netQueue(0, bed.peer)], { peer: NIC, flood: true })
  const a = await bed.start('a', [bed.netQueue(0)])
  await until(() => received(a) > 100)
  await sender.handle.call('flood', false)
  const release = await hog(a)
  // Its ring fills up.
  await sender.handle.call('flood', true)
  const { rxDroppedRingFull } = bed.nic.queueStatistics(0)
  await until(() => bed.nic.queueStatistics(0).rxDroppedRingFull > rxDroppedRingFull + 100)
  await sender.handle.call('flood', false)
  const { lost } = await bed.table.revoke(leaseOf(a), 10 * MILLISECOND)
  expect(lost.packets).toBeGreaterThan(0)
  expect(bed.table.counters.packetsLost).toBe(lost.packets)
  await release()
})
