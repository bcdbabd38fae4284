import { GRANT_RECLAIMED } from '@parakernel/hal'
import { expect } from 'vitest'
import { type BlockGroup, inWorkers, severalQueues, unless } from '../case.ts'

/** Queues held by worker threads, and a holder that dies. */
export const workers: BlockGroup = {
  name: 'workers',
  cases: [
    {
      title: 'a worker attaches a grant, writes and reads',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const worker = await session.startWorker()
        await worker.attach(session.grant())
        const count = Math.min(64, session.operations)
        expect(await worker.exercise(session.range.firstLba, count, 5)).toEqual({ wrong: 0, failed: 0 })
        await worker.detach()
      },
    },
    {
      title: 'a second attach from another thread gets ESTALE',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const grant = session.grant()
        const queue = await session.attach(grant)
        const worker = await session.startWorker()
        await expect(worker.attach(grant)).rejects.toMatchObject({ code: 'ESTALE' })
        await session.read(queue, 0, 1)
      },
    },
    {
      title: 'workers hold a queue each and work at the same time, on ranges of their own',
      unless: unless(inWorkers, severalQueues),
      workers: true,
      run: async (session) => {
        const { namespace, firstLba } = session.range
        const held = []
        for (let i = 0; i < 2; i++) {
          const worker = await session.startWorker()
          await worker.attach(session.grant(i, { namespace, firstLba: firstLba + 32 * i, blocks: 32 }))
          held.push(worker)
        }
        for (let round = 0; round < 4; round++) {
          const results = await Promise.all(
            held.map((worker, i) => worker.exercise(firstLba + 32 * i, 32, round * 64 + i * 32)),
          )
          for (const result of results) expect(result).toEqual({ wrong: 0, failed: 0 })
        }
        for (const worker of held) await worker.detach()
      },
    },
    {
      title: 'a worker detaches, and another thread takes the queue over with what was written',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const worker = await session.startWorker()
        const window = session.createWindow()
        const grant = session.grant(0, session.range, window)
        await worker.attach(grant)
        await worker.exercise(session.range.firstLba, 16, 40)
        await worker.detach()
        session.device.reclaim(grant)
        const queue = await session.open(0, { window })
        const found = await session.read(queue, 0, 16)
        for (let block = 0; block < 16; block++) expect(found[block * session.blockSize]).toBe(40 + block)
      },
    },
    {
      title: 'reclaim ends a queue under a busy worker, and every command of it completes',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const worker = await session.startWorker()
        const grant = session.grant()
        await worker.attach(grant)
        const { ended } = await worker.toEnd()
        await session.quiet(20)
        session.device.reclaim(grant)
        expect(await ended).toEqual({ state: GRANT_RECLAIMED, missing: 0, submittedAfter: 0 })
        await worker.detach()
        const queue = await session.open()
        await session.read(queue, 0, 1)
      },
    },
    {
      title: 'a holder killed in mid-burst leaves a queue that is granted again, and blocks that are old or new',
      unless: inWorkers,
      workers: true,
      timeout: 60_000,
      run: async (session) => {
        const window = session.createWindow()
        const blocks = 32
        for (let round = 0; round < 2; round++) {
          const before = await session.open(0, { window })
          await session.write(before, 0, new Uint8Array(blocks * session.blockSize).fill(0x11))
          session.close(before)
          const worker = await session.startWorker()
          const grant = session.grant(0, session.range, window)
          await worker.attach(grant)
          await worker.flood(session.range.firstLba, blocks, 0x22)
          await session.quiet(round * 8)
          await worker.terminate()
          session.device.reclaim(grant)
          const queue = await session.open(0, { window })
          const found = await session.read(queue, 0, blocks)
          for (let block = 0; block < blocks; block++) {
            const part = found.subarray(block * session.blockSize, (block + 1) * session.blockSize)
            const value = part[0]
            expect(value === 0x11 || value === 0x22, `block ${block}`).toBe(true)
            expect(
              part.every((byte) => byte === value),
              `block ${block} is torn`,
            ).toBe(true)
          }
          // Nothing of the dead holder's arrives later.
          const data = session.pattern(blocks, round)
          await session.write(queue, 0, data)
          await session.quiet(5)
          expect(Buffer.compare(await session.read(queue, 0, blocks), data)).toBe(0)
          session.close(queue)
        }
      },
    },
  ],
}
