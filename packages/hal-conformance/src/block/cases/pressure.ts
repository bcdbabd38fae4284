import { BLOCK_FLUSH, BLOCK_READ, BlockCompletions } from '@parakernel/hal'
import { expect } from 'vitest'
import type { BlockGroup } from '../case.ts'

/** Full queues, and completions taken in small bites. */
export const pressure: BlockGroup = {
  name: 'pressure',
  cases: [
    {
      title: 'a full queue takes no more than its depth, says so, and loses nothing',
      timeout: 60_000,
      run: async (session) => {
        const { queueDepth } = session.device.capabilities
        const queue = await session.open()
        const total = queueDepth + Math.min(queueDepth, 64) + 1
        const burst = session.burst(total)
        const [segment] = session.place(queue, session.blockSize)
        const offered = new Set<number>()
        const one = [{ ...segment, length: session.blockSize }]
        for (let i = 0; i < total; i++)
          offered.add(session.push(burst, { opcode: BLOCK_READ, blocks: 1, segments: one }))
        const full = queue.counters.get('queueFull')
        let done = queue.submit(burst)
        for (let taken = done; taken > 0 && done < total; done += taken) taken = queue.submit(burst, done)
        expect(done).toBeGreaterThan(0)
        expect(done).toBeLessThanOrEqual(queueDepth)
        expect(queue.counters.get('queueFull')).toBeGreaterThan(full)
        await session.until('all of them', () => {
          for (const { cookie, status } of session.completeSome(queue)) {
            expect(status).toBe(0)
            expect(offered.delete(cookie)).toBe(true)
          }
          if (done < total) done += queue.submit(burst, done)
          return offered.size === 0
        })
        expect(session.completeSome(queue)).toEqual([])
        session.release(queue, [segment])
      },
    },
    {
      title: 'completions come one by one to who asks for one',
      run: async (session) => {
        const queue = await session.open()
        const count = Math.min(8, queue.capabilities.queueDepth)
        const burst = session.burst(count)
        const [segment] = session.place(queue, session.blockSize)
        const one = [{ ...segment, length: session.blockSize }]
        const cookies = Array.from({ length: count }, () =>
          session.push(burst, { opcode: BLOCK_READ, blocks: 1, segments: one }),
        )
        expect(queue.submit(burst)).toBe(count)
        const single = new BlockCompletions(1)
        const found: number[] = []
        await session.until('every completion', () => {
          expect(queue.complete(single)).toBeLessThanOrEqual(1)
          if (single.count === 1) found.push(single.cookie[0])
          return found.length === count
        })
        expect(found.sort((a, b) => a - b)).toEqual(cookies)
        session.release(queue, [segment])
      },
    },
    {
      title: 'an empty burst, and one that starts at its end, change nothing',
      run: async (session) => {
        const queue = await session.open()
        const before = queue.counters.snapshot()
        const burst = session.burst(2)
        expect(queue.submit(burst)).toBe(0)
        session.push(burst, { opcode: BLOCK_FLUSH })
        expect(queue.submit(burst, 1)).toBe(0)
        expect(session.completeSome(queue)).toEqual([])
        expect(queue.counters.snapshot()).toEqual(before)
      },
    },
    {
      title: 'cookies come back as they were, also equal and negative ones',
      run: async (session) => {
        const queue = await session.open()
        const cookies = [7, 7, -1, 0x7fffffff, -0x80000000, 0]
        const burst = session.burst(cookies.length)
        const [segment] = session.place(queue, session.blockSize)
        for (const cookie of cookies) {
          burst.push(BLOCK_READ, session.range.namespace, session.range.firstLba, 1, cookie)
          burst.addSegment(segment.frame, 0, session.blockSize)
        }
        let done = 0
        const found: number[] = []
        await session.until('all of them', () => {
          if (done < cookies.length) done += queue.submit(burst, done)
          found.push(...session.completeSome(queue).map(({ cookie }) => cookie))
          return found.length === cookies.length
        })
        expect(found.sort((a, b) => a - b)).toEqual([...cookies].sort((a, b) => a - b))
        expect([...burst.cookie.subarray(0, cookies.length)]).toEqual(cookies)
        session.release(queue, [segment])
      },
    },
  ],
}
