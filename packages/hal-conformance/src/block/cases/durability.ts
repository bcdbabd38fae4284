import { BLOCK_FLUSH, BLOCK_FUA, BLOCK_WRITE, BLOCK_WRITE_ZEROES, GRANT_ATTACHED } from '@parakernel/hal'
import { expect } from 'vitest'
import { type BlockGroup, hook, takes, unless } from '../case.ts'
import type { BlockSession } from '../session.ts'

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0
const ROUNDS = 12

/** What survives a power cut, and an orderly end. */
export const durability: BlockGroup = {
  name: 'durability',
  cases: [
    {
      title: 'what was flushed survives a power cut',
      unless: unless(hook('powerCut'), takes(BLOCK_FLUSH)),
      run: async (session) => {
        for (let round = 0; round < ROUNDS; round++) {
          const queue = await session.open()
          const data = session.pattern(8, 100 + round)
          await session.write(queue, 0, data)
          expect((await session.run(queue, { opcode: BLOCK_FLUSH })).status).toBe(0)
          await cut(session)
          expect(queue.control.state).not.toBe(GRANT_ATTACHED)
          const again = await session.open()
          expect(same(await session.read(again, 0, 8), data)).toBe(true)
          session.close(again)
        }
      },
    },
    {
      title: 'what was forced survives a power cut, whatever else was written',
      unless: hook('powerCut'),
      run: async (session) => {
        for (let round = 0; round < ROUNDS; round++) {
          const queue = await session.open()
          await session.write(queue, 0, session.pattern(8, round))
          const data = session.pattern(2, 150 + round)
          await session.write(queue, 3, data, BLOCK_FUA)
          await session.write(queue, 5, session.pattern(2, 3))
          await cut(session)
          const again = await session.open()
          expect(same(await session.read(again, 3, 2), data)).toBe(true)
          session.close(again)
        }
      },
    },
    {
      title: 'forced zeroes survive a power cut',
      unless: unless(hook('powerCut'), takes(BLOCK_WRITE_ZEROES)),
      run: async (session) => {
        for (let round = 0; round < ROUNDS; round++) {
          const queue = await session.open()
          await session.write(queue, 0, session.pattern(4, round))
          const command = { opcode: BLOCK_WRITE_ZEROES, lba: 1, blocks: 2, flags: BLOCK_FUA }
          expect((await session.run(queue, command)).status).toBe(0)
          await cut(session)
          const again = await session.open()
          expect((await session.read(again, 1, 2)).every((byte) => byte === 0)).toBe(true)
          session.close(again)
        }
      },
    },
    {
      title: 'without a volatile cache, what has completed survives',
      unless: unless(hook('powerCut'), ({ device }) =>
        device.capabilities.volatileCache ? 'the device has a volatile cache' : undefined,
      ),
      run: async (session) => {
        for (let round = 0; round < ROUNDS; round++) {
          const queue = await session.open()
          const data = session.pattern(8, 50 + round)
          await session.write(queue, 0, data)
          await cut(session)
          const again = await session.open()
          expect(same(await session.read(again, 0, 8), data)).toBe(true)
          session.close(again)
        }
      },
    },
    {
      title: 'what was not promised is there or not, block by block, and never anything else',
      unless: hook('powerCut'),
      run: async (session) => {
        for (let round = 0; round < ROUNDS; round++) {
          const queue = await session.open()
          const [before, after] = [session.pattern(8, round), session.pattern(8, 60 + round)]
          await session.write(queue, 0, before, BLOCK_FUA)
          const segments = session.place(queue, after.length, after)
          const burst = session.burst(8)
          // Some of them complete, some are under way.
          for (let block = 0; block < 8; block++) {
            const at = block * session.blockSize
            const frame = segments[Math.floor(at / queue.pool.frameSize)].frame
            const segment = { frame, offset: at % queue.pool.frameSize, length: session.blockSize }
            session.push(burst, { opcode: BLOCK_WRITE, lba: block, blocks: 1, segments: [segment] })
          }
          queue.submit(burst)
          if (round % 2 === 0) await session.fixture.advance?.()
          session.completeSome(queue)
          await cut(session)
          queue.detach()
          session.release(queue, segments)
          const again = await session.open()
          const found = await session.read(again, 0, 8)
          for (let block = 0; block < 8; block++) {
            const part = (bytes: Uint8Array) =>
              bytes.subarray(block * session.blockSize, (block + 1) * session.blockSize)
            expect(same(part(found), part(before)) || same(part(found), part(after)), `block ${block}`).toBe(true)
          }
          session.close(again)
        }
      },
    },
    {
      title: 'an atomic write is there whole or not at all',
      unless: unless(hook('powerCut'), ({ device }) =>
        device.capabilities.atomicUnit < 2 ? 'the atomic unit is one block' : undefined,
      ),
      run: async (session) => {
        const { atomicUnit, atomicBoundary } = session.device.capabilities
        const first =
          atomicBoundary === 0 ? 0 : (atomicBoundary - (session.range.firstLba % atomicBoundary)) % atomicBoundary
        for (let round = 0; round < 2 * ROUNDS; round++) {
          const queue = await session.open()
          const longest = Math.min(
            session.longest(queue),
            atomicBoundary === 0 ? atomicUnit : Math.min(atomicUnit, atomicBoundary),
          )
          const [before, after] = [session.pattern(longest, round), session.pattern(longest, 60 + round)]
          await session.write(queue, first, before, BLOCK_FUA)
          await session.run(queue, { opcode: BLOCK_WRITE, lba: first, blocks: longest, data: after })
          await cut(session)
          const again = await session.open()
          const found = await session.read(again, first, longest)
          expect(same(found, before) || same(found, after)).toBe(true)
          session.close(again)
        }
      },
    },
    {
      title: 'an orderly end keeps everything',
      unless: hook('reopen'),
      ends: true,
      run: async (session) => {
        if (session.decorated) return 'a decorated device is not reopened'
        const queue = await session.open()
        const data = session.pattern(16, 77)
        await session.write(queue, 0, data)
        session.close(queue)
        await session.device.close()
        const device = await session.fixture.reopen?.()
        if (device === undefined) throw new Error('the fixture reopened nothing')
        const grant = device.grant(0, session.range, session.createWindow())
        const again = await session.attach(grant)
        expect(same(await session.read(again, 0, 16), data)).toBe(true)
        again.detach()
        device.reclaim(grant)
      },
    },
  ],
}

async function cut(session: BlockSession): Promise<void> {
  await session.fixture.powerCut?.()
}
