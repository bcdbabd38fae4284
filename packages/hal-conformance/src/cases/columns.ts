import {
  ALL_COLUMNS,
  CHECKSUM_BAD,
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  CHECKSUM_WANTED,
  COLUMN_CHECKSUM,
  COLUMN_HASH,
  COLUMN_SEGMENT,
  COLUMN_TIMESTAMP,
  COLUMN_VLAN,
  NetBurst,
  VLAN_TAGGED,
} from '@parakernel/hal'
import { expect } from 'vitest'
import { capable, type Group, incapable, unless } from '../case.ts'
import type { Fixture } from '../fixture.ts'
import { udpChecksumHolds } from '../packets.ts'
import { expectRefused } from './descriptors.ts'

const computes = ({ device }: Fixture) => device.capabilities.checksum.computes
const verifies = ({ device }: Fixture) => device.capabilities.checksum.verifies
const column =
  (bit: number) =>
  ({ device }: Fixture) =>
    (device.capabilities.columns & bit) !== 0

/** Offloads: what a capability promises is done, what it does not promise is refused when asked for. */
export const columns: Group = {
  name: 'columns',
  cases: [
    {
      title: 'capabilities and columns agree',
      run: ({ device: { capabilities } }) => {
        const has = (bit: number) => (capabilities.columns & bit) !== 0
        expect(capabilities.columns & ~ALL_COLUMNS).toBe(0)
        if (capabilities.checksum.computes) expect(has(COLUMN_CHECKSUM)).toBe(true)
        if (capabilities.transmitSegmentation !== 0) {
          expect(has(COLUMN_SEGMENT)).toBe(true)
          // A cut segment needs a checksum that nobody else can write.
          expect(capabilities.checksum.computes).toBe(true)
        }
        if (capabilities.receiveSegmentation !== 0) expect(has(COLUMN_SEGMENT)).toBe(true)
      },
    },
    {
      title: 'computes the checksum that is asked for',
      unless: capable('checksum on transmit', computes),
      run: async (session) => {
        const queue = await session.open()
        for (const length of [60, 61, 999, 1514]) {
          const packet = session.outbound(length, { checksum: 'partial' })
          const burst = session.burst(1)
          session.load(queue, burst, packet)
          burst.flags[0] |= CHECKSUM_WANTED
          burst.checksumStart[0] = 34
          burst.checksumOffset[0] = 6
          expect(queue.transmit(burst)).toBe(1)
          expect(burst.refused).toBe(0)
          const [sent] = await session.collect(1, [], () => queue.reap())
          expect(udpChecksumHolds(sent)).toBe(true)
          packet.copyWithin(40, 40, 42)
          expect(sent.subarray(0, 40)).toEqual(packet.subarray(0, 40))
          expect(sent.subarray(42)).toEqual(packet.subarray(42))
        }
      },
    },
    {
      title: 'refuses a checksum field outside the packet',
      unless: capable('checksum on transmit', computes),
      run: async (session) => {
        const queue = await session.open()
        for (const [start, offset] of [
          [-1, 6],
          [34, -1],
          [34, 25],
          [100, 0],
          [0x7fff_ffff, 0x7fff_ffff],
        ]) {
          const burst = session.burst(1)
          session.load(queue, burst, session.outbound())
          burst.flags[0] |= CHECKSUM_WANTED
          burst.checksumStart[0] = start
          burst.checksumOffset[0] = offset
          await expectRefused(session, queue, burst, [0], 'txInvalidDescriptors', 1)
        }
      },
    },
    {
      title: 'refuses to compute a checksum that it cannot',
      unless: incapable('checksum on transmit', computes),
      run: async (session) => {
        const queue = await session.open()
        const burst = new NetBurst(3, ALL_COLUMNS)
        const packets = [session.outbound(), session.outbound(), session.outbound()]
        for (const packet of packets) session.load(queue, burst, packet)
        burst.flags[1] |= CHECKSUM_WANTED
        burst.checksumStart[1] = 34
        burst.checksumOffset[1] = 6
        await expectRefused(session, queue, burst, [1], 'txUnsupported', 1)
        expect(await session.collect(2, [], () => queue.reap())).toEqual([packets[0], packets[2]])
      },
    },
    {
      title: 'says of a received checksum whether it is right',
      unless: capable('checksum on receive', verifies),
      run: async (session) => {
        const queue = await session.open()
        for (const length of [60, 61, 1514]) {
          await session.send([session.inbound(length)])
          const [good] = await session.receive(queue, 1)
          expect(good.flags & (CHECKSUM_VERIFIED | CHECKSUM_BAD | CHECKSUM_PARTIAL)).toBe(CHECKSUM_VERIFIED)
          await session.send([session.inbound(length, 0, { checksum: 'wrong' })])
          const [wrong] = await session.receive(queue, 1)
          expect(wrong.flags & (CHECKSUM_VERIFIED | CHECKSUM_BAD)).toBe(CHECKSUM_BAD)
        }
      },
    },
    {
      title: 'claims nothing about received checksums when it does not check them',
      unless: incapable('checksum on receive', verifies),
      run: async (session) => {
        const queue = await session.open()
        await session.send([session.inbound(), session.inbound(60, 0, { checksum: 'wrong' })])
        for (const { flags } of await session.receive(queue, 2)) {
          expect(flags & (CHECKSUM_VERIFIED | CHECKSUM_BAD)).toBe(0)
        }
      },
    },
    {
      title: 'marks a partial checksum, or says that it cannot',
      unless: unless(
        capable('partial checksums', ({ device }) => device.capabilities.partialChecksums !== 'never'),
        ({ wire }) => (wire.partialChecksums === true ? undefined : 'the wire does not send partial checksums'),
      ),
      run: async (session) => {
        const queue = await session.open()
        const packet = session.inbound(200, 0, { checksum: 'partial' })
        await session.send([packet], { queue: 0, partialChecksum: true })
        const [received] = await session.receive(queue, 1)
        expect(received.bytes).toEqual(packet)
        expect(received.flags & (CHECKSUM_BAD | CHECKSUM_VERIFIED)).toBe(0)
        const marked = session.device.capabilities.partialChecksums === 'marked'
        expect((received.flags & CHECKSUM_PARTIAL) !== 0).toBe(marked)
      },
    },
    {
      title: 'takes a tag out of received packets, and puts one into transmitted ones',
      unless: capable('VLAN column', column(COLUMN_VLAN)),
      run: async (session) => {
        const queue = await session.open()
        await session.send([session.inbound(100, 0, { vlan: 0x2064 })])
        const [received] = await session.receive(queue, 1)
        expect(received.flags & VLAN_TAGGED).toBe(VLAN_TAGGED)
        expect(received.vlan).toBe(0x2064)
        expect(received.bytes).toHaveLength(100)
        expect([...received.bytes.subarray(12, 14)]).toEqual([8, 0])
        const packet = session.outbound(100)
        const burst = session.burst(2)
        session.load(queue, burst, packet)
        session.load(queue, burst, packet)
        burst.flags[0] |= VLAN_TAGGED
        burst.vlan[0] = 0x6065
        expect(queue.transmit(burst)).toBe(2)
        const [tagged, untagged] = await session.collect(2, [], () => queue.reap())
        expect([...tagged.subarray(12, 16)]).toEqual([0x81, 0, 0x60, 0x65])
        expect(Buffer.concat([tagged.subarray(0, 12), tagged.subarray(16)])).toEqual(Buffer.from(packet))
        expect(untagged).toEqual(packet)
      },
    },
    {
      title: 'refuses to put a tag in when it cannot',
      unless: incapable('VLAN column', column(COLUMN_VLAN)),
      run: async (session) => {
        const queue = await session.open()
        const burst = new NetBurst(1, ALL_COLUMNS)
        session.load(queue, burst, session.outbound())
        burst.flags[0] |= VLAN_TAGGED
        burst.vlan[0] = 5
        await expectRefused(session, queue, burst, [0], 'txUnsupported', 1)
      },
    },
    {
      title: 'leaves a tag in the packet when it has no column for it',
      unless: incapable('VLAN column', column(COLUMN_VLAN)),
      run: async (session) => {
        const queue = await session.open()
        const packet = session.outbound(100, { vlan: 7 })
        await session.transmit(queue, [packet])
        expect(await session.collect(1, [], () => queue.reap())).toEqual([packet])
      },
    },
    {
      title: 'gives packets of one flow one hash, and flows different ones',
      unless: capable('hash column', column(COLUMN_HASH)),
      run: async (session) => {
        const queue = await session.open()
        const { sourcePort } = session.flow(0)
        await session.send(Array.from({ length: 4 }, () => session.inbound()))
        const hashes = new Set((await session.receive(queue, 4)).map((packet) => packet.hash))
        expect(hashes.size).toBe(1)
        if (session.device.queues > 1 && session.wire.flow !== undefined) return
        const source = { mac: session.wire.mac, address: session.wire.address }
        await session.send(
          Array.from({ length: 8 }, (_, i) =>
            session.inbound(60, 0, { source: { ...source, port: sourcePort + 1 + i } }),
          ),
        )
        for (const { hash } of await session.receive(queue, 8)) hashes.add(hash)
        expect(hashes.size).toBeGreaterThan(4)
      },
    },
    {
      title: 'stamps received packets with a time that never goes back',
      unless: capable('timestamp column', column(COLUMN_TIMESTAMP)),
      run: async (session) => {
        const queue = await session.open()
        const times: number[] = []
        for (let i = 0; i < 4; i++) {
          await session.send([session.inbound()])
          for (const { timestamp } of await session.receive(queue, 1)) times.push(timestamp ?? Number.NaN)
          await session.quiet(2)
        }
        expect(times.every((time) => Number.isFinite(time) && time >= 0)).toBe(true)
        expect(times).toEqual(times.toSorted((a, b) => a - b))
        expect(times[3]).toBeGreaterThan(times[0])
      },
    },
  ],
}
