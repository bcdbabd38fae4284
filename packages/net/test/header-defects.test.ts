import { assertNoLeaks } from '@parakernel/hal'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BROADCAST, ethernetFrame, hex, icmpMessage, ipv4Packet, udpDatagram, udpFrame } from './support/frames.ts'
import { type Bench, counter, stackAndWire } from './support/wire.ts'

let bench: Bench
let served: string[]

beforeEach(async () => {
  bench = await stackAndWire({}, { nic: { checksumVerify: false } })
  served = []
  const { libos } = bench
  const qd = libos.socket('datagram')
  libos.bind(qd, { address: '0.0.0.0', port: 7 })
  libos.serveDatagrams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const from = burst.address[i]
      served.push(new TextDecoder().decode(libos.pool.bytes.slice(from, from + burst.length[i])))
    }
  })
})

afterEach(async () => {
  await bench.machines.close()
  assertNoLeaks(bench.machine.pool)
})

const hello = new TextEncoder().encode('hello')
const good = { payload: hello }
const truncated = (frame: Uint8Array, length: number) => frame.slice(0, length)

/** A frame, and the counters that it moves: the MIB's, and the one that says exactly what was wrong. */
const defects: readonly [name: string, frame: Uint8Array, mib: string, reason: string][] = [
  ['no IPv4 header', ethernetFrame(hex('45')), 'ip.ipSystemStatsInTruncatedPkts', 'ipTruncated'],
  ['a header cut short', truncated(udpFrame(good), 14 + 19), 'ip.ipSystemStatsInTruncatedPkts', 'ipTruncated'],
  ['a payload cut short', truncated(udpFrame(good), 14 + 30), 'ip.ipSystemStatsInTruncatedPkts', 'ipTruncated'],
  ['version 6', udpFrame({ ...good, firstByte: 0x65 }), 'ip.ipSystemStatsInHdrErrors', 'ipBadVersion'],
  ['version 0', udpFrame({ ...good, firstByte: 0x05 }), 'ip.ipSystemStatsInHdrErrors', 'ipBadVersion'],
  ['a header of 16 bytes', udpFrame({ ...good, firstByte: 0x44 }), 'ip.ipSystemStatsInHdrErrors', 'ipBadHeaderLength'],
  [
    'a length below the header',
    udpFrame({ ...good, totalLength: 19 }),
    'ip.ipSystemStatsInHdrErrors',
    'ipBadTotalLength',
  ],
  [
    'a length beyond the frame',
    udpFrame({ ...good, totalLength: 34 }),
    'ip.ipSystemStatsInTruncatedPkts',
    'ipTruncated',
  ],
  ['a wrong header checksum', udpFrame({ ...good, checksum: 0x1234 }), 'ip.ipSystemStatsInHdrErrors', 'ipBadChecksum'],
  [
    'an option of length 0',
    udpFrame({ ...good, options: hex('07000000') }),
    'ip.ipSystemStatsInHdrErrors',
    'ipBadOption',
  ],
  [
    'an option of length 1',
    udpFrame({ ...good, options: hex('01070101') }),
    'ip.ipSystemStatsInHdrErrors',
    'ipBadOption',
  ],
  [
    'an option beyond the header',
    udpFrame({ ...good, options: hex('07050000') }),
    'ip.ipSystemStatsInHdrErrors',
    'ipBadOption',
  ],
  [
    'an option without length',
    udpFrame({ ...good, options: hex('01010107') }),
    'ip.ipSystemStatsInHdrErrors',
    'ipBadOption',
  ],
  [
    'an unfinished source route',
    udpFrame({ ...good, options: hex('8307040a00000900') }),
    'ip.ipSystemStatsInAddrErrors',
    'ipSourceRoute',
  ],
  ['source 0.0.0.0', udpFrame({ ...good, source: '0.0.0.0' }), 'ip.ipSystemStatsInAddrErrors', 'ipBadSource'],
  ['source 127.0.0.1', udpFrame({ ...good, source: '127.0.0.1' }), 'ip.ipSystemStatsInAddrErrors', 'ipBadSource'],
  ['a group as source', udpFrame({ ...good, source: '224.0.0.5' }), 'ip.ipSystemStatsInAddrErrors', 'ipBadSource'],
  ['class E as source', udpFrame({ ...good, source: '240.0.0.1' }), 'ip.ipSystemStatsInAddrErrors', 'ipBadSource'],
  [
    'limited broadcast as source',
    udpFrame({ ...good, source: '255.255.255.255' }),
    'ip.ipSystemStatsInAddrErrors',
    'ipBadSource',
  ],
  [
    'directed broadcast as source',
    udpFrame({ ...good, source: '10.0.0.255' }),
    'ip.ipSystemStatsInAddrErrors',
    'ipBadSource',
  ],
  [
    'our own address as source',
    udpFrame({ ...good, source: '10.0.0.1' }),
    'ip.ipSystemStatsInAddrErrors',
    'ipBadSource',
  ],
  [
    'somebody else as destination',
    udpFrame({ ...good, destination: '10.0.0.9' }),
    'ip.ipSystemStatsInAddrErrors',
    'ipForeignDestination',
  ],
  [
    'a unicast datagram in a broadcast frame',
    udpFrame({ ...good, to: BROADCAST }),
    'ip.ipSystemStatsInAddrErrors',
    'ipLinkBroadcastUnicast',
  ],
  [
    'a group that nobody joined',
    udpFrame({ ...good, destination: '239.9.9.9', to: BROADCAST }),
    'ip.ipSystemStatsInAddrErrors',
    'ipNotMember',
  ],
  ['an unknown protocol', udpFrame({ ...good, protocol: 99 }), 'ip.ipSystemStatsInUnknownProtos', 'ipUnknownProtocol'],
  ['no UDP header', ethernetFrame(ipv4Packet(hex('0fa00007'))), 'udp.udpInErrors', 'udpTruncated'],
  ['a UDP length below 8', udpFrame({ ...good, udpLength: 7 }), 'udp.udpInErrors', 'udpBadLength'],
  ['a UDP length beyond the packet', udpFrame({ ...good, udpLength: 14 }), 'udp.udpInErrors', 'udpBadLength'],
  ['a wrong UDP checksum', udpFrame({ ...good, udpChecksum: 0x1234 }), 'udp.udpInErrors', 'udpBadChecksum'],
  ['a closed port', udpFrame({ ...good, destinationPort: 8 }), 'udp.udpNoPorts', 'udpPortClosed'],
  [
    'an ICMP message cut short',
    ethernetFrame(ipv4Packet(hex('0800f7ff'), { protocol: 1 })),
    'icmp.icmpInErrors',
    'icmpTruncated',
  ],
  [
    'a wrong ICMP checksum',
    ethernetFrame(ipv4Packet(hex('0800123400010001'), { protocol: 1 })),
    'icmp.icmpInErrors',
    'icmpBadChecksum',
  ],
  [
    'an unknown ICMP type',
    ethernetFrame(ipv4Packet(icmpMessage(13, 0, 0), { protocol: 1 })),
    'icmp.icmpInMsgs',
    'icmpUnknownType',
  ],
  [
    'an ARP packet cut short',
    ethernetFrame(hex('0001 0800 06 04 0001'), { type: 0x0806 }),
    'arp.arpInErrors',
    'arpMalformed',
  ],
  [
    'a wrong IGMP checksum',
    ethernetFrame(ipv4Packet(hex('1164123400000000'), { protocol: 2, destination: '224.0.0.1' }), {
      to: '01:00:5e:00:00:01',
    }),
    'igmp.igmpInErrors',
    'igmpMalformed',
  ],
  [
    'an unknown EtherType',
    ethernetFrame(hex('00'), { type: 0x86dd }),
    'drop.linkUnknownEtherType',
    'linkUnknownEtherType',
  ],
  ['a VLAN that is not ours', udpFrame({ ...good, tag: 7 }), 'drop.linkForeignVlan', 'linkForeignVlan'],
]

