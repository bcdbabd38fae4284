import { expect } from 'vitest'
import { inWorkers, type PersistentGroup } from '../case.ts'

/** Ranges held by worker threads, and a holder that dies. */
export const workers: PersistentGroup = {
  name: 'workers',
  cases: [
    {
      title: 'a worker stores and persists what the next holder finds',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const worker = await session.startWorker()
        const grant = session.grant()
        await worker.fill(grant, 0x42)
        session.device.reclaim(grant)
        const { bytes } = await session.open()
        expect(bytes.every((byte) => byte === 0x42)).toBe(true)
      },
    },
    {
      title: 'a second attach from another thread gets ESTALE',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const grant = session.grant()
        const { region } = await session.attach(grant)
        const worker = await session.startWorker()
        await expect(worker.fill(grant, 1)).rejects.toMatchObject({ code: 'ESTALE' })
        region.persist([0, 8])
      },
    },
    {
      title: 'workers hold a range each and persist at the same time',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const { unit, range } = session
        const ranges = [0, 1].map((i) => ({ byteOffset: range.byteOffset + i * 4 * unit, byteLength: 4 * unit }))
        const held = await Promise.all(ranges.map(() => session.startWorker()))
        const grants = ranges.map((one) => session.grant(one))
        await Promise.all(held.map((worker, i) => worker.fill(grants[i], 0x10 + i)))
        for (const [i, grant] of grants.entries()) {
          session.device.reclaim(grant)
          const { bytes } = await session.open(ranges[i])
          expect(bytes.every((byte) => byte === 0x10 + i)).toBe(true)
        }
      },
    },
    {
      title: 'a holder killed in mid-persist leaves a range that is granted again, with what it had persisted',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        for (let round = 0; round < 2; round++) {
          const worker = await session.startWorker()
          const grant = session.grant()
          const progress = new SharedArrayBuffer(8)
          await worker.count(grant, progress)
          const counter = new BigUint64Array(progress)
          // One persist at least, which on a disk may take its time.
          do await new Promise((resolve) => setTimeout(resolve, 5 + round * 10))
          while (Atomics.load(counter, 0) === 0n)
          await worker.terminate()
          session.device.reclaim(grant)
          const held = await session.open()
          const counted = Atomics.load(counter, 0)
          expect(counted).toBeGreaterThan(0n)
          expect(held.words[0]).toBeGreaterThanOrEqual(counted)
          expect(held.words[0]).toBeLessThanOrEqual(counted + 1n)
          session.close(held)
        }
      },
    },
  ],
}
