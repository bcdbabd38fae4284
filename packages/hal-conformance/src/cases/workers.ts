import { GRANT_RECLAIMED } from '@parakernel/hal'
import { expect } from 'vitest'
import { type Group, inWorkers, severalQueues, unless } from '../case.ts'
import type { Session } from '../session.ts'
import type { WorkerHolder } from '../worker-holder.ts'

/** Queues held by worker threads: the same traffic, and a holder that dies. */
export const workers: Group = {
  name: 'workers',
  cases: [
    {
      title: 'a worker attaches a grant and echoes',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const worker = await session.startWorker()
        await worker.attach(session.grant())
        await echo(session, worker, 500)
        const { missing, report } = await worker.detach()
        expect(report).toBe('')
        expect(missing).toBe(0)
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
        await session.send([session.inbound()])
        await session.receive(queue, 1)
      },
    },
    {
      title: 'workers hold a queue each',
      unless: unless(inWorkers, severalQueues),
      workers: true,
      run: async (session) => {
        const held = []
        for (let i = 0; i < Math.min(2, session.device.queues); i++) {
          const worker = await session.startWorker()
          await worker.attach(session.grant(i))
          held.push(worker)
        }
        for (const [i, worker] of held.entries()) await echo(session, worker, 200, i)
        for (const worker of held) expect((await worker.detach()).missing).toBe(0)
      },
    },
    {
      title: 'a worker detaches, and another thread takes the queue over',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const worker = await session.startWorker()
        const window = session.createWindow()
        const first = session.grant(0, window)
        await worker.attach(first)
        await echo(session, worker, 50)
        expect((await worker.detach()).missing).toBe(0)
        session.device.reclaim(first)
        const queue = await session.open(0, { window })
        const packet = session.inbound(99)
        await session.send([packet])
        expect((await session.receive(queue, 1))[0].bytes).toEqual(packet)
      },
    },
    {
      title: 'reclaim ends a queue under a polling worker, whose calls answer 0 from then on',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const worker = await session.startWorker()
        const grant = session.grant()
        await worker.attach(grant)
        const { ended } = await worker.pollToEnd()
        await session.send([session.inbound(), session.inbound()])
        await session.quiet(10)
        session.device.reclaim(grant)
        expect(await ended).toEqual({ state: GRANT_RECLAIMED, receivedAfter: 0, transmittedAfter: 0 })
        const { missing, report } = await worker.detach()
        expect(report).toBe('')
        expect(missing).toBe(0)
        const queue = await session.open()
        await session.send([session.inbound()])
        await session.receive(queue, 1)
      },
    },
    {
      title: 'a holder killed in mid-burst leaves a queue that is granted again and works',
      unless: inWorkers,
      workers: true,
      run: async (session) => {
        const window = session.createWindow()
        for (let round = 0; round < 3; round++) {
          const worker = await session.startWorker()
          const grant = session.grant(0, window)
          await worker.attach(grant)
          await worker.flood(session.outbound())
          await session.quiet(round * 3)
          await worker.terminate()
          session.device.reclaim(grant)
          // What the dead holder had sent comes out first; it is not counted on, because the ring may have gone with it.
          await session.quiet()
          await session.collectSome([])
          const queue = await session.open(0, { window })
          for (let i = 0; i < 20; i++) {
            const packet = session.inbound(200)
            await session.send([packet])
            expect((await session.receive(queue, 1))[0].bytes).toEqual(packet)
            const reply = session.outbound(200)
            await session.transmit(queue, [reply])
            const seen: Uint8Array[] = []
            await session.until('the reply', async () => {
              queue.reap()
              await session.collectSome(seen)
              return seen.some((bytes) => Buffer.compare(bytes, reply) === 0)
            })
          }
          session.close(queue)
        }
      },
    },
  ],
}

/** Sends `count` packets through a worker that echoes, never more than the wire holds, and checks each. */
export async function echo(session: Session, worker: WorkerHolder, count: number, queue = 0): Promise<void> {
  const result = worker.echo(count, { sleep: false })
  const chunk = Math.min(16, session.wire.capacity, session.device.capabilities.ringSize)
  for (let done = 0; done < count; ) {
    const size = Math.min(chunk, count - done)
    const packets = Array.from({ length: size }, (_, i) => session.inbound(60 + i, queue))
    await session.send(packets, { queue })
    const sent = await session.collect(size)
    for (const [i, packet] of packets.entries()) expect(sent[i].subarray(12)).toEqual(packet.subarray(12))
    done += size
  }
  expect(await result).toMatchObject({ received: count, transmitted: count })
}