describe('a packet with', () => {
  for (const [name, frame, mib, reason] of defects) {
    it(`${name} is dropped as ${mib} and ${reason}`, () => {
      const { libos, wire } = bench
      const before = libos.statistics()
      wire.exchange(frame)
      const after = libos.statistics()
      const moved = Object.keys(after['drop']).filter((key) => after['drop'][key] !== before['drop'][key])
      expect(moved.filter((key) => key !== 'icmpForbidden')).toEqual([reason])
      const [group, key] = mib.split('.')
      expect(after[group][key] - before[group][key]).toBe(1)
      expect(served).toEqual([])
      // The next good one is served.
      wire.exchange(udpFrame(good))
      expect(served).toEqual(['hello'])
    })
  }
})

describe('a packet that is odd, but right, is taken:', () => {
  const odd: readonly [name: string, frame: Uint8Array][] = [
    ['time to live 0 (RFC 1122 section 3.2.1.7)', udpFrame({ ...good, ttl: 0 })],
    ['options of no operation', udpFrame({ ...good, options: hex('01010100') })],
    ['an unknown option', udpFrame({ ...good, options: hex('9e040000 00000000') })],
    ['bytes after the end of options', udpFrame({ ...good, options: hex('00ffffff') })],
    ['a source route that has ended', udpFrame({ ...good, options: hex('8307080a00000900') })],
    ['no UDP checksum', udpFrame({ ...good, udpChecksum: 0 })],
    ['padding behind the packet', Uint8Array.of(...udpFrame(good), ...new Uint8Array(13))],
    ['bytes between datagram and packet end', ethernetFrame(ipv4Packet(Uint8Array.of(...udpDatagram(good), 1, 2, 3)))],
    ['a priority tag', udpFrame({ ...good, tag: 0xe000 })],
    ['another network as source', udpFrame({ ...good, source: '192.0.2.1' })],
    ['a directed broadcast', udpFrame({ ...good, destination: '10.0.0.255', to: BROADCAST })],
    ['a limited broadcast', udpFrame({ ...good, destination: '255.255.255.255', to: BROADCAST })],
    ['the reserved flag', udpFrame({ ...good, fragment: 0x8000 })],
  ]
  for (const [name, frame] of odd) {
    it(name, () => {
      bench.wire.exchange(frame)
      expect(served).toEqual(['hello'])
      expect(counter(bench.libos, 'udp.udpInDatagrams')).toBe(1)
    })
  }
})
