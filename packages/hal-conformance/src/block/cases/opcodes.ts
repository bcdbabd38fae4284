import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_MISCOMPARE,
  BLOCK_READ,
  BLOCK_REFUSED,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
} from '@parakernel/hal'
import { expect } from 'vitest'
import { type BlockGroup, takes } from '../case.ts'

const ALL = [BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_WRITE_ZEROES, BLOCK_DEALLOCATE, BLOCK_COMPARE]
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0

/** What each command does beside moving bytes, or that it is refused. */
export const opcodes: BlockGroup = {
  name: 'opcodes',
  cases: [
    {
      title: 'a flush completes with nothing moved, whatever its other columns say',
      unless: takes(BLOCK_FLUSH),
      run: async (session) => {
        const queue = await session.open()
        expect(await session.run(queue, { opcode: BLOCK_FLUSH })).toMatchObject({ status: 0, result: 0 })
        expect(await session.run(queue, { opcode: BLOCK_FLUSH, lba: 1e9, blocks: -3 })).toMatchObject({ status: 0 })
      },
    },
    {
      title: 'a forced write is written',
      run: async (session) => {
        const queue = await session.open()
        const data = session.pattern(2, 33)
        const done = await session.run(queue, { opcode: BLOCK_WRITE, lba: 4, blocks: 2, flags: BLOCK_FUA, data })
        expect(done).toMatchObject({ status: 0, result: data.length })
        expect(same(await session.read(queue, 4, 2), data)).toBe(true)
      },
    },
    {
      title: 'zeroes are written where asked, and nowhere else',
      unless: takes(BLOCK_WRITE_ZEROES),
      run: async (session) => {
        const queue = await session.open()
        for (const flags of [0, BLOCK_FUA]) {
          const data = session.pattern(8, 12)
          await session.write(queue, 0, data)
          const done = await session.run(queue, { opcode: BLOCK_WRITE_ZEROES, lba: 3, blocks: 2, flags })
          expect(done).toMatchObject({ status: 0, result: 0 })
          data.fill(0, 3 * session.blockSize, 5 * session.blockSize)
          expect(same(await session.read(queue, 0, 8), data)).toBe(true)
        }
      },
    },
    {
      title: 'deallocated blocks read as zeroes or as before, and can be written again',
      unless: takes(BLOCK_DEALLOCATE),
      run: async (session) => {
        const queue = await session.open()
        const data = session.pattern(8, 14)
        await session.write(queue, 0, data)
        const done = await session.run(queue, { opcode: BLOCK_DEALLOCATE, lba: 2, blocks: 4 })
        expect(done).toMatchObject({ status: 0, result: 0 })
        const found = await session.read(queue, 0, 8)
        const zeroes = new Uint8Array(session.blockSize)
        for (let block = 0; block < 8; block++) {
          const [now, before] = [found, data].map((bytes) =>
            bytes.subarray(block * session.blockSize, (block + 1) * session.blockSize),
          )
          const kept = same(now, before)
          expect(kept || (block >= 2 && block < 6 && same(now, zeroes)), `block ${block}`).toBe(true)
        }
        expect(same(await session.read(queue, 0, 8), found)).toBe(true)
        const again = session.pattern(4, 15)
        await session.write(queue, 2, again)
        expect(same(await session.read(queue, 2, 4), again)).toBe(true)
      },
    },
    {
      title: 'a deallocation may be longer than any transfer',
      unless: takes(BLOCK_DEALLOCATE),
      run: async (session) => {
        const queue = await session.open()
        expect(await session.run(queue, { opcode: BLOCK_DEALLOCATE, blocks: session.range.blocks })).toMatchObject({
          status: 0,
        })
      },
    },
    {
      title: 'a compare finds what is equal, and any byte that is not',
      unless: takes(BLOCK_COMPARE),
      run: async (session) => {
        const queue = await session.open()
        const blocks = Math.min(2, session.longest(queue))
        const data = session.pattern(blocks, 18)
        await session.write(queue, 1, data)
        const compare = () => session.run(queue, { opcode: BLOCK_COMPARE, lba: 1, blocks, data })
        expect(await compare()).toMatchObject({ status: 0, result: data.length })
        for (const at of [0, session.blockSize - 1, data.length - 1]) {
          data[at] ^= 1
          expect((await compare()).status, `byte ${at}`).toBe(BLOCK_MISCOMPARE)
          data[at] ^= 1
        }
        expect((await compare()).status).toBe(0)
      },
    },
    {
      title: 'what the device does not have, and what nobody has, is refused and counted',
      run: async (session) => {
        const queue = await session.open()
        const missing = ALL.filter((opcode) => (queue.capabilities.opcodes & (1 << opcode)) === 0)
        const burst = session.burst(64)
        const segments = session.place(queue, session.blockSize)
        for (const opcode of [...missing, 0, 30, 31, 33, -1, 1000]) session.push(burst, { opcode, blocks: 1, segments })
        const before = queue.counters.get('refusedInvalid')
        expect(queue.submit(burst)).toBe(burst.count)
        expect(burst.refused).toBe(burst.count)
        for (let i = 0; i < burst.count; i++) expect(burst.flags[i] & BLOCK_REFUSED, String(i)).toBe(BLOCK_REFUSED)
        expect(queue.counters.get('refusedInvalid') - before).toBe(burst.count)
        session.release(queue, segments)
      },
    },
  ],
}
