import { describe, expect, it } from 'vitest'
import { ACK, PSH, SYN, URG } from '../../../src/tcp/segment.ts'
import { ethernetFrame, icmpMessage, ipv4Packet } from '../../support/frames.ts'
import { pattern } from '../support/pair.ts'
import { type TcpFields, tcpBytes, tcpFrame } from '../support/raw-peer.ts'
import { Siege } from './support/siege.ts'

const COUNT = 200

/** What is wrong, and the counter that says so. */
const HEADERS: readonly (readonly [string, TcpFields, string])[] = [
  ['a header shorter than 20 bytes', { dataOffset: 4 }, 'BadHeaderLength'],
  ['a header of no length', { dataOffset: 0 }, 'BadHeaderLength'],
  ['a header longer than the segment', { dataOffset: 15 }, 'Truncated'],
  ['a wrong checksum', { tcpChecksum: 0x1234 }, 'BadChecksum'],
  ['no checksum', { tcpChecksum: 0 }, 'BadChecksum'],
  ['source port 0', { sourcePort: 0 }, 'BadPort'],
  ['destination port 0', { destinationPort: 0 }, 'BadPort'],
  ['an option of length 0', { rawOptions: Uint8Array.of(253, 0, 1, 1) }, 'BadOption'],
  ['an option of length 1', { rawOptions: Uint8Array.of(253, 1, 1, 1) }, 'BadOption'],
  ['an option that leads out of the header', { rawOptions: Uint8Array.of(1, 1, 253, 3) }, 'BadOption'],
  ['an option without a length', { rawOptions: Uint8Array.of(1, 1, 1, 253) }, 'BadOption'],
  ['an MSS of the wrong length', { rawOptions: Uint8Array.of(2, 3, 5, 1) }, 'BadOption'],
  ['a window scale of the wrong length', { rawOptions: Uint8Array.of(3, 4, 5, 1) }, 'BadOption'],
  ['SACK-permitted of the wrong length', { rawOptions: Uint8Array.of(4, 3, 5, 1) }, 'BadOption'],
  ['half a SACK block', { rawOptions: Uint8Array.of(5, 6, 0, 0, 0, 0, 1, 1) }, 'BadOption'],
  ['SACK without a block', { rawOptions: Uint8Array.of(5, 2, 1, 1) }, 'BadOption'],
  ['half a timestamp', { rawOptions: Uint8Array.of(8, 6, 0, 0, 0, 0, 1, 1) }, 'BadOption'],
  ['a user timeout of the wrong length', { rawOptions: Uint8Array.of(28, 3, 0, 1) }, 'BadOption'],
  ['a group for a destination', { destination: '224.0.0.1', to: '01:00:5e:00:00:01' }, 'GroupDestination'],
  ['no ACK', { flags: PSH }, 'NoAck'],
  ['a SYN', { flags: SYN }, 'SynInWindow'],
]

describe('a segment of a live connection', () => {
  it('with anything wrong is dropped, counted by its own counter, and changes nothing', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    for (const [what, fields, name] of HEADERS) {
      const before = siege.count(`tcpDrop.${name}`)
      siege.unharmed(() => {
        for (let i = 0; i < 5; i++) {
          siege.bench.wire.send(tcpFrame({ ...siege.of(peer), flags: ACK, ...fields }))
        }
        siege.run(5)
      }, 0.5)
      expect(siege.count(`tcpDrop.${name}`) - before, what).toBe(5)
    }
    expect(siege.lines('established')).toHaveLength(1)
    expect(siege.lines('established')[0].receiveQueue).toBe(0)
    // What is only odd is taken: an urgent pointer, unknown options, reserved bits.
    const [answer] = siege.ask({
      ...siege.of(peer),
      flags: ACK | URG,
      rawOptions: Uint8Array.of(253, 4, 1, 2),
      payload: pattern(10),
    })
    expect(answer.segment.acknowledgment).toBe(peer.next + 10)
    expect(siege.count('tcpExt.UrgentIgnored')).toBe(1)
    await siege.close()
  }, 30_000)

  it('in fragments that overlap is not put together (RFC 5722, RFC 1858), and memory stays bounded', async () => {
    const siege = await Siege.create()
    const peer = siege.open(4000)
    const bytes = tcpBytes({ ...siege.of(peer), flags: ACK, payload: pattern(1000) })
    const fragment = (identifier: number, from: number, to: number, more: boolean) =>
      ethernetFrame(
        ipv4Packet(bytes.slice(from, to), { protocol: 6, identifier, fragment: (more ? 0x2000 : 0) | (from / 8) }),
      )
    const frames = function* () {
      for (let i = 1; i <= COUNT; i++) {
        yield fragment(i, 0, 504, true)
        yield fragment(i, 496, bytes.length, false)
        yield fragment(i, 504, bytes.length, false)
      }
    }
    siege.unharmed(() => siege.attack(frames()), 0.5)
    expect(siege.lines('established')[0].receiveQueue).toBe(0)
    // Whole, it is taken.
    siege.attack([fragment(9999, 0, 504, true), fragment(9999, 504, bytes.length, false)])
    expect(siege.lines('established')[0].receiveQueue).toBe(1000)
    // Tiny first fragments, and ends without beginnings, are only ever kept for a while.
    const endless = function* () {
      for (let i = 1; i <= 1000; i++) yield fragment(20_000 + i, 8 * (1 + (i % 60)), 8 * (2 + (i % 60)), true)
    }
    siege.unharmed(() => siege.attack(endless()), 0.5)
    await siege.close()
  })
})

describe('forged ICMP errors (RFC 5927)', () => {
  it.each([
    ['with numbers that are not in flight', 1_000_000],
    ['of what is acknowledged', 0],
  ])('%s neither end a connection nor shorten its segments', async (_, offset) => {
    const siege = await Siege.create()
    const { innocent } = siege
    const port = siege.client.libos.getsockname(innocent.qd).port
    const peer = siege.open(4000)
    const quote = (
      from: { source: string; destination: string; sourcePort: number; destinationPort: number },
      sequence: number,
    ) => ipv4Packet(tcpBytes({ ...from, sequence, flags: ACK }).slice(0, 8), { ...from, protocol: 6 })
    const frames = function* () {
      for (let i = 0; i < 500; i++) {
        const [type, code, rest] = [
          [3, 3, 0],
          [3, 1, 0],
          [3, 2, 0],
          [3, 4, 68],
          [11, 0, 0],
        ][i % 5]
        const victim =
          i % 2 === 0
            ? { destination: '10.0.0.3', sourcePort: 7, destinationPort: port }
            : { destination: '10.0.0.2', sourcePort: 80, destinationPort: peer.port }
        const sequence =
          ((offset as number) === 0 ? peer.received - 1 : peer.received + (offset as number) + i * 5003) | 0
        const quoted = quote({ source: '10.0.0.1', ...victim }, i % 2 === 0 ? i * 40_000_003 : sequence)
        yield ethernetFrame(ipv4Packet(icmpMessage(type, code, rest, quoted), { protocol: 1 }))
      }
    }
    siege.unharmed(() => siege.attack(frames()))
    expect(siege.lines('established')).toHaveLength(1)
    expect(Number(siege.lines('established')[0].details['mss'])).toBe(1460)
    expect(siege.count('tcpExt.IcmpOutOfWindow')).toBeGreaterThan(200)
    expect(siege.count('tcpExt.MtuReductions')).toBe(0)
    await siege.close()
  })
})
