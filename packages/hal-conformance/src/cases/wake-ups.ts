import { expect } from 'vitest'
import { type Group, inWorkers } from '../case.ts'
import { PATIENCE } from '../session.ts'

/** `arm` and the wake source: nobody sleeps over a packet. */
export const wakeUps: Group = {
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
      title: 'arm sees a packet that is already there',
      run: async (session) => {
        const queue = await session.open()
        await session.send([session.inbound()])
        await session.until('arm to see the packet', () => queue.arm())
        await session.receive(queue, 1)
      },
    },
    {
      title: 'an armed queue without work says so, and wakes when a packet comes',
      run: async (session) => {
        const queue = await session.open()
        const { wake } = queue
        await session.quiet(5)
        queue.receive(session.burst())
        if (wake.kind === 'none') return 'the queue has no wake source'
        if (wake.kind === 'word') {
          const sequence = wake.word.announce()
          expect(queue.arm()).toBe(false)
          let woken = false
          const sleep = wake.word.sleepAsync(sequence, PATIENCE).then(() => {
            woken = true
          })
          await session.send([session.inbound()])
          const start = performance.now()
          await session.until('the wake-up', () => woken || (queue.nextEvent?.() ?? Infinity) < Infinity)
          if (!woken) wake.word.notify()
          await sleep
          expect(performance.now() - start).toBeLessThan(PATIENCE / 2)
        } else {
          const { host } = session.fixture.context
          if (host === undefined) throw new Error('a queue that wakes by a descriptor needs a host in its fixture')
          const poller = host.createPoller([wake.fd])
          expect(queue.arm()).toBe(false)
          expect(poller.wait(0)).toBe(0)
          await session.send([session.inbound()])
          await session.fixture.advance?.()
          const scheduled = queue.nextEvent?.() ?? Infinity
          expect(poller.wait(PATIENCE * 1e6) > 0 || scheduled < Infinity).toBe(true)
          poller.close()
        }
        await session.receive(queue, 1)
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
      title: 'no wake-up is lost in a race of sender and sleeper',
      unless: inWorkers,
      workers: true,
      timeout: 60_000,
      run: async (session) => {
        const rounds = session.rounds ?? 200
        const worker = await session.startWorker()
        await worker.attach(session.grant())
        const result = worker.echo(rounds, { sleep: true })
        for (let i = 0; i < rounds; i++) {
          const packet = session.inbound(60 + (i % 100))
          await session.send([packet])
          const [echoed] = await session.collect(1)
          expect(echoed.subarray(12)).toEqual(packet.subarray(12))
          // Now and then long enough for the holder to fall asleep, otherwise while it is about to.
          if (i % 8 === 0) await session.quiet(2)
        }
        const { received, transmitted, lost } = await result
        expect({ received, transmitted, lost }).toEqual({ received: rounds, transmitted: rounds, lost: 0 })
        expect((await worker.detach()).missing).toBe(0)
      },
    },
  ],
}
