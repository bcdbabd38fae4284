import type { NetQueue } from '@parakernel/hal'
import { expect } from 'vitest'
import { capable, type Group, incapable, severalQueues, unless } from '../case.ts'
import { errorOf } from '../errors.ts'
import { sequenceOf } from '../packets.ts'
import type { Received } from '../received.ts'
import type { Session } from '../session.ts'

const steers = unless(
  severalQueues,
  capable('steering', ({ device }) => device.capabilities.steering),
)

/** Which queue a packet reaches. */
export const steering: Group = {
  name: 'steering',
  cases: [
    {
      title: 'a port rule decides the queue, before the spread by hash',
      unless: steers,
      ends: true,
      run: async (session) => {
        const { device } = session
        const queues = await openAll(session)
        for (let i = 0; i < device.queues; i++) {
          device.steer({ protocol: 'udp', destinationPort: 9_100 + i, queue: device.queues - 1 - i })
        }
        for (let i = 0; i < device.queues; i++) {
          for (let source = 0; source < 8; source++) {
            expect(await whereTo(session, queues, 20_000 + source, 9_100 + i)).toBe(device.queues - 1 - i)
          }
        }
      },
    },
    {
      title: 'a port range spreads over a run of queues',
      unless: steers,
      ends: true,
      run: async (session) => {
        const { device } = session
        const queues = await openAll(session)
        device.steer({ protocol: 'udp', destinationPort: [9_200, 9_299], queue: 0, spread: device.queues })
        for (let i = 0; i < 2 * device.queues + 1; i++) {
          expect(await whereTo(session, queues, 20_000, 9_200 + i)).toBe(i % device.queues)
        }
      },
    },
    {
      title: 'a rule with an address matches that address only',
      unless: steers,
      ends: true,
      run: async (session) => {
        const { device, fixture } = session
        const queues = await openAll(session)
        const last = device.queues - 1
        device.steer({ protocol: 'udp', destinationPort: 9_300, destinationAddress: fixture.address, queue: last })
        device.steer({ protocol: 'udp', destinationPort: 9_301, destinationAddress: '203.0.113.7', queue: 0 })
        device.steer({ protocol: 'udp', destinationPort: 9_301, queue: last })
        expect(await whereTo(session, queues, 20_000, 9_300)).toBe(last)
        expect(await whereTo(session, queues, 20_000, 9_301)).toBe(last)
      },
    },
    {
      title: 'rules end when they are cleared',
      unless: unless(
        steers,
        capable('spread by flow', ({ device }) => device.capabilities.rss === 'toeplitz'),
      ),
      ends: true,
      run: async (session) => {
        const { device } = session
        const queues = await openAll(session)
        const before = await whereTo(session, queues, 20_000, 9_400)
        const other = (before + 1) % device.queues
        device.steer({ protocol: 'udp', destinationPort: 9_400, queue: other })
        expect(await whereTo(session, queues, 20_000, 9_400)).toBe(other)
        device.clearSteering()
        expect(await whereTo(session, queues, 20_000, 9_400)).toBe(before)
      },
    },
    {
      title: 'a rule for a queue out of range is EINVAL',
      unless: capable('steering', ({ device }) => device.capabilities.steering),
      run: ({ device }) => {
        for (const queue of [-1, device.queues, 0.5]) {
          const rule = { protocol: 'udp', destinationPort: 9_500, queue } as const
          expect(errorOf(() => device.steer(rule)).code, String(queue)).toBe('EINVAL')
        }
      },
    },
    {
      title: 'a rule on a device that cannot steer is ENOTSUP',
      unless: incapable('steering', ({ device }) => device.capabilities.steering),
      run: ({ device }) => {
        expect(errorOf(() => device.steer({ protocol: 'udp', destinationPort: 9_500, queue: 0 })).code).toBe('ENOTSUP')
      },
    },
    {
      title: 'flows spread over all queues, and each stays on its own',
      unless: unless(
        severalQueues,
        capable('spread by flow', ({ device }) => device.capabilities.rss === 'toeplitz'),
      ),
      ends: true,
      run: async (session) => {
        const queues = await openAll(session)
        const seen = new Array<number>(queues.length).fill(0)
        for (let source = 0; source < 64; source++) {
          const first = await whereTo(session, queues, 30_000 + source, 9_600)
          seen[first]++
          expect(await whereTo(session, queues, 30_000 + source, 9_600)).toBe(first)
        }
        // 64 flows over 2 to 8 queues: a queue without a single one would be a one in thousands accident.
        if (queues.length <= 8) expect(Math.min(...seen)).toBeGreaterThan(0)
      },
    },
  ],
}

async function openAll(session: Session): Promise<NetQueue[]> {
  const queues: NetQueue[] = []
  for (let i = 0; i < session.device.queues; i++) queues.push(await session.open(i))
  return queues
}

/** Sends one packet of a flow and answers the queue on which it came. */
async function whereTo(session: Session, queues: readonly NetQueue[], source: number, destination: number) {
  const packet = session.inbound(60, 0, {
    source: { mac: session.wire.mac, address: session.wire.address, port: source },
    destination: { mac: session.device.mac, address: session.fixture.address, port: destination },
  })
  await session.wire.send(packet)
  let found = -1
  await session.until(`a packet from port ${source} to port ${destination}`, () => {
    for (const [i, queue] of queues.entries()) {
      const packets: Received[] = []
      session.receiveSome(queue, session.burst(), packets)
      for (const { bytes } of packets) {
        expect(sequenceOf(bytes, session.run)).toBe(sequenceOf(packet, session.run))
        found = i
      }
    }
    return found >= 0
  })
  return found
}
