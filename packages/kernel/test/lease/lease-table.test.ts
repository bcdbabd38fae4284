import { ControlBlock, createFrameWindow, createPlainRegion, createPlainWindow, GRANT_RECLAIMED } from '@parakernel/hal'
import { afterEach, describe, expect, it } from 'vitest'
import type { Lease, LeaseOwner } from '../../src/index.ts'
import { Bed, FRAMES, MILLISECOND, settle } from './support/bed.ts'

const ECANCELED = -125

let bed: Bed
afterEach(() => bed.close())

const idle = (name: string): LeaseOwner => ({
  name,
  window: createPlainWindow(8, { frameSize: 4096 }),
  holder: undefined,
})

function withFrames(name: string): LeaseOwner {
  const owner = idle(name)
  bed.table.grant({ kind: 'frames', window: owner.window }, owner)
  return owner
}

const leaseOf = (owner: LeaseOwner, kind: Lease['kind']) =>
  bed.table.leasesOf(owner).find((lease) => lease.kind === kind) as Lease

describe('a grant', () => {
  it('says what enforces it, and is refused while another owner has any of it', () => {
    bed = new Bed('inline')
    const [a, b] = [withFrames('a'), withFrames('b')]
    const lease = bed.table.grant(bed.netQueue(1), a)
    expect(lease).toMatchObject({ kind: 'net-queue', state: 'held', enforcedBy: 'guard' })
    expect(lease.enforcement.protects).toBe(false)
    const busy = (what: string) => expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining(what) })
    expect(() => bed.table.grant(bed.netQueue(1), b)).toThrow(busy('the queue of it is held by a'))
    bed.table.grant(bed.blockQueue(0, 0, 16), a)
    expect(() => bed.table.grant(bed.blockQueue(0, 32, 1), b)).toThrow(busy('the queue of it is held by a'))
    expect(() => bed.table.grant(bed.blockQueue(1, 15, 2), b)).toThrow(busy('blocks 15-15 of it is held by a'))
    bed.table.grant(bed.persistentRange(4096), a)
    expect(() => bed.table.grant(bed.persistentRange(0, 8192), b)).toThrow(busy('bytes 4096-8191 of it is held by a'))
    expect(bed.table.grant(bed.blockQueue(1, 16, 2), b).state).toBe('held')
    expect(bed.table.grant(bed.persistentRange(0), b).state).toBe('held')
    expect(bed.table.counters).toMatchObject({ granted: 7, refused: 4 })
  })

  it('of frames is refused where the windows overlap in one region', () => {
    bed = new Bed('inline')
    const region = createPlainRegion(65_536)
    const window = (byteOffset: number) => createFrameWindow({ region, byteOffset, frameCount: 4 })
    const owner = (name: string, byteOffset: number) => ({ name, window: window(byteOffset), holder: undefined })
    const [a, b, c] = [owner('a', 0), owner('b', 6144), owner('c', 8192)]
    bed.table.grant({ kind: 'frames', window: a.window }, a)
    expect(() => bed.table.grant({ kind: 'frames', window: b.window }, b)).toThrow(/bytes 6144-8191 of it is held by a/)
    bed.table.grant({ kind: 'frames', window: c.window }, c)
  })

  it('needs a lease of the frames, and an owner that is there', async () => {
    bed = new Bed('inline')
    const a = idle('a')
    expect(() => bed.table.grant(bed.netQueue(0), a)).toThrow(expect.objectContaining({ code: 'EPERM' }))
    bed.table.grant({ kind: 'frames', window: a.window }, a)
    bed.table.grant(bed.netQueue(0), a)
    await bed.table.ownerGone(a)
    expect(bed.table.leases).toEqual([])
    expect(() => bed.table.grant(bed.netQueue(0), a)).toThrow(expect.objectContaining({ code: 'ENXIO' }))
  })

  it('that the device refuses leaves nothing behind', () => {
    bed = new Bed('inline')
    const a = withFrames('a')
    expect(() => bed.table.grant(bed.netQueue(9), a)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(bed.table.leasesOf(a)).toHaveLength(1)
  })

  it('reaches a partition that runs', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [])
    const lease = await bed.table.give(bed.netQueue(0), a)
    await bed.table.give(bed.blockQueue(0), a)
    await bed.table.give(bed.persistentRange(0), a)
    expect(await bed.report(a)).toMatchObject({ queues: 1, blocks: 1, persistent: 1 })
    expect((await bed.report(a)).events[0]).toBe(`grant ${lease.id}`)
    await a.handle.call('persist')
    expect(a.handle.statistics()).toMatchObject({ queues: [{ rxPackets: 0 }], blocks: [{ submitted: 0 }] })
  })

  it('that its partition refuses is free again', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [], { refuseGrants: true })
    await expect(bed.table.give(bed.netQueue(0), a)).rejects.toMatchObject({ code: 'EPERM' })
    expect(bed.table.leasesOf(a)).toHaveLength(1)
    bed.table.grant(bed.netQueue(0), withFrames('b'))
  })
})

