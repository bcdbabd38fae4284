import { describe, expect, it } from 'vitest'
import * as counters from '../../src/tcp/input-counters.ts'
import {
  DROP_TCP_BAD_HEADER_LENGTH,
  DROP_TCP_BAD_PORT,
  DROP_TCP_TRUNCATED,
  TCP_INPUT_COUNTERS,
} from '../../src/tcp/input-counters.ts'
import { ACK, CWR, FIN, PSH, Segment } from '../../src/tcp/segment.ts'
import * as wire from '../../src/tcp/wire.ts'

/** From port 443 to 50000, sequence 0x80000001, acknowledging 2, PSH ACK, window 512, checksum 0xabcd. */
const HEADER = [0x01, 0xbb, 0xc3, 0x50, 0x80, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 0x02, 0x00, 0xab, 0xcd, 0, 0]

function viewOf(bytes: readonly number[]): DataView {
  return new DataView(Uint8Array.from([9, ...bytes]).buffer)
}

describe('a TCP header', () => {
  it('is read at its offsets', () => {
    const view = viewOf(HEADER)
    const segment = new Segment()
    wire.parseHeader(view, 1, segment)
    expect(segment).toMatchObject({ acknowledgment: 2, flags: PSH | ACK, window: 512 })
    expect(segment.sequence >>> 0).toBe(0x8000_0001)
    expect([wire.sourcePort(view, 1), wire.destinationPort(view, 1), wire.ports(view, 1) >>> 16]).toEqual([
      443, 50_000, 443,
    ])
    expect([wire.headerLength(view, 1), wire.checksum(view, 1)]).toEqual([20, 0xabcd])
  })

  it('is written as it is read', () => {
    const segment = new Segment()
    Object.assign(segment, { sequence: 0x8000_0001 | 0, acknowledgment: 2, flags: PSH | ACK, window: 512 })
    const bytes = new Uint8Array(21).fill(0xff)
    wire.emitHeader(new DataView(bytes.buffer), 1, segment, 443, 50_000, 20)
    const without = [...HEADER]
    without[16] = 0
    without[17] = 0
    expect([...bytes.subarray(1)]).toEqual(without)
    segment.flags = FIN | ACK | CWR
    wire.emitHeader(new DataView(bytes.buffer), 1, segment, 443, 50_000, 60)
    expect([bytes[13], bytes[14]]).toEqual([0xf0, 0x91])
  })

  const changed = (at: number, ...values: number[]) => HEADER.map((byte, i) => values[i - at] ?? byte)
  it.each([
    ['fewer bytes than a header', HEADER, 19, DROP_TCP_TRUNCATED],
    ['a data offset below five words', changed(12, 0x40), 20, DROP_TCP_BAD_HEADER_LENGTH],
    ['a data offset beyond the segment', changed(12, 0x60), 20, DROP_TCP_TRUNCATED],
    ['port 0 as its source', changed(0, 0, 0), 20, DROP_TCP_BAD_PORT],
    ['port 0 as its destination', changed(2, 0, 0), 20, DROP_TCP_BAD_PORT],
    ['reserved bits set', changed(12, 0x5e), 20, wire.HEADER_OK],
    ['nothing wrong', HEADER, 20, wire.HEADER_OK],
  ])('with %s is judged so', (_, bytes, length, verdict) => {
    expect(wire.checkHeader(viewOf(bytes), 1, length)).toBe(verdict)
  })
})

it('every counter has the index that its name says', () => {
  const upper = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
  TCP_INPUT_COUNTERS.forEach((name, index) => {
    const [group, rest] = name.split('.')
    const constant = `${group === 'tcpExt' ? 'EXT' : 'DROP_TCP'}${upper(rest)}`
    expect(counters).toHaveProperty(constant, index)
  })
})
