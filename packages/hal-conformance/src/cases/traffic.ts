import { END_OF_PACKET } from '@parakernel/hal'
import { expect } from 'vitest'
import { type Group, severalQueues } from '../case.ts'
import { SHORTEST, sequenceOf } from '../packets.ts'
import { PATIENCE, type Session } from '../session.ts'

/** Packets in both directions: content, order, bursts of all sizes. */
export const traffic: Group = {
  name: 'traffic',
  cases: [
    {
      title: 'an empty ring answers 0 at once',
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst()
        burst.count = 7
        expect(queue.receive(burst)).toBe(0)
        expect(burst.count).toBe(0)
        expect(queue.transmit(burst)).toBe(0)
        expect(queue.reap()).toBe(0)
      },
    },
    {
      title: 'receives packets of every length unchanged',
      run: async (session) => {
        const queue = await session.open()
        const packets = lengths(session).map((length) => session.inbound(length))
        for (const packet of packets) {
          await session.send([packet])
          const [received] = await session.receive(queue, 1)
          expect(received.bytes).toEqual(packet)
        }
      },
    },
    {
      title: 'transmits packets of every length unchanged',
      run: async (session) => {
        const queue = await session.open()
        for (const length of lengths(session)) {
          const packet = session.outbound(length)
          await session.transmit(queue, [packet])
          const [sent] = await session.collect(1, [], () => queue.reap())
          expect(sent).toEqual(packet)
        }
      },
    },
    {
      title: 'receives bursts of every size, in order',
      run: async (session) => {
        const queue = await session.open()
        for (const size of burstSizes(session)) {
          const packets = Array.from({ length: size }, (_, i) => session.inbound(SHORTEST + (i % 64)))
          await session.send(packets)
          const received = await session.receive(queue, size, session.burst(size))
          expect(received.map((packet) => packet.bytes)).toEqual(packets)
        }
      },
    },
    {
      title: 'transmits bursts of every size, in order',
      run: async (session) => {
        const queue = await session.open()
        for (const size of burstSizes(session)) {
          const packets = Array.from({ length: size }, (_, i) => session.outbound(SHORTEST + (i % 64)))
          await session.transmit(queue, packets, size)
          expect(await session.collect(size, [], () => queue.reap())).toEqual(packets)
        }
      },
    },
    {
      title: 'fills no more than the burst holds',
      run: async (session) => {
        const queue = await session.open()
        const small = session.burst(3)
        await session.send(Array.from({ length: 8 }, () => session.inbound()))
        const sequences: number[] = []
        await session.until('all 8 packets in bursts of 3', () => {
          const packets: { bytes: Uint8Array }[] = []
          expect(session.receiveSome(queue, small, packets as never)).toBeLessThanOrEqual(3)
          for (const { bytes } of packets) sequences.push(sequenceOf(bytes, session.run))
          return sequences.length >= 8
        })
        expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
      },
    },
    {
      title: 'transmits from the entry that the caller names',
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst(8)
        const packets = Array.from({ length: 8 }, () => session.outbound())
        const frames = packets.map((packet) => session.load(queue, burst, packet))
        expect(queue.transmit(burst, 5)).toBe(3)
        expect(burst.refused).toBe(0)
        for (const frame of frames.slice(0, 5)) queue.pool.release(frame)
        expect(await session.collect(3, [], () => queue.reap())).toEqual(packets.slice(5))
      },
    },
    {
      title: 'a burst without any extra columns works too',
      run: async (session) => {
        const { NetBurst } = await import('@parakernel/hal')
        const queue = await session.open()
        const packet = session.inbound(200)
        await session.send([packet])
        const [received] = await session.receive(queue, 1, new NetBurst(4))
        expect(received.bytes).toEqual(packet)
        const plain = new NetBurst(4)
        const reply = session.outbound(200)
        session.load(queue, plain, reply)
        expect(queue.transmit(plain)).toBe(1)
        expect(await session.collect(1, [], () => queue.reap())).toEqual([reply])
      },
    },
    {
      title: 'delivers whole packets only, with a frame each that the caller owns alone',
      run: async (session) => {
        const queue = await session.open()
        await session.send([session.inbound(), session.inbound()])
        const burst = session.burst()
        await session.until('a packet', () => queue.receive(burst) > 0)
        expect(burst.flags[burst.count - 1] & END_OF_PACKET).toBe(END_OF_PACKET)
        for (let i = 0; i < burst.count; i++) {
          expect(queue.pool.count(burst.frame[i])).toBe(1)
          queue.pool.bytes[queue.pool.address(burst.frame[i]) + burst.offset[i]] ^= 0xff
          queue.pool.release(burst.frame[i])
        }
      },
    },
    {
      title: 'sends a received frame back in place',
      run: async (session) => {
        const queue = await session.open()
        const packet = session.inbound(300)
        await session.send([packet])
        const burst = session.burst()
        await session.until('the packet', () => queue.receive(burst) > 0)
        const start = queue.pool.address(burst.frame[0]) + burst.offset[0]
        queue.pool.bytes.copyWithin(start, start + 6, start + 12)
        queue.pool.bytes.set(packet.subarray(0, 6), start + 6)
        burst.flags[0] = END_OF_PACKET
        expect(queue.transmit(burst)).toBe(burst.count)
        const [sent] = await session.collect(1, [], () => queue.reap())
        expect(sent.subarray(0, 6)).toEqual(packet.subarray(6, 12))
        expect(sent.subarray(12)).toEqual(packet.subarray(12))
      },
    },
    {
      title: 'a frame that the application keeps stays readable until it is released',
      run: async (session) => {
        const queue = await session.open()
        const packet = session.outbound(120)
        const burst = session.burst()
        const frame = session.load(queue, burst, packet)
        queue.pool.retain(frame)
        expect(queue.transmit(burst)).toBe(1)
        await session.collect(1, [], () => queue.reap())
        await session.until('the device to give its reference back', () => {
          queue.reap()
          return queue.pool.count(frame) === 1
        })
        const start = queue.pool.address(frame) + burst.offset[0]
        expect(queue.pool.bytes.slice(start, start + packet.length)).toEqual(packet)
        queue.pool.release(frame)
      },
    },
    {
      title: 'each queue receives its own packets, in order',
      unless: severalQueues,
      run: async (session) => {
        const { queues } = session.device
        const opened = []
        for (let i = 0; i < queues; i++) opened.push(await session.open(i))
        const sent: Uint8Array[][] = opened.map(() => [])
        for (let round = 0; round < 8; round++) {
          for (let i = 0; i < queues; i++) {
            const packet = session.inbound(SHORTEST + round, i)
            sent[i].push(packet)
            await session.send([packet], { queue: i })
          }
        }
        for (const [i, queue] of opened.entries()) {
          const received = await session.receive(queue, 8)
          expect(received.map((packet) => packet.bytes)).toEqual(sent[i])
        }
      },
    },
    {
      title: 'every queue transmits',
      unless: severalQueues,
      run: async (session) => {
        for (let i = 0; i < session.device.queues; i++) {
          const queue = await session.open(i)
          const packets = [session.outbound(), session.outbound(), session.outbound()]
          await session.transmit(queue, packets)
          expect(await session.collect(3, [], () => queue.reap())).toEqual(packets)
        }
      },
    },
    {
      title: 'carries thousands of packets both ways without losing one',
      timeout: 6 * PATIENCE,
      run: async (session) => {
        const queue = await session.open()
        const total = 4_000
        const chunk = Math.min(32, session.wire.capacity)
        for (let at = 0; at < total; at += chunk) {
          const inbound = Array.from({ length: chunk }, () => session.inbound())
          await session.send(inbound)
          const outbound = Array.from({ length: chunk }, () => session.outbound())
          await session.transmit(queue, outbound, chunk)
          const received = await session.receive(queue, chunk)
          const sent = await session.collect(chunk, [], () => queue.reap())
          expect(received.map((packet) => sequenceOf(packet.bytes, session.run))).toEqual(
            inbound.map((packet) => sequenceOf(packet, session.run)),
          )
          expect(sent).toEqual(outbound)
        }
      },
    },
  ],
}

function lengths(session: Session): number[] {
  const longest = Math.min(session.device.mtu + 14, 1514)
  return [SHORTEST, 61, 64, 65, 127, 128, 129, 512, 1000, longest - 1, longest]
}

function burstSizes(session: Session): number[] {
  return [1, 2, 3, 7, 16, 31, 32, 33, 64].filter(
    (size) => size <= Math.min(session.wire.capacity, session.device.capabilities.ringSize),
  )
}
