import { ALL_COLUMNS, CHECKSUM_WANTED, NetBurst, SEGMENT_TCP4, SEGMENT_TCP6, SEGMENT_UDP } from '@parakernel/hal'
import { expect } from 'vitest'
import { type Case, capable, type Group, incapable } from '../case.ts'
import { buildTcp, HEADERS, tcpChecksumHolds, udpChecksumHolds } from '../packets.ts'
import { expectRefused } from './descriptors.ts'

const SIZE = 400
const PAYLOAD = 1_500
const FIN_PSH = 0x09

/** What a device makes of a super-frame: the segments that the sender's stack would have made itself. */
export const segmentation: Group = {
  name: 'segmentation',
  cases: [
    {
      title: 'cuts a UDP super-frame into segments',
      unless: capable(
        'UDP segmentation',
        ({ device }) => (device.capabilities.transmitSegmentation & SEGMENT_UDP) !== 0,
      ),
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst(1)
        const packet = session.outbound(HEADERS + 1000, { checksum: 'partial' })
        session.load(queue, burst, packet)
        burst.flags[0] |= SEGMENT_UDP | CHECKSUM_WANTED
        burst.checksumStart[0] = 34
        burst.checksumOffset[0] = 6
        burst.segmentSize[0] = 300
        burst.headerLength[0] = HEADERS
        expect(queue.transmit(burst)).toBe(1)
        expect(burst.refused).toBe(0)
        // Only the first segment carries the stamp of the suite, so that all of the wire's packets are looked at.
        const segments: Uint8Array[] = []
        await session.until('four segments', async () => {
          queue.reap()
          for (let one = await session.wire.receive(); one !== undefined; one = await session.wire.receive()) {
            segments.push(one)
          }
          return segments.length >= 4
        })
        expect(segments.map((segment) => segment.length - HEADERS)).toEqual([300, 300, 300, 100])
        for (const segment of segments) {
          const view = new DataView(segment.buffer, segment.byteOffset)
          expect(view.getUint16(16)).toBe(segment.length - 14)
          expect(view.getUint16(38)).toBe(segment.length - 34)
          expect(udpChecksumHolds(segment)).toBe(true)
        }
        expect(Buffer.concat(segments.map((segment) => segment.subarray(HEADERS)))).toEqual(
          Buffer.from(packet.subarray(HEADERS)),
        )
      },
    },
    {
      title: 'refuses a super-frame that makes no sense',
      unless: capable(
        'UDP segmentation',
        ({ device }) => (device.capabilities.transmitSegmentation & SEGMENT_UDP) !== 0,
      ),
      run: async (session) => {
        const queue = await session.open()
        for (const [size, headers, counter] of [
          [0, HEADERS, 'txInvalidDescriptors'],
          [-5, HEADERS, 'txInvalidDescriptors'],
          [300, 0, 'txInvalidDescriptors'],
          [300, 2000, 'txInvalidDescriptors'],
          [session.device.capabilities.maxPacket, HEADERS, 'txTooLong'],
        ] as const) {
          const burst = session.burst(1)
          session.load(queue, burst, session.outbound(1042))
          burst.flags[0] |= SEGMENT_UDP
          burst.segmentSize[0] = size
          burst.headerLength[0] = headers
          await expectRefused(session, queue, burst, [0], counter, 1)
        }
      },
    },
    ...(
      [
        ['TCP over IPv4', SEGMENT_TCP4],
        ['TCP over IPv6', SEGMENT_TCP6],
        ['UDP', SEGMENT_UDP],
      ] as const
    ).map(([what, flag]) => ({
      title: `refuses ${what} segmentation that it does not do`,
      unless: incapable(
        `${what} segmentation`,
        ({ device }) => (device.capabilities.transmitSegmentation & flag) !== 0,
      ),
      run: async (session: Parameters<Group['cases'][number]['run']>[0]) => {
        const queue = await session.open()
        const burst = new NetBurst(1, ALL_COLUMNS)
        session.load(queue, burst, session.outbound(1000))
        burst.flags[0] |= flag
        burst.segmentSize[0] = 300
        burst.headerLength[0] = HEADERS
        await expectRefused(session, queue, burst, [0], 'txUnsupported', 1)
      },
    })),
    cuts(4, SEGMENT_TCP4),
    cuts(6, SEGMENT_TCP6),
  ],
}

function cuts(version: 4 | 6, flag: number): Case {
  return {
    title: `cuts a TCP super-frame over IPv${version} into segments`,
    unless: capable(
      `TCP segmentation over IPv${version}`,
      ({ device }) => (device.capabilities.transmitSegmentation & flag) !== 0,
    ),
    run: async (session) => {
      const queue = await session.open()
      const { bytes, headers, tcp } = buildTcp(version, session.device.mac, session.wire.mac, PAYLOAD)
      const burst = session.burst(1)
      session.load(queue, burst, bytes)
      burst.flags[0] |= flag | CHECKSUM_WANTED
      burst.checksumStart[0] = tcp
      burst.checksumOffset[0] = 16
      burst.segmentSize[0] = SIZE
      burst.headerLength[0] = headers
      expect(queue.transmit(burst)).toBe(1)
      expect(burst.refused).toBe(0)
      const segments: Uint8Array[] = []
      await session.until('four segments', async () => {
        queue.reap()
        for (let one = await session.wire.receive(); one !== undefined; one = await session.wire.receive()) {
          segments.push(one)
        }
        return segments.length >= 4
      })
      expect(segments.map((segment) => segment.length - headers)).toEqual([SIZE, SIZE, SIZE, PAYLOAD - 3 * SIZE])
      for (const [i, segment] of segments.entries()) {
        const view = new DataView(segment.buffer, segment.byteOffset)
        const length = version === 4 ? view.getUint16(16) : view.getUint16(18) + 40
        expect(length, `length of segment ${i}`).toBe(segment.length - 14)
        expect(view.getUint32(tcp + 4), `sequence of segment ${i}`).toBe((0xffff_fe00 + i * SIZE) >>> 0)
        expect(view.getUint32(tcp + 8)).toBe(77)
        expect(view.getUint8(tcp + 13) & FIN_PSH, `FIN and PSH of segment ${i}`).toBe(i === 3 ? FIN_PSH : 0)
        expect(tcpChecksumHolds(segment, version), `checksums of segment ${i}`).toBe(true)
      }
      if (version === 4) {
        const ids = segments.map((segment) => new DataView(segment.buffer, segment.byteOffset).getUint16(18))
        expect(new Set(ids).size, 'an identification for each').toBe(4)
      }
      expect(Buffer.concat(segments.map((segment) => segment.subarray(headers)))).toEqual(
        Buffer.from(bytes.subarray(headers)),
      )
    },
  }
}
