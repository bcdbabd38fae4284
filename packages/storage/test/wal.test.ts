import { describe, expect, it } from 'vitest'
import { makeLog, openLog, openWal } from '../src/index.ts'
import { createRig } from './support/rig.ts'

const set = (key: string, value: number) => new TextEncoder().encode(`${key}=${value}`)
const applyTo = (state: Map<string, number>) => (change: Uint8Array) => {
  const [key, value] = new TextDecoder().decode(change).split('=')
  state.set(key, Number(value))
}

describe('a write-ahead log', () => {
  it('redoes what was committed, in order, and nothing else', async () => {
    const rig = createRig({ blocks: 256, blockSize: 512, volatileCache: true })
    await rig.run(async () => {
      await makeLog(rig.medium)
      const wal = openWal(await openLog(rig.medium))
      const first = wal.begin()
      first.append(set('a', 1))
      first.append(set('b', 2))
      expect(await first.commit()).toBe(1)
      const aborted = wal.begin()
      aborted.append(set('a', 666))
      aborted.abort()
      await expect(aborted.commit()).rejects.toMatchObject({ code: 'EINVAL' })
      const second = wal.begin()
      second.append(set('a', 3))
      expect(await second.commit('fua')).toBe(2)
      expect(await wal.begin().commit()).toBeUndefined()
      // It dies here.
      const again = openWal(await openLog(rig.medium))
      const state = new Map<string, number>()
      expect(await again.replay(applyTo(state))).toBe(2)
      expect([...state]).toEqual([
        ['a', 3],
        ['b', 2],
      ])
      expect(await again.replay(applyTo(state))).toBe(2)
      expect(state.get('a')).toBe(3)
    })
  })

  it('begins behind the newest checkpoint, and gives the room back', async () => {
    const rig = createRig({ blocks: 256, blockSize: 512, volatileCache: true })
    await rig.run(async () => {
      await makeLog(rig.medium)
      const log = await openLog(rig.medium)
      const wal = openWal(log)
      for (let i = 1; i <= 20; i++) {
        const transaction = wal.begin()
        transaction.append(set(`k${i}`, i))
        await transaction.commit()
      }
      await wal.checkpoint(15)
      expect(log.first).toBe(16)
      const redone: number[] = []
      const again = openWal(await openLog(rig.medium))
      expect(await again.replay((_change, sequence) => redone.push(sequence))).toBe(5)
      expect(redone).toEqual([16, 17, 18, 19, 20])
    })
  })

  it('refuses a transaction that is longer than a record may be', async () => {
    const rig = createRig({ blocks: 256, blockSize: 512 })
    await rig.run(async () => {
      await makeLog(rig.medium)
      const wal = openWal(await openLog(rig.medium))
      const transaction = wal.begin()
      expect(() => transaction.append(new Uint8Array(wal.log.recordLimit))).toThrow(/EMSGSIZE/)
      transaction.append(set('a', 1))
      expect(await transaction.commit()).toBe(1)
    })
  })
})