describe('a revocation', () => {
  it('finds nobody to ask where the owner does not run', async () => {
    bed = new Bed('inline')
    const a = withFrames('a')
    const lease = bed.table.grant(bed.netQueue(0), a)
    const end = await bed.table.revoke(lease)
    expect(end).toMatchObject({ kind: 'taken', lost: { packets: 0, commands: 0 } })
    expect(lease.state).toBe('ended')
    await expect(async () => bed.table.revoke(lease)).rejects.toMatchObject({ code: 'ESTALE' })
  })

  it('is answered at once by a module that knows nothing of leases: queues and ranges are detached', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0), bed.persistentRange(0)])
    const ends = await bed.until(
      Promise.all(['net-queue', 'persistent-range'].map((kind) => bed.table.revoke(leaseOf(a, kind as Lease['kind'])))),
    )
    expect(ends.map(({ kind }) => kind)).toEqual(['returned', 'returned'])
    expect(ends.every(({ took }) => took < MILLISECOND)).toBe(true)
    expect(await bed.report(a)).toMatchObject({ queues: 0, persistent: 0, available: FRAMES, events: [] })
    expect(bed.table.counters).toMatchObject({ returned: 2, taken: 0 })
  })

  it('of a block queue cancels what is outstanding, each command once, where the module does not finish it', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.blockQueue(0)])
    await a.handle.call('write', [1, 2, 3])
    const end = await bed.until(bed.table.revoke(leaseOf(a, 'block-queue')))
    expect(end).toMatchObject({ kind: 'taken', lost: { commands: 3 } })
    await bed.run(MILLISECOND)
    const { completions, available, blocks, events } = await bed.report(a)
    expect([...completions].sort()).toEqual([1, 2, 3].map((cookie) => [cookie, ECANCELED]))
    expect({ available, blocks }).toEqual({ available: FRAMES, blocks: 0 })
    expect(events).toEqual([`taken ${end.lease.id}`])
    expect(bed.table.counters).toMatchObject({ commandsCancelled: 3 })
  })

  it('gives an orderly holder the time to finish', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.blockQueue(0)], { onRevoke: 'orderly' })
    await a.handle.call('write', [1, 2])
    const end = await bed.until(bed.table.revoke(leaseOf(a, 'block-queue'), 10 * MILLISECOND))
    expect(end.kind).toBe('returned')
    expect(end.took).toBeGreaterThan(0.5 * MILLISECOND)
    expect(end.took).toBeLessThan(3 * MILLISECOND)
    expect((await bed.report(a)).completions).toEqual([
      [1, 0],
      [2, 0],
    ])
  })

  it('takes from a holder that ignores it, at the deadline and not before; it can be granted at once', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0)], { onRevoke: 'ignore' })
    const lease = leaseOf(a, 'net-queue')
    const revoked = bed.table.revoke(lease, 5 * MILLISECOND)
    await bed.run(4 * MILLISECOND)
    expect(lease.state).toBe('revoking')
    const b = await bed.start('b', [])
    await expect(bed.table.give(bed.netQueue(0), b)).rejects.toMatchObject({ code: 'EBUSY' })
    const end = await bed.until(revoked)
    expect(end.kind).toBe('taken')
    expect(end.took).toBe(5 * MILLISECOND)
    expect(new ControlBlock(lease.leased?.kind === 'net-queue' ? lease.leased.grant.control : undefined).state).toBe(
      GRANT_RECLAIMED,
    )
    await bed.table.give(bed.netQueue(0), b)
    expect((await bed.report(a)).events).toEqual([`revoke ${lease.id}`, `taken ${lease.id}`])
    expect(await bed.report(a)).toMatchObject({ queues: 0, available: FRAMES })
  })

  it('takes at once from a holder that fails to answer', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0)], { onRevoke: 'fail' })
    const end = await bed.until(bed.table.revoke(leaseOf(a, 'net-queue')))
    expect(end).toMatchObject({ kind: 'taken', took: 0 })
    expect((await bed.report(a)).available).toBe(FRAMES)
  })

  it('that is asked for twice is one', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0)], { onRevoke: 'ignore' })
    const lease = leaseOf(a, 'net-queue')
    const both = bed.until(
      Promise.all([bed.table.revoke(lease, MILLISECOND), bed.table.revoke(lease, 9 * MILLISECOND)]),
    )
    const [first, second] = await both
    expect(second).toBe(first)
    expect(bed.table.counters.taken).toBe(1)
  })

  it('ends with the holder, if that comes first', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0)], { onRevoke: 'ignore' })
    const revoked = bed.table.revoke(leaseOf(a, 'net-queue'), 50 * MILLISECOND)
    await settle()
    await a.handle.kill()
    const ends = await bed.table.ownerGone(a)
    expect(await revoked).toMatchObject({ kind: 'orphaned', took: 0 })
    expect(ends.map(({ kind }) => kind)).toEqual(['orphaned', 'orphaned'])
    expect(bed.table.counters.framesRecovered).toBe(FRAMES)
  })

  it('of frames takes the queues over them first, and leaves a running partition its memory', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0), bed.blockQueue(0)])
    await expect(bed.until(bed.table.revoke(leaseOf(a, 'frames')))).rejects.toMatchObject({ code: 'ENOTSUP' })
    expect(bed.table.leasesOf(a).map(({ kind, state }) => [kind, state])).toEqual([['frames', 'held']])
    const b = withFrames('b')
    expect(await bed.table.revoke(leaseOf(b, 'frames'))).toMatchObject({ kind: 'taken' })
  })

  it('is by the strategy of the lease, and may be tried again when that fails', async () => {
    bed = new Bed('inline')
    const a = withFrames('a')
    let failures = 1
    const calls: number[] = []
    const enforcement = {
      by: 'bound socket',
      protects: true,
      async repossess(lease: Lease) {
        calls.push(lease.id)
        await settle()
        if (failures-- > 0) throw new Error('still bound')
        bed.nic.reclaim(lease.leased?.grant as never)
      },
    }
    const lease = bed.table.grant(bed.netQueue(0), a, enforcement)
    expect(lease.enforcedBy).toBe('bound socket')
    await expect(bed.table.revoke(lease)).rejects.toThrow('still bound')
    expect(lease.state).toBe('held')
    expect((await bed.table.revoke(lease)).kind).toBe('taken')
    expect(calls).toEqual([lease.id, lease.id])
  })

  it('has an end where the device is removed', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0), bed.netQueue(1), bed.blockQueue(0)])
    bed.nic.remove()
    const ends = await bed.table.deviceGone(bed.nic)
    expect(ends.map(({ kind }) => kind)).toEqual(['removed', 'removed'])
    await settle()
    expect(await bed.report(a)).toMatchObject({ queues: 0, blocks: 1, available: FRAMES })
    expect(() => bed.table.grant(bed.netQueue(0), a)).toThrow(expect.objectContaining({ code: 'ENODEV' }))
  })
})

