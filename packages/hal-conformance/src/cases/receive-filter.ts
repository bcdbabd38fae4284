import { BROADCAST_MAC, type NetQueue } from '@parakernel/hal'
import { expect } from 'vitest'
import { capable, type Group, incapable, severalQueues, unless } from '../case.ts'
import { errorOf } from '../errors.ts'
import type { Received } from '../received.ts'
import type { Session } from '../session.ts'

const filters = capable('receive filter', ({ device }) => device.capabilities.receiveFilter)
const STRANGER = '02:00:00:00:99:99'
const GROUP = '01:00:5e:01:02:03'

/** Which addresses a device lets through. */
export const receiveFilter: Group = {
  name: 'receive filter',
  cases: [
    {
      title: 'own address and broadcast pass',
      run: async (session) => {
        const queue = await session.open()
        const packets = [session.inbound(), addressed(session, BROADCAST_MAC)]
        for (const packet of packets) {
          await session.send([packet])
          expect((await session.receive(queue, 1))[0].bytes).toEqual(packet)
        }
      },
    },
    {
      title: 'a stranger and an unknown group are dropped and counted',
      unless: filters,
      run: async (session) => {
        const queue = await session.open()
        const before = session.device.statistics()
        await session.send([addressed(session, STRANGER), addressed(session, GROUP), session.inbound()])
        expect(await session.receive(queue, 1)).toHaveLength(1)
        const after = session.device.statistics()
        expect(after.rxDroppedFilter - before.rxDroppedFilter).toBe(2)
      },
    },
    {
      title: 'a group passes while it is asked for',
      unless: filters,
      run: async (session) => {
        const queue = await session.open()
        queue.setReceiveFilter({ multicast: [GROUP] })
        await passes(session, queue, GROUP)
        queue.setReceiveFilter({})
        await session.send([addressed(session, GROUP), session.inbound()])
        expect(await session.receive(queue, 1)).toHaveLength(1)
      },
    },
    {
      title: 'everything passes when promiscuous',
      unless: filters,
      run: async (session) => {
        const queue = await session.open()
        queue.setReceiveFilter({ promiscuous: true })
        await passes(session, queue, STRANGER)
        await passes(session, queue, GROUP)
        queue.setReceiveFilter({})
        await session.send([addressed(session, STRANGER), addressed(session, GROUP), session.inbound()])
        expect(await session.receive(queue, 1)).toHaveLength(1)
      },
    },
    {
      title: 'every group passes of more than a device may have places for',
      unless: filters,
      run: async (session) => {
        const queue = await session.open()
        const groups = Array.from({ length: 200 }, (_, i) => `01:00:5e:01:04:${i.toString(16).padStart(2, '0')}`)
        queue.setReceiveFilter({ multicast: groups })
        for (const group of groups) await passes(session, queue, group)
        // And fewer, of those that were there: exactly these.
        queue.setReceiveFilter({ multicast: groups.slice(0, 2) })
        await passes(session, queue, groups[1])
        await session.send([addressed(session, groups[2]), addressed(session, groups[199]), session.inbound()])
        expect(await session.receive(queue, 1)).toHaveLength(1)
      },
    },
    {
      title: 'the device takes the union of what its queues ask for, until they end',
      unless: unless(filters, severalQueues),
      run: async (session) => {
        const first = await session.open(0)
        const second = await session.open(1)
        second.setReceiveFilter({ multicast: [GROUP] })
        first.setReceiveFilter({})
        await arrivesSomewhere(session, [first, second], GROUP)
        // Asked for twice, a group passes until both have left it.
        first.setReceiveFilter({ multicast: [GROUP] })
        second.setReceiveFilter({})
        await arrivesSomewhere(session, [first, second], GROUP)
        second.setReceiveFilter({ multicast: [GROUP] })
        first.setReceiveFilter({})
        session.close(second)
        await session.send([addressed(session, GROUP), session.inbound()])
        expect(await session.receive(first, 1)).toHaveLength(1)
      },
    },
    {
      title: 'setting a filter on a device without one is ENOTSUP',
      unless: incapable('receive filter', ({ device }) => device.capabilities.receiveFilter),
      run: async (session) => {
        const queue = await session.open()
        expect(errorOf(() => queue.setReceiveFilter({ promiscuous: true })).code).toBe('ENOTSUP')
        await session.send([session.inbound()])
        await session.receive(queue, 1)
      },
    },
  ],
}

function addressed(session: Session, mac: string): Uint8Array {
  const { destinationPort } = session.flow(0)
  return session.inbound(60, 0, { destination: { mac, address: session.fixture.address, port: destinationPort } })
}

async function arrivesSomewhere(session: Session, queues: readonly NetQueue[], mac: string): Promise<void> {
  await session.send([addressed(session, mac)])
  const burst = session.burst()
  const packets: Received[] = []
  await session.until('the group on one of the queues', () => {
    for (const queue of queues) session.receiveSome(queue, burst, packets)
    return packets.length === 1
  })
}

async function passes(session: Session, queue: NetQueue, mac: string): Promise<void> {
  const packet = addressed(session, mac)
  await session.send([packet])
  expect((await session.receive(queue, 1))[0].bytes).toEqual(packet)
}
