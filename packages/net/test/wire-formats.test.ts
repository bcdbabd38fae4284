import { parseIpv4 } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import * as arp from '../src/arp/wire.ts'
import { macParts, macText } from '../src/ethernet/mac.ts'
import * as ethernet from '../src/ethernet/wire.ts'
import * as icmp from '../src/icmp/wire.ts'
import * as igmp from '../src/igmp/wire.ts'
import { isUnicastHost, parseNetwork } from '../src/ipv4/address.ts'
import * as ipv4 from '../src/ipv4/wire.ts'
import * as udp from '../src/udp/wire.ts'
import { hex, memoryOf } from './support/frames.ts'

/** Bytes that a writer wrote, at an odd place. */
function written(length: number, write: (view: DataView, at: number) => void): Uint8Array {
  const memory = memoryOf(new Uint8Array(length).fill(0xaa), 3)
  write(memory.view, 3)
  return memory.bytes.slice(3, 3 + length)
}

describe('Ethernet', () => {
  const untagged = hex('ffffffffffff 02abcdef0102 0806')
  const tagged = hex('01005e7f0001 02abcdef0102 8100 6fff 0800')

  it('is read', () => {
    const { view } = memoryOf(untagged)
    expect(ethernet.destinationHigh(view, 0)).toBe(ethernet.BROADCAST_HIGH)
    expect(ethernet.destinationLow(view, 0)).toBe(ethernet.BROADCAST_LOW)
    expect(ethernet.isGroup(ethernet.destinationHigh(view, 0))).toBe(true)
    expect(ethernet.isGroup(ethernet.sourceHigh(view, 0))).toBe(false)
    expect(macText({ high: ethernet.sourceHigh(view, 0), low: ethernet.sourceLow(view, 0) })).toBe('02:ab:cd:ef:01:02')
    expect(ethernet.type(view, 0)).toBe(ethernet.TYPE_ARP)
  })

  it('is read with a tag', () => {
    const { view } = memoryOf(tagged)
    expect(ethernet.type(view, 0)).toBe(ethernet.TYPE_VLAN)
    expect(ethernet.vlanId(ethernet.tci(view, 0))).toBe(4095)
    expect(ethernet.taggedType(view, 0)).toBe(ethernet.TYPE_IPV4)
  })

  it('is written', () => {
    const source = macParts('02:ab:cd:ef:01:02')
    expect(
      written(14, (view, at) => {
        ethernet.setDestination(view, at, ethernet.BROADCAST_HIGH, ethernet.BROADCAST_LOW)
        ethernet.setSource(view, at, source.high, source.low)
        ethernet.setType(view, at, ethernet.TYPE_ARP)
      }),
    ).toEqual(untagged)
    // 239.255.0.1: only 23 bits of a group reach the address (RFC 1112).
    const group = parseIpv4('239.255.0.1')
    expect(
      written(18, (view, at) => {
        ethernet.setDestination(view, at, ethernet.multicastHigh(group), ethernet.multicastLow(group))
        ethernet.setSource(view, at, source.high, source.low)
        ethernet.setTag(view, at, 0x6fff, ethernet.TYPE_IPV4)
      }),
    ).toEqual(tagged)
  })
})

describe('ARP', () => {
  const request = hex('0001 0800 06 04 0001 020000000002 0a000002 000000000000 0a000001')

  it('is read', () => {
    const { view } = memoryOf(request)
    expect(arp.isIpv4OverEthernet(view, 0, 28)).toBe(true)
    expect(arp.isIpv4OverEthernet(view, 0, 27)).toBe(false)
    expect(arp.opcode(view, 0)).toBe(arp.REQUEST)
    expect(macText({ high: arp.senderHigh(view, 0), low: arp.senderLow(view, 0) })).toBe('02:00:00:00:00:02')
    expect(arp.senderAddress(view, 0)).toBe(parseIpv4('10.0.0.2'))
    expect(arp.targetHigh(view, 0)).toBe(0)
    expect(arp.targetLow(view, 0)).toBe(0)
    expect(arp.targetAddress(view, 0)).toBe(parseIpv4('10.0.0.1'))
  })

  it('is written', () => {
    const { high, low } = macParts('02:00:00:00:00:02')
    const [sender, target] = [parseIpv4('10.0.0.2'), parseIpv4('10.0.0.1')]
    expect(written(28, (view, at) => arp.emit(view, at, arp.REQUEST, high, low, sender, 0, 0, target))).toEqual(request)
  })

  it('is not taken for another hardware, protocol or length of address', () => {
    for (const [place, value] of [
      [1, 6],
      [2, 0x86],
      [4, 8],
      [5, 16],
    ]) {
      const other = request.slice()
      other[place] = value
      expect(arp.isIpv4OverEthernet(memoryOf(other).view, 0, 28)).toBe(false)
    }
  })
})