describe('a transfer', () => {
  it('moves a queue from one partition to another, with nobody between', async () => {
    bed = new Bed('inline')
    const [a, b, c] = [await bed.start('a', [bed.blockQueue(0)]), await bed.start('b', []), await bed.start('c', [])]
    await a.handle.call('write', [1, 2])
    const lease = leaseOf(a, 'block-queue')
    const moved = bed.until(bed.table.transfer(lease, b))
    await expect(bed.table.give(bed.blockQueue(0), c)).rejects.toMatchObject({ code: 'EBUSY' })
    const next = await moved
    expect(next).toMatchObject({ owner: b, state: 'held' })
    expect(lease.state).toBe('ended')
    await b.handle.call('write', [3])
    await bed.run(3 * MILLISECOND)
    expect((await bed.report(a)).completions.map(([cookie]) => cookie).sort()).toEqual([1, 2])
    expect((await bed.report(b)).completions).toEqual([[3, 0]])
    expect(bed.table.counters).toMatchObject({ transferred: 1 })
  })

  it('to a partition that goes meanwhile leaves the resource free', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0)], { onRevoke: 'ignore' })
    const b = await bed.start('b', [])
    const moved = bed.table.transfer(leaseOf(a, 'net-queue'), b, MILLISECOND)
    moved.catch(() => {})
    await bed.table.ownerGone(b)
    await expect(bed.until(moved)).rejects.toMatchObject({ code: 'ENXIO' })
    await bed.table.give(bed.netQueue(0), a)
  })

  it('is refused before anything happens where it cannot be', async () => {
    bed = new Bed('inline')
    const a = await bed.start('a', [bed.netQueue(0)])
    const lease = leaseOf(a, 'net-queue')
    await expect(bed.table.transfer(lease, idle('b'))).rejects.toMatchObject({ code: 'EPERM' })
    await expect(bed.table.transfer(leaseOf(a, 'frames'), a)).rejects.toMatchObject({ code: 'ENOTSUP' })
    expect(lease.state).toBe('held')
    const revoked = bed.table.revoke(lease)
    await expect(bed.table.transfer(lease, a)).rejects.toMatchObject({ code: 'EBUSY' })
    await bed.until(revoked)
    await expect(bed.table.transfer(lease, a)).rejects.toMatchObject({ code: 'ESTALE' })
  })
})
