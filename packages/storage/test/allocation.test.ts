import { describe, expect, it } from 'vitest'
import { makeLog, openLog } from '../src/index.ts'
import { expectAllocation } from './support/allocation.ts'
import { plainMemory } from './support/crash.ts'
import { createPersistentRig, createRig, type Rig } from './support/rig.ts'

const RECORDS = 262_144
const GROUP = 64

const kinds: readonly [string, () => Rig][] = [
  ['blocks', () => createRig({ blocks: 4096, blockSize: 512, volatileCache: true })],
  ['persistent memory', () => createPersistentRig(1 << 21, {}, plainMemory)],
]

describe.for(kinds)('appends to a log on %s', ([, create]) => {
  it('allocate nothing', { timeout: 120_000 }, async () => {
    const rig = create()
    const { loop } = rig
    await rig.run(() => makeLog(rig.medium))
    const log = await rig.run(() => openLog(rig.medium))
    const record = new Uint8Array(100).fill(9)
    const frame = rig.pool.allocate()
    const address = rig.pool.address(frame)
    let completed = 0
    const done = (status: number) => {
      if (status === 0) completed++
    }
    /** A group, appended, committed, and complete. */
    const round = () => {
      for (let i = 0; i < GROUP; i += 2) {
        if (log.append(record, 'flushed', done, i) < 0) return false
        if (log.appendRegion(address, 100, 'fua', done, i) < 0) return false
      }
      const end = log.next
      log.commit()
      while (log.durable < end) loop.runOnce()
      return true
    }
    const fill = (records: number) => {
      for (let appended = 0; appended < records && round(); appended += GROUP);
    }
    const empty = () => rig.run(() => log.truncate(log.next))
    const fits = Math.floor(log.capacityBytes / 160 / GROUP / 2) * GROUP
    for (let i = 0; i < RECORDS; i += fits) {
      fill(fits)
      await empty()
    }
    expect(completed).toBe(log.next - 1)
    // Two clock readings a group, whose times are boxed numbers, and what the device of the test does for a command.
    let before = log.next
    await expectAllocation(() => fill(GROUP * 8), GROUP * 8 * 32, empty)
    expect(log.next).toBeGreaterThan(before)
    before = log.next
    rig.pool.release(frame)
  })
})
