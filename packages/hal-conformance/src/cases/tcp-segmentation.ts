import { CHECKSUM_WANTED, SEGMENT_TCP4, SEGMENT_TCP6 } from '@parakernel/hal'
import { expect } from 'vitest'
import { type Case, capable, type Group } from '../case.ts'
import { buildTcp, tcpChecksumHolds } from '../packets.ts'

const SIZE = 400
const PAYLOAD = 1_500
const FIN_PSH = 0x09

/** What a device makes of a TCP super-frame: the segments that the sender's stack would have made itself. */
export const tcpSegmentation: Group = {
  name: 'TCP segmentation',
  cases: [cuts(4, SEGMENT_TCP4), cuts(6, SEGMENT_TCP6)],
}

function cuts(version: 4 | 6, flag: number): Case {
  return {
    title: `cuts a super-frame over IPv${version} into segments`,
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
