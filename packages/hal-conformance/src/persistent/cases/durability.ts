import { expect } from 'vitest'
import { hook, type PersistentGroup } from '../case.ts'

const ROUNDS = 16

/** What survives a power cut, and an orderly end. */
export const durability: PersistentGroup = {
  name: 'durability',
  cases: [
    {
      title: 'what was flushed and drained survives a power cut',
      unless: hook('powerCut'),
      run: async (session) => {
        for (let round = 1; round <= ROUNDS; round++) {
          const { region, bytes } = await session.open()
          bytes.fill(round, 0, 1000)
          bytes.fill(round, 5000, 5100)
          if (round % 2 === 0) region.persist([0, 1000, 5000, 100])
          else {
            region.flush([0, 1000])
            region.flush([5000, 100])
            region.drain()
          }
          bytes.fill(0xff, 2000, 3000)
          await session.fixture.powerCut?.()
          const after = await session.open()
          expect(after.bytes.subarray(0, 1000).every((byte) => byte === round)).toBe(true)
          expect(after.bytes.subarray(5000, 5100).every((byte) => byte === round)).toBe(true)
          session.close(after)
        }
      },
    },
    {
      title: 'an aligned word that was not drained is old or new, never a mixture',
      unless: hook('powerCut'),
      run: async (session) => {
        for (let round = 1; round <= ROUNDS; round++) {
          const { region, words } = await session.open()
          words.fill(0x1111_1111_1111_1111n, 0, 64)
          region.persist([0, 512])
          words.fill(0x2222_2222_2222_2222n, 0, 64)
          if (round % 3 === 0) region.flush([0, 256])
          await session.fixture.powerCut?.()
          const after = await session.open()
          for (let i = 0; i < 64; i++)
            expect([0x1111_1111_1111_1111n, 0x2222_2222_2222_2222n]).toContain(after.words[i])
          session.close(after)
        }
      },
    },
    {
      title: 'what was stored after a flush is not covered by the drain, and what was flushed is',
      unless: hook('powerCut'),
      run: async (session) => {
        for (let round = 1; round <= ROUNDS; round++) {
          const { region, words } = await session.open()
          words[0] = 1n
          region.persist([0, 8])
          words[0] = 2n
          region.flush([0, 8])
          words[0] = 3n
          region.drain()
          await session.fixture.powerCut?.()
          const after = await session.open()
          expect([2n, 3n]).toContain(after.words[0])
          session.close(after)
        }
      },
    },
    {
      title: 'an orderly end keeps what was persisted',
      unless: hook('reopen'),
      ends: true,
      run: async (session) => {
        if (session.decorated) return 'a decorated device is not reopened'
        const held = await session.open()
        held.bytes.fill(0x77, 0, 4096)
        held.region.persist([0, 4096])
        session.close(held)
        await session.device.close()
        const device = await session.fixture.reopen?.()
        if (device === undefined) throw new Error('the fixture reopened nothing')
        const grant = device.grant(session.range)
        const { bytes, region } = await session.attach(grant)
        expect(bytes.subarray(0, 4096).every((byte) => byte === 0x77)).toBe(true)
        region.detach()
        device.reclaim(grant)
      },
    },
  ],
}
