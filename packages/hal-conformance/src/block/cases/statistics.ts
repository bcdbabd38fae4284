import { BLOCK_COMPARE, BLOCK_COUNTERS, BLOCK_FLUSH, BLOCK_READ, BLOCK_WRITE } from '@parakernel/hal'
import { expect } from 'vitest'
import { type BlockGroup, severalQueues } from '../case.ts'

/** The counters add up. */
export const statistics: BlockGroup = {
  name: 'statistics',
  cases: [
    {
      title: 'every counter is there',
      run: async (session) => {
        const queue = await session.open()
        expect(Object.keys(queue.counters.snapshot())).toEqual([...BLOCK_COUNTERS])
        expect(Object.keys(session.device.statistics()).sort()).toEqual([...BLOCK_COUNTERS].sort())
      },
    },
    {
      title: 'every command offered ends in one counter, every byte in another, and the device has the sum',
      run: async (session) => {
        const before = session.device.statistics()
        const queue = await session.open()
        const start = queue.counters.snapshot()
        const { blockSize } = session
        const has = (opcode: number) => (queue.capabilities.opcodes & (1 << opcode)) !== 0
        const data = session.pattern(2, 9)
        await session.run(queue, { opcode: BLOCK_WRITE, lba: 1, blocks: 2, data })
        await session.run(queue, { opcode: BLOCK_READ, lba: 0, blocks: 1 })
        let commands = 2
        let failed = 0
        if (has(BLOCK_FLUSH)) {
          await session.run(queue, { opcode: BLOCK_FLUSH })
          commands++
        }
        if (has(BLOCK_COMPARE)) {
          await session.run(queue, { opcode: BLOCK_COMPARE, lba: 1, blocks: 2, data: session.pattern(2, 10) })
          commands++
          failed++
        }
        const burst = session.burst(3)
        session.push(burst, { opcode: BLOCK_READ, lba: -5, blocks: 1 })
        session.push(burst, { opcode: BLOCK_READ, lba: 0, blocks: 0 })
        session.push(burst, { opcode: 0 })
        expect(queue.submit(burst)).toBe(3)
        const end = queue.counters.snapshot()
        const difference = (name: (typeof BLOCK_COUNTERS)[number]) => end[name] - start[name]
        expect(difference('submitted')).toBe(commands)
        expect(difference('completed')).toBe(commands)
        expect(difference('failed')).toBe(failed)
        expect(difference('bytesWritten')).toBe(2 * blockSize)
        expect(difference('bytesRead')).toBe(blockSize)
        expect(difference('refusedLease')).toBe(1)
        expect(difference('refusedInvalid')).toBe(2)
        const sum = session.device.statistics()
        for (const name of ['submitted', 'completed', 'bytesRead', 'bytesWritten', 'refusedLease'] as const) {
          expect(sum[name] - before[name], name).toBe(difference(name))
        }
      },
    },
    {
      title: 'counts stay when a queue is granted again',
      run: async (session) => {
        const queue = await session.open()
        await session.read(queue, 0, 1)
        const { submitted } = session.device.statistics()
        session.close(queue)
        expect(session.device.statistics().submitted).toBe(submitted)
        const again = await session.open()
        await session.read(again, 0, 1)
        expect(session.device.statistics().submitted).toBe(submitted + 1)
      },
    },
    {
      title: 'queues count apart',
      unless: severalQueues,
      run: async (session) => {
        const [one, two] = [await session.open(0), await session.open(1)]
        const before = two.counters.snapshot()
        await session.read(one, 0, 2)
        expect(two.counters.snapshot()).toEqual(before)
      },
    },
  ],
}
