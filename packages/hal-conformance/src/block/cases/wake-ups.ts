import { BLOCK_READ, type BlockQueue } from '@parakernel/hal'
import { expect } from 'vitest'
import { type BlockGroup, inWorkers } from '../case.ts'
import { type BlockSession, PATIENCE } from '../session.ts'

/** `arm` and the wake source: nobody sleeps over a completion. */
export const wakeUps: BlockGroup = {
  name: 'wake-ups',
  cases: [
    {
      title: 'the wake source is usable, and its kind does not change',
      run: async (session) => {
        const queue = await session.open()
        const { wake } = queue
        if (wake.kind === 'word') expect(wake.word.words.buffer).toBe(queue.grant.window.wake)
        if (wake.kind === 'descriptor') expect(wake.fd).toBeGreaterThanOrEqual(0)
        expect(queue.wake.kind).toBe(wake.kind)
      },
    },
    {
      title: 'arm sees a completion that is already there, and none where there is none',
      run: async (session) => {
        const queue = await session.open()
        expect(queue.arm()).toBe(false)
        const release = submitRead(session, queue)
        await session.until('arm to see the completion', () => queue.arm())
        await session.completeAll(queue, 1)
        release()
        expect(queue.arm()).toBe(false)
      },
    },
    {
      title: 'an armed queue wakes when a command completes, or says when it will',
      run: async (session) => {
        const queue = await session.open()
        const { wake } = queue
        if (wake.kind === 'none') return 'the queue has no wake source'
        const scheduled = () => (queue.nextEvent?.() ?? Number.POSITIVE_INFINITY) < Number.POSITIVE_INFINITY
        if (wake.kind === 'word') {
          const sequence = wake.word.announce()
          const release = submitRead(session, queue)
          if (queue.arm() || scheduled()) wake.word.cancel()
          else {
            const start = performance.now()
            await wake.word.sleepAsync(sequence, PATIENCE)
            expect(performance.now() - start).toBeLessThan(PATIENCE / 2)
          }
          await session.completeAll(queue, 1)
          release()
          return
        }
        const { host } = session.fixture.context
        if (host === undefined) throw new Error('a queue that wakes by a descriptor needs a host in its fixture')
        const poller = host.createPoller([wake.fd])
        for (let round = 0; round < 20; round++) {
          const release = submitRead(session, queue)
          if (!queue.arm() && !scheduled()) expect(poller.wait(PATIENCE * 1e6)).toBeGreaterThan(0)
          await session.completeAll(queue, 1)
          release()
        }
        expect(queue.arm()).toBe(false)
        expect(poller.wait(0)).toBe(0)
        poller.close()
      },
    },
    {
      title: 'reclaim wakes a holder that sleeps on a word',
      run: async (session) => {
        const queue = await session.open()
        const { wake } = queue
        if (wake.kind !== 'word') return 'the queue does not wake by a word'
        const sequence = wake.word.announce()
        queue.arm()
        const start = performance.now()
        const sleep = wake.word.sleepAsync(sequence, PATIENCE)
        session.device.reclaim(queue.grant)
        await sleep
        expect(performance.now() - start).toBeLessThan(PATIENCE / 2)
      },
    },
    {
      title: 'no wake-up is lost by a holder that sleeps for each command',
      unless: inWorkers,
      workers: true,
      timeout: 60_000,
      run: async (session) => {
        const rounds = Math.min(200, session.operations)
        const worker = await session.startWorker()
        await worker.attach(session.grant())
        const { completed, lost } = await worker.sleep(rounds)
        expect({ completed, lost }).toEqual({ completed: rounds, lost: 0 })
        await worker.detach()
      },
    },
  ],
}

/** One read under way; the answer gives its frame back. */
function submitRead(session: BlockSession, queue: BlockQueue): () => void {
  const segments = session.place(queue, session.blockSize)
  const burst = session.burst(1)
  session.push(burst, { opcode: BLOCK_READ, blocks: 1, segments })
  expect(queue.submit(burst)).toBe(1)
  return () => session.release(queue, segments)
}
