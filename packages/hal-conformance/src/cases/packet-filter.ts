import { expr, type FilterExpression } from '@parakernel/hal'
import { expect } from 'vitest'
import { capable, type Group, incapable, severalQueues, unless } from '../case.ts'
import { errorOf } from '../errors.ts'
import { SHORTEST, sequenceOf } from '../packets.ts'

const filters = capable('packet filter', ({ device }) => device.capabilities.packetFilter === true)
/** The suite's packets carry their sequence number at byte 8 of the payload. */
const sequence = expr.load('payload', 8, 4)

/** Expressions that a device runs before a packet costs a frame. */
export const packetFilter: Group = {
  name: 'packet filter',
  cases: [
    {
      title: 'what does not match is dropped and counted, until the filter is taken away',
      unless: filters,
      run: async (session) => {
        const { device } = session
        const queue = await session.open()
        const packets = Array.from({ length: 4 }, () => session.inbound())
        const numbers = packets.map((packet) => sequenceOf(packet, session.run))
        device.setPacketFilter?.(0, expr.within(sequence, [numbers[1], numbers[3]]))
        const before = device.queueStatistics(0)
        await session.send(packets)
        const received = await session.receive(queue, 2)
        expect(received.map(({ bytes }) => bytes)).toEqual([packets[1], packets[3]])
        const after = device.queueStatistics(0)
        expect(after.rxDroppedFilter - before.rxDroppedFilter).toBe(2)
        expect(after.rxPackets - before.rxPackets).toBe(2)
        device.setPacketFilter?.(0, undefined)
        await session.send([packets[0]])
        expect((await session.receive(queue, 1))[0].bytes).toEqual(packets[0])
      },
    },
    {
      title: 'headers decide, and what a header says of others',
      unless: filters,
      run: async (session) => {
        const queue = await session.open()
        const { sourcePort, destinationPort } = session.flow(0)
        const ours = expr.all(
          expr.eq(expr.field('udp.sourcePort'), sourcePort),
          expr.eq(expr.field('udp.destinationPort'), destinationPort),
          expr.not(expr.present(expr.field('tcp.flags'))),
        )
        session.device.setPacketFilter?.(0, expr.all(ours, expr.eq(expr.modulo(sequence, 3), 0)))
        const packets = Array.from({ length: 6 }, () => session.inbound())
        await session.send(packets)
        const wanted = packets.filter((packet) => sequenceOf(packet, session.run) % 3 === 0)
        expect((await session.receive(queue, 2)).map(({ bytes }) => bytes)).toEqual(wanted)
        session.device.setPacketFilter?.(0, expr.not(ours))
        const before = session.device.queueStatistics(0)
        await session.send([session.inbound()])
        await session.until('a drop', () => {
          return session.device.queueStatistics(0).rxDroppedFilter - before.rxDroppedFilter === 1
        })
        session.device.setPacketFilter?.(0, undefined)
      },
    },
    {
      title: 'each queue has a filter of its own',
      unless: unless(filters, severalQueues),
      ends: true,
      run: async (session) => {
        const { device } = session
        const queues = []
        for (let i = 0; i < device.queues; i++) queues.push(await session.open(i))
        device.setPacketFilter?.(0, expr.never)
        const before = device.statistics()
        for (const [i, queue] of queues.entries()) {
          const packet = session.inbound(SHORTEST, i)
          await session.send([packet], { queue: i })
          if (i > 0) expect((await session.receive(queue, 1))[0].bytes).toEqual(packet)
        }
        expect(device.statistics().rxDroppedFilter - before.rxDroppedFilter).toBe(1)
      },
    },
    {
      title: 'the end of a grant takes the filter away',
      unless: filters,
      run: async (session) => {
        const first = await session.open()
        session.device.setPacketFilter?.(0, expr.never)
        session.device.reclaim(first.grant)
        const second = await session.open()
        await session.send([session.inbound()])
        expect(await session.receive(second, 1)).toHaveLength(1)
      },
    },
    {
      title: 'a malformed expression and a queue that is not there are refused, and the filter stays',
      unless: filters,
      run: async (session) => {
        const { device } = session
        const queue = await session.open()
        const packets = [session.inbound(), session.inbound()]
        device.setPacketFilter?.(0, expr.eq(sequence, sequenceOf(packets[1], session.run)))
        const wrong = [
          () => device.setPacketFilter?.(0, { kind: 'all', of: [{ kind: 'nothing' }] } as unknown as FilterExpression),
          () => device.setPacketFilter?.(device.queues, expr.always),
          () => device.setPacketFilter?.(-1, expr.always),
        ]
        for (const call of wrong) expect(errorOf(call)).toMatchObject({ code: 'EINVAL' })
        await session.send(packets)
        expect((await session.receive(queue, 1))[0].bytes).toEqual(packets[1])
        device.setPacketFilter?.(0, undefined)
      },
    },
    {
      title: 'on a device without one it is ENOTSUP',
      unless: incapable('packet filter', ({ device }) => device.capabilities.packetFilter === true),
      run: async ({ device }) => {
        if (device.setPacketFilter === undefined) return
        expect(errorOf(() => device.setPacketFilter?.(0, expr.always))).toMatchObject({ code: 'ENOTSUP' })
      },
    },
  ],
}
