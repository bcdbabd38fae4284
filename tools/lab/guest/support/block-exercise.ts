import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_MISCOMPARE,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockDevice,
} from '@parakernel/hal'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BlockSession } from './block-session.ts'
import { pattern } from './pattern.ts'

/** What every block device of the machine must do, told apart by what it says that it can. */
export function exerciseBlockDevice(name: string, open: () => Promise<BlockDevice>, namespace?: number): void {
  describe(name, () => {
    let session: BlockSession
    let size = 0

    beforeAll(async () => {
      session = await BlockSession.open(await open(), namespace)
      size = session.device.capabilities.blockSize
    })
    afterAll(() => session.close())

    const has = (opcode: number) => (session.device.capabilities.opcodes & (1 << opcode)) !== 0

    test('reads what was written, of one segment and of many', () => {
      const blocks = Math.max(1, 32_768 / size)
      const written = pattern(blocks * size, 1)
      for (const piece of [8192, 4096]) {
        expect(session.run({ opcode: BLOCK_WRITE, lba: 64, blocks, data: written, piece, flags: BLOCK_FUA })).toBe(0)
        const read = new Uint8Array(written.length)
        expect(session.run({ opcode: BLOCK_READ, lba: 64, blocks, data: read, piece })).toBe(0)
        expect(read).toEqual(written)
        const one = new Uint8Array(size)
        expect(session.run({ opcode: BLOCK_READ, lba: 64 + blocks - 1, blocks: 1, data: one })).toBe(0)
        expect(one).toEqual(written.subarray((blocks - 1) * size))
      }
    })

    test('flushes, writes zeroes, deallocates', () => {
      const blocks = 8
      const data = pattern(blocks * size, 2)
      session.run({ opcode: BLOCK_WRITE, lba: 200, blocks, data })
      expect(session.run({ opcode: BLOCK_FLUSH })).toBe(0)
      if (has(BLOCK_WRITE_ZEROES)) {
        expect(session.run({ opcode: BLOCK_WRITE_ZEROES, lba: 202, blocks: 2 })).toBe(0)
        data.fill(0, 2 * size, 4 * size)
      }
      const read = new Uint8Array(data.length)
      expect(session.run({ opcode: BLOCK_READ, lba: 200, blocks, data: read })).toBe(0)
      expect(read).toEqual(data)
      if (!has(BLOCK_DEALLOCATE)) return
      expect(session.run({ opcode: BLOCK_DEALLOCATE, lba: 200, blocks })).toBe(0)
      expect(session.run({ opcode: BLOCK_READ, lba: 200, blocks, data: read })).toBe(0)
      for (let i = 0; i < blocks; i++) {
        const block = read.subarray(i * size, (i + 1) * size)
        expect(
          block.every((byte) => byte === 0) || Buffer.compare(block, data.subarray(i * size, (i + 1) * size)) === 0,
        ).toBe(true)
      }
    })

    test('compares', (context) => {
      if (!has(BLOCK_COMPARE)) context.skip('the device has no compare')
      const data = pattern(size, 3)
      session.run({ opcode: BLOCK_WRITE, lba: 300, blocks: 1, data })
      expect(session.run({ opcode: BLOCK_COMPARE, lba: 300, blocks: 1, data })).toBe(0)
      data[size - 1]! ^= 1
      expect(session.run({ opcode: BLOCK_COMPARE, lba: 300, blocks: 1, data })).toBe(BLOCK_MISCOMPARE)
    })

    test('has many commands under way, each with its own blocks', () => {
      const count = 32
      const one = (i: number) => pattern(size, 100 + i)
      const writes = Array.from({ length: count }, (_, i) => ({
        opcode: BLOCK_WRITE,
        lba: 400 + i,
        blocks: 1,
        data: one(i),
      }))
      expect(session.runAll(writes)).toEqual(new Array(count).fill(0))
      const reads = writes
        .map(({ lba }) => ({ opcode: BLOCK_READ, lba, blocks: 1, data: new Uint8Array(size) }))
        .reverse()
      expect(session.runAll(reads)).toEqual(new Array(count).fill(0))
      for (const { lba, data } of reads) expect(data).toEqual(one(lba - 400))
    })

    test('refuses what is outside of the lease, and goes on', () => {
      const end = session.queue.grant.range.blocks
      const before = session.device.statistics()
      const data = new Uint8Array(size)
      const statuses = session.runAll([
        { opcode: BLOCK_READ, lba: end, blocks: 1, data },
        { opcode: BLOCK_READ, lba: end - 1, blocks: 1, data },
        { opcode: BLOCK_WRITE, lba: 0, blocks: 1, data, namespace: 77 },
        { opcode: BLOCK_WRITE, lba: 0, blocks: 2, data },
      ])
      expect(statuses).toEqual([Number.NaN, 0, Number.NaN, Number.NaN])
      const after = session.device.statistics()
      expect(after.refusedLease - before.refusedLease).toBe(2)
      expect(after.refusedInvalid - before.refusedInvalid).toBe(1)
    })

    test('wakes a sleeper by its descriptor', () => {
      for (let i = 0; i < 3; i++) expect(session.sleepFor({ opcode: BLOCK_FLUSH })).toBe(0)
    })
  })
}
