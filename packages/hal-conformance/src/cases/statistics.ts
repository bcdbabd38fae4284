import { NET_COUNTERS, type NetStatistics } from '@parakernel/hal'
import fc from 'fast-check'
import { expect } from 'vitest'
import { type Group, severalQueues } from '../case.ts'
import type { Received } from '../received.ts'

/** Conservation: every packet ends in exactly one counter, and every byte that was delivered is counted once. */
export const statistics: Group = {
  name: 'statistics',
  cases: [
    {
      title: 'every counter is there, and none is negative',
      run: ({ device }) => {
        const all = device.statistics()
        expect(Object.keys(all).toSorted()).toEqual([...NET_COUNTERS].toSorted())
        for (const name of NET_COUNTERS) expect(all[name], name).toBeGreaterThanOrEqual(0)
      },
    },
    {
      title: 'the device is the sum of its queues, those of ended grants included',
      unless: severalQueues,
      run: async (session) => {
        const { device } = session
        for (let i = 0; i < device.queues; i++) {
          const queue = await session.open(i)
          await session.send([session.inbound(60 + i, i)], { queue: i })
          await session.receive(queue, 1)
          session.close(queue)
        }
        const all = device.statistics()
        for (const name of ['rxPackets', 'rxBytes', 'txPackets'] as const) {
          let sum = 0
          for (let i = 0; i < device.queues; i++) sum += device.queueStatistics(i)[name]
          expect(all[name], name).toBe(sum)
        }
      },
    },
    {
      title: 'the holder and the control thread read the same numbers',
      run: async (session) => {
        const queue = await session.open()
        const before = session.device.queueStatistics(0)
        const packets = [session.inbound(60), session.inbound(70), session.inbound(80)]
        await session.send(packets)
        await session.receive(queue, 3)
        await session.transmit(queue, [session.outbound(90)])
        await session.collect(1, [], () => queue.reap())
        const after = session.device.queueStatistics(0)
        expect(after.rxPackets - before.rxPackets).toBe(3)
        expect(after.rxBytes - before.rxBytes).toBe(210)
        expect(after.txPackets - before.txPackets).toBe(1)
        expect(after.txBytes - before.txBytes).toBe(90)
        expect(queue.counters.get('rxPackets')).toBe(after.rxPackets)
        expect(queue.counters.get('txPackets')).toBe(after.txPackets)
      },
    },
    {
      title: 'counts are kept over grants of the same queue',
      run: async (session) => {
        const before = session.device.queueStatistics(0).rxPackets
        for (let round = 1; round <= 3; round++) {
          const queue = await session.open()
          await session.send([session.inbound()])
          await session.receive(queue, 1)
          session.close(queue)
          expect(session.device.queueStatistics(0).rxPackets).toBe(before + round)
        }
      },
    },
    {
      title: 'a random workload is conserved, packet by packet',
      timeout: 120_000,
      run: async (session) => {
        const queue = await session.open()
        const chunk = Math.min(32, session.wire.capacity)
        const step = fc.oneof(
          fc.record({ kind: fc.constant('send' as const), lengths: bursts(chunk) }),
          fc.record({ kind: fc.constant('receive' as const), size: fc.integer({ min: 1, max: 64 }) }),
          fc.record({
            kind: fc.constant('transmit' as const),
            lengths: bursts(chunk),
            spoiled: fc.uniqueArray(fc.nat(31), { maxLength: 3 }),
          }),
        )
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
            const before = session.device.queueStatistics(0)
            const expected = { in: 0, out: 0, bad: 0, inBytes: 0, outBytes: 0 }
            const received: Received[] = []
            const sent: Uint8Array[] = []
            for (const one of steps) {
              if (one.kind === 'send') {
                if (expected.in - received.length + one.lengths.length > chunk) continue
                const packets = one.lengths.map((length) => session.inbound(length))
                await session.send(packets)
                expected.in += packets.length
                for (const packet of packets) expected.inBytes += packet.length
              } else if (one.kind === 'receive') {
                session.receiveSome(queue, session.burst(one.size), received)
                await session.collectSome(sent)
              } else {
                const burst = session.burst(one.lengths.length)
                for (const length of one.lengths) session.load(queue, burst, session.outbound(length))
                const frames = [...burst.frame]
                const spoiled = one.spoiled.filter((at) => at < burst.count)
                for (const at of spoiled) burst.length[at] = -1
                const done = queue.transmit(burst)
                for (let i = 0; i < burst.count; i++) {
                  if (i >= done || spoiled.includes(i)) queue.pool.release(frames[i])
                  if (i >= done) continue
                  if (spoiled.includes(i)) expected.bad++
                  else {
                    expected.out++
                    expected.outBytes += one.lengths[i]
                  }
                }
                await session.collectSome(sent)
              }
              await session.advance()
            }
            const burst = session.burst()
            await session.until('every packet to be accounted for', async () => {
              session.receiveSome(queue, burst, received)
              queue.reap()
              await session.collectSome(sent)
              const delta = difference(session.device.queueStatistics(0), before)
              return received.length + rxDrops(delta) >= expected.in && sent.length + delta.txDropped >= expected.out
            })
            const delta = difference(session.device.queueStatistics(0), before)
            expect(received.length + rxDrops(delta)).toBe(expected.in)
            expect(delta.rxPackets).toBe(received.length)
            expect(sent.length + delta.txDropped).toBe(expected.out)
            expect(delta.txPackets).toBe(sent.length)
            expect(delta.txInvalidDescriptors).toBe(expected.bad)
            expect(delta.txTooLong + delta.txUnsupported).toBe(0)
            if (rxDrops(delta) === 0) expect(delta.rxBytes).toBe(expected.inBytes)
            if (delta.txDropped === 0) expect(delta.txBytes).toBe(expected.outBytes)
          }),
          { seed: session.seed, numRuns: session.rounds ?? 25 },
        )
      },
    },
  ],
}

function bursts(most: number) {
  return fc.array(fc.integer({ min: 60, max: 1514 }), { minLength: 1, maxLength: most })
}

function difference(after: NetStatistics, before: NetStatistics): NetStatistics {
  return Object.fromEntries(NET_COUNTERS.map((name) => [name, after[name] - before[name]])) as NetStatistics
}

function rxDrops(delta: NetStatistics): number {
  return (
    delta.rxDroppedNoFrame +
    delta.rxDroppedRingFull +
    delta.rxDroppedTooLong +
    delta.rxDroppedFilter +
    delta.rxDroppedFault
  )
}
