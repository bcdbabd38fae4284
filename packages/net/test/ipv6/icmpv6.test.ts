import { describe, expect, it } from 'vitest'
import { icmpv6Checksum, isChecksumRight } from '../../src/icmpv6/checksum.ts'
import { mayReport } from '../../src/icmpv6/error-policy.ts'
import { Quotation6, readQuotation6 } from '../../src/icmpv6/quotation.ts'
import * as icmpv6 from '../../src/icmpv6/wire.ts'
import { formatIp, parseIpv6 } from '../../src/ipv6/address.ts'
import {
  fragmentHeader,
  HOST,
  type Ipv6Fields,
  icmpv6Message,
  ipv6Packet,
  memoryAt,
  optionsHeader,
  PEER,
  udp6,
} from './support/frames6.ts'

const udp = new Uint8Array(8)
const pad6 = [1, 4, 0, 0, 0, 0]

describe('ICMPv6 messages', () => {
  it('have a checksum over the pseudo-header (RFC 4443 section 2.3)', () => {
    const message = icmpv6Message(128, 0, [0, 1, 0, 2, 9, 9, 9])
    const memory = memoryAt(ipv6Packet(message, { nextHeader: 58 }))
    expect(isChecksumRight(memory, 0, 40, message.length)).toBe(true)
    const right = icmpv6.checksum(memory.view, 40)
    icmpv6.setChecksum(memory.view, 40, 0)
    expect(icmpv6Checksum(memory, 40, message.length, parseIpv6(PEER), parseIpv6(HOST))).toBe(right)
    icmpv6.setChecksum(memory.view, 40, right ^ 1)
    expect(isChecksumRight(memory, 0, 40, message.length)).toBe(false)
  })

  it('are written as they are read', () => {
    const memory = memoryAt(new Uint8Array(8))
    icmpv6.emit(memory.view, 0, icmpv6.PACKET_TOO_BIG, 0, 1400)
    expect([...memory.bytes.slice(0, 8)]).toEqual([2, 0, 0, 0, 0, 0, 5, 0x78])
    expect([icmpv6.type(memory.view, 0), icmpv6.mtu(memory.view, 0)]).toEqual([2, 1400])
    expect([1, 2, 3, 4, 100, 127].every(icmpv6.isError)).toBe(true)
    expect([128, 129, 143, 255].some(icmpv6.isError)).toBe(false)
  })
})

describe('errors (RFC 4443 section 2.4 e)', () => {
  const may = (payload: Uint8Array, fields: Ipv6Fields = {}, { linkGroup = false, evenToGroup = false } = {}) => {
    const packet = ipv6Packet(payload, fields)
    return mayReport(memoryAt(packet, 1).view, 1, packet.length, linkGroup, evenToGroup)
  }

  it('answer packets of single hosts', () => {
    expect(may(udp)).toBe(true)
    expect(may(udp, { nextHeader: 250 })).toBe(true)
    for (const source of ['::', 'ff02::1', '::1', '::ffff:10.0.0.1']) expect(may(udp, { source }), source).toBe(false)
  })

  it('do not answer what went to groups, but for two kinds', () => {
    expect(may(udp, { destination: 'ff02::1' })).toBe(false)
    expect(may(udp, {}, { linkGroup: true })).toBe(false)
    expect(may(udp, { destination: 'ff02::1' }, { linkGroup: true, evenToGroup: true })).toBe(true)
  })

  it('do not answer errors and redirects, even behind extension headers', () => {
    const of = (type: number, fields: Ipv6Fields = {}) =>
      may(Uint8Array.of(type, 0, 0, 0, 0, 0, 0, 0), { nextHeader: 58, ...fields })
    expect([1, 2, 3, 4, 127, 137].some((type) => of(type))).toBe(false)
    expect([128, 129, 135, 200].every((type) => of(type))).toBe(true)
    const hidden = Uint8Array.of(...optionsHeader(58, pad6), 1, 0, 0, 0, 0, 0, 0, 0)
    expect(may(hidden, { nextHeader: 60 })).toBe(false)
    expect(may(hidden.subarray(0, 8), { nextHeader: 60 })).toBe(false)
    expect(may(new Uint8Array(0), { nextHeader: 58 })).toBe(false)
  })

  it('answer later fragments unless they may be of an error', () => {
    expect(may(Uint8Array.of(...fragmentHeader(17, 8, false, 1), ...udp), { nextHeader: 44 })).toBe(true)
    expect(may(Uint8Array.of(...fragmentHeader(58, 8, false, 1), ...udp), { nextHeader: 44 })).toBe(false)
    expect(may(Uint8Array.of(...fragmentHeader(58, 0, true, 1), 128, 0, 0, 0, 0, 0, 0, 0), { nextHeader: 44 })).toBe(
      true,
    )
  })
})

describe('quotations', () => {
  const read = (packet: Uint8Array, length = packet.length) => {
    const quotation = new Quotation6()
    return readQuotation6(memoryAt(packet, 3).view, 3, length, quotation) ? quotation : undefined
  }

  it('tell whose packet it was', () => {
    const packet = ipv6Packet(udp6(new Uint8Array(30)))
    const quotation = read(packet, 48)
    expect(quotation).toMatchObject({ protocol: 17, length: 78, transport: 43, end: 51 })
    expect(formatIp(quotation?.source ?? parseIpv6('::'))).toBe(PEER)
    expect(formatIp(quotation?.destination ?? parseIpv6('::'))).toBe(HOST)
  })

  it('are read past extension headers', () => {
    const packet = ipv6Packet(Uint8Array.of(...fragmentHeader(60, 0, true, 1), ...optionsHeader(17, pad6), ...udp), {
      nextHeader: 44,
    })
    expect(read(packet)).toMatchObject({ protocol: 17, transport: 59 })
  })

  it('that are cut off, of a later fragment, or of another version tell nothing', () => {
    const packet = ipv6Packet(udp)
    expect(read(packet, 47)).toBeUndefined()
    expect(read(ipv6Packet(udp, { firstByte: 0x45 }))).toBeUndefined()
    expect(
      read(ipv6Packet(Uint8Array.of(...fragmentHeader(17, 8, true, 1), ...udp), { nextHeader: 44 })),
    ).toBeUndefined()
    expect(read(ipv6Packet(Uint8Array.of(17, 200, ...pad6, ...udp), { nextHeader: 60 }))).toBeUndefined()
  })
})