describe('IPv4', () => {
  const header = hex('4500 0073 1234 4000 4011 a62d c0a8 0001 c0a8 00c7')

  it('is read', () => {
    const { view } = memoryOf(header)
    expect(ipv4.version(view, 0)).toBe(4)
    expect(ipv4.headerLength(view, 0)).toBe(20)
    expect(ipv4.typeOfService(view, 0)).toBe(0)
    expect(ipv4.totalLength(view, 0)).toBe(115)
    expect(ipv4.identifier(view, 0)).toBe(0x1234)
    expect(ipv4.fragment(view, 0)).toBe(ipv4.DONT_FRAGMENT)
    expect(ipv4.timeToLive(view, 0)).toBe(64)
    expect(ipv4.protocol(view, 0)).toBe(ipv4.PROTOCOL_UDP)
    expect(ipv4.checksum(view, 0)).toBe(0xa62d)
    expect(ipv4.source(view, 0)).toBe(parseIpv4('192.168.0.1'))
    expect(ipv4.destination(view, 0)).toBe(parseIpv4('192.168.0.199'))
  })

  it('is written, with its checksum', () => {
    const [from, to] = [parseIpv4('192.168.0.1'), parseIpv4('192.168.0.199')]
    const write = (view: DataView, at: number) =>
      ipv4.emit(view, at, 0, 115, 0x1234, ipv4.DONT_FRAGMENT, 64, ipv4.PROTOCOL_UDP, from, to)
    expect(written(20, write)).toEqual(header)
  })

  it('networks are read, and those that are none refused', () => {
    expect(parseNetwork('10.1.2.3/24')).toMatchObject({ prefix: 24, mask: ~0xff, broadcast: parseIpv4('10.1.2.255') })
    expect(parseNetwork('10.1.2.3/32').broadcast).toBe(-1)
    expect(parseNetwork('10.1.2.2/31').broadcast).toBe(-1)
    for (const text of [
      '10.1.2.3',
      '10.1.2.3/0',
      '10.1.2.3/33',
      '10.1.2.0/24',
      '10.1.2.255/24',
      '224.0.0.1/24',
      '/8',
      '127.0.0.1/8',
      '10.1.2.3/24/5',
      '10.1.2.3/x',
    ]) {
      expect(() => parseNetwork(text), text).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    }
  })

  it('sources of single hosts are told from others', () => {
    const hosts = ['1.0.0.0', '10.0.0.1', '126.255.255.255', '128.0.0.1', '223.255.255.255']
    const others = ['0.0.0.0', '0.1.2.3', '127.0.0.1', '224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255']
    for (const text of hosts) expect(isUnicastHost(parseIpv4(text)), text).toBe(true)
    for (const text of others) expect(isUnicastHost(parseIpv4(text)), text).toBe(false)
  })
})

describe('UDP', () => {
  const header = hex('0fa0 0007 001c beef')

  it('is read and written', () => {
    const { view } = memoryOf(header)
    expect(udp.sourcePort(view, 0)).toBe(4000)
    expect(udp.destinationPort(view, 0)).toBe(7)
    expect(udp.length(view, 0)).toBe(28)
    expect(udp.checksum(view, 0)).toBe(0xbeef)
    expect(written(8, (out, at) => udp.emit(out, at, 4000, 7, 28, 0xbeef))).toEqual(header)
    const largest = (out: DataView, at: number) => udp.emit(out, at, 65_535, 65_535, 65_535, 65_535)
    expect(written(8, largest)).toEqual(hex('ffff ffff ffff ffff'))
  })
})

describe('ICMP', () => {
  const echo = hex('08 00 0000 abcd 0102')

  it('is read and written', () => {
    const { view } = memoryOf(echo)
    expect(icmp.type(view, 0)).toBe(icmp.ECHO_REQUEST)
    expect(icmp.code(view, 0)).toBe(0)
    expect(icmp.identifier(view, 0)).toBe(0xabcd)
    expect(icmp.sequence(view, 0)).toBe(0x0102)
    expect(written(8, (out, at) => icmp.emit(out, at, icmp.ECHO_REQUEST, 0, 0xabcd0102))).toEqual(echo)
  })

  it('errors are told from other messages', () => {
    for (const type of [3, 4, 5, 11, 12]) expect(icmp.isError(type)).toBe(true)
    for (const type of [0, 8, 9, 10, 13, 14, 17, 18]) expect(icmp.isError(type)).toBe(false)
  })
})

describe('IGMP', () => {
  it('version 2 reports are written with their checksum', () => {
    const group = parseIpv4('239.1.2.3')
    expect(written(8, (view, at) => igmp.emit(view, at, igmp.V2_REPORT, group))).toEqual(hex('16 00 f8fa ef010203'))
  })

  it('version 3 reports are written', () => {
    const report = written(16, (view, at) => {
      igmp.emitV3Report(view, at, 1)
      igmp.emitRecord(view, at + 8, igmp.CHANGE_TO_EXCLUDE, parseIpv4('239.1.2.3'))
    })
    expect(report).toEqual(hex('22 00 0000 0000 0001 04 00 0000 ef010203'))
  })

  it('response codes are numbers below 128 and floating-point above (RFC 3376 section 4.1.1)', () => {
    expect(igmp.decodeResponseCode(0)).toBe(0)
    expect(igmp.decodeResponseCode(127)).toBe(127)
    expect(igmp.decodeResponseCode(128)).toBe(128)
    expect(igmp.decodeResponseCode(0x8f)).toBe(31 << 3)
    expect(igmp.decodeResponseCode(0xff)).toBe(31 << 10)
  })
})
