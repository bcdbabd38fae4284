import {
  BPF_MAP_TYPE_XSKMAP,
  BPF_PROG_TYPE_XDP,
  closeDescriptors,
  createBpfMap,
  loadBpfProgram,
  type Mapping,
  mapDescriptor,
  missingCapabilities,
  runBpfProgram,
  XDP_DROP,
  XDP_PASS,
} from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFilterMap } from '../src/control/interface-filter.ts'
import { parseTakeRules, type TakeOptions, xdpProgram } from '../src/index.ts'
import { FilterTable, filterTableBytes, packAddress } from '../src/steering/filter-table.ts'
import { arpPacket, ipv4Packet, ipv6Packet, withVlan } from './packets.ts'

/** The verdict for a frame that the rules take: no socket is in the map, so the program answers its `withoutSocket`. */
const TAKEN = XDP_DROP
const OURS = '10.0.0.1'
const QUEUES = 4
const OTHER = '10.0.0.9'

let open: number[] = []
let mappings: Mapping[] = []
afterEach(() => {
  closeDescriptors(...open)
  for (const mapping of mappings) mapping.unmap()
  open = []
  mappings = []
})

function program(options: TakeOptions): (packet: Uint8Array) => number {
  return programAndFilter(options).verdict
}

function programAndFilter(options: TakeOptions, queues = QUEUES) {
  const map = createBpfMap({ type: BPF_MAP_TYPE_XSKMAP, valueSize: 4, entries: queues, name: 'pk_test' })
  const filter = createFilterMap(queues)
  const maps = { sockets: map, filter, queues }
  const code = xdpProgram(parseTakeRules(options, 'test'), maps, new Map(), XDP_DROP)
  const descriptor = loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code, name: 'pk_test' })
  open.push(map, filter, descriptor)
  const mapping = mapDescriptor(filter, 0, filterTableBytes(queues), 'test')
  mappings.push(mapping)
  return {
    verdict: (packet: Uint8Array) => runBpfProgram(descriptor, packet),
    table: new FilterTable(mapping.buffer, queues),
  }
}

describe('the XDP program', () => {
  beforeEach((context) => {
    const missing = process.platform === 'linux' ? missingCapabilities('CAP_BPF', 'CAP_NET_ADMIN') : ['Linux']
    if (missing.length > 0) context.skip(`needs ${missing.join(', ')}`)
  })

  test('takes the IPv4 traffic of its addresses and no other', () => {
    const verdict = program({ addresses: [OURS, '10.0.0.2'] })
    expect(verdict(ipv4Packet({ destination: OURS }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destination: '10.0.0.2', protocol: 6 }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destination: OURS, fragmentOffset: 100 }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destination: OTHER, source: OURS }))).toBe(XDP_PASS)
    expect(verdict(ipv4Packet({ destination: '10.0.0.255' }))).toBe(XDP_PASS)
  })

  test('takes the broadcast of a subnet that is given', () => {
    const verdict = program({ addresses: ['10.0.1.1/23'] })
    expect(verdict(ipv4Packet({ destination: '10.0.1.255' }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destination: '10.0.0.255' }))).toBe(XDP_PASS)
  })

  test('takes ARP that asks for, answers to, or claims its addresses', () => {
    const verdict = program({ addresses: [OURS] })
    expect(verdict(arpPacket({ sender: OTHER, target: OURS }))).toBe(TAKEN)
    expect(verdict(arpPacket({ sender: OURS, target: OURS }))).toBe(TAKEN)
    expect(verdict(arpPacket({ sender: OURS, target: OTHER }))).toBe(TAKEN)
    expect(verdict(arpPacket({ sender: OTHER, target: '10.0.0.8' }))).toBe(XDP_PASS)
  })

  test('takes IPv6 traffic and neighbour solicitations', () => {
    const verdict = program({ addresses: ['fd00::12:3456/64'] })
    expect(verdict(ipv6Packet({ destination: 'fd00::12:3456' }))).toBe(TAKEN)
    expect(verdict(ipv6Packet({ destination: 'ff02::1:ff12:3456', protocol: 58 }))).toBe(TAKEN)
    expect(verdict(ipv6Packet({ destination: 'fd00::12:3457' }))).toBe(XDP_PASS)
    expect(verdict(ipv6Packet({ destination: 'ff02::1', protocol: 58 }))).toBe(XDP_PASS)
    expect(verdict(ipv4Packet({ destination: OURS }))).toBe(XDP_PASS)
  })

  test('takes ports at any address, behind IPv4 options too, but no later fragments', () => {
    const verdict = program({ ports: ['udp/9000-9003', 'tcp/80'] })
    for (const port of [9000, 9002, 9003]) expect(verdict(ipv4Packet({ destinationPort: port }))).toBe(TAKEN)
    for (const port of [8999, 9004, 80, 0x2823]) expect(verdict(ipv4Packet({ destinationPort: port }))).toBe(XDP_PASS)
    expect(verdict(ipv4Packet({ protocol: 6, destinationPort: 80 }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ protocol: 6, destinationPort: 9000 }))).toBe(XDP_PASS)
    expect(verdict(ipv4Packet({ protocol: 1, destinationPort: 9000 }))).toBe(XDP_PASS)
    expect(verdict(ipv4Packet({ destinationPort: 9001, optionWords: 10 }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destinationPort: 9001, fragmentOffset: 1 }))).toBe(XDP_PASS)
    expect(verdict(ipv4Packet({ destinationPort: 9001, moreFragments: true }))).toBe(TAKEN)
    expect(verdict(ipv6Packet({ destinationPort: 9001 }))).toBe(TAKEN)
    expect(verdict(ipv6Packet({ destinationPort: 80 }))).toBe(XDP_PASS)
    expect(verdict(arpPacket({ sender: OTHER, target: OURS }))).toBe(XDP_PASS)
  })

  test('looks through one VLAN tag', () => {
    const verdict = program({ addresses: [OURS], ports: ['udp/9000'] })
    expect(verdict(withVlan(ipv4Packet({ destination: OURS })))).toBe(TAKEN)
    expect(verdict(withVlan(ipv4Packet({ destination: OTHER, destinationPort: 9000 })))).toBe(TAKEN)
    expect(verdict(withVlan(arpPacket({ sender: OTHER, target: OURS })))).toBe(TAKEN)
    expect(verdict(withVlan(ipv4Packet({ destination: OTHER })))).toBe(XDP_PASS)
    expect(verdict(withVlan(withVlan(ipv4Packet({ destination: OURS }))))).toBe(XDP_PASS)
  })

  test('leaves what is cut short to the kernel, at every length', () => {
    const verdict = program({ addresses: [OURS, 'fd00::1'], ports: ['udp/9000'] })
    for (const packet of [
      ipv4Packet({ destination: OTHER, destinationPort: 9000, optionWords: 3 }),
      ipv6Packet({ destination: 'fd00::2', destinationPort: 9000 }),
      arpPacket({ sender: OTHER, target: OURS }),
      withVlan(ipv4Packet({ destination: OURS })),
    ]) {
      const whole = verdict(packet)
      expect(whole).toBe(TAKEN)
      let changes = 0
      for (let length = packet.length, last = whole; length >= 14; length--) {
        const now = verdict(packet.subarray(0, length).slice())
        expect([TAKEN, XDP_PASS]).toContain(now)
        if (now !== last) changes++
        last = now
      }
      expect(changes).toBe(1)
    }
  })

  test('takes everything when it is told to', () => {
    const verdict = program({ take: 'all' })
    expect(verdict(new Uint8Array(14))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destination: OTHER }))).toBe(TAKEN)
  })

  test('takes the limited broadcast for a subnet that is given, and leaves DHCP to the kernel', () => {
    const broadcast = (fields: object) => ipv4Packet({ destination: '255.255.255.255', ...fields })
    const verdict = program({ addresses: ['10.0.0.1/24'] })
    expect(verdict(broadcast({ destinationPort: 9 }))).toBe(TAKEN)
    expect(verdict(broadcast({ destinationPort: 68, protocol: 6 }))).toBe(TAKEN)
    expect(verdict(broadcast({ destinationPort: 67 }))).toBe(XDP_PASS)
    expect(verdict(broadcast({ destinationPort: 68 }))).toBe(XDP_PASS)
    expect(verdict(withVlan(broadcast({ destinationPort: 68 })))).toBe(XDP_PASS)
    const everything = program({ addresses: ['10.0.0.1/24', '255.255.255.255'] })
    expect(everything(broadcast({ destinationPort: 68 }))).toBe(TAKEN)
    const none = program({ addresses: ['10.0.0.1'] })
    expect(none(broadcast({ destinationPort: 9 }))).toBe(XDP_PASS)
    const ports = program({ addresses: ['10.0.0.1'], ports: ['udp/68'] })
    expect(ports(broadcast({ destinationPort: 68 }))).toBe(TAKEN)
  })

  test('is accepted by the verifier with 64 addresses and 32 port ranges', () => {
    const addresses = Array.from({ length: 32 }, (_, i) => [`10.1.${i}.1/24`, `fd00::${i}:1`]).flat()
    const ports = Array.from({ length: 32 }, (_, i) => `udp/${1000 + i * 10}-${1005 + i * 10}`)
    const verdict = program({ addresses, ports })
    expect(verdict(ipv4Packet({ destination: '10.1.31.1' }))).toBe(TAKEN)
    expect(verdict(ipv6Packet({ destination: 'fd00::1f:1' }))).toBe(XDP_PASS)
    expect(verdict(ipv6Packet({ destination: 'fd00::31:1' }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destinationPort: 1315 }))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destinationPort: 1316 }))).toBe(XDP_PASS)
  })
})

describe('the receive filter of the XDP program', () => {
  beforeEach((context) => {
    const missing = process.platform === 'linux' ? missingCapabilities('CAP_BPF', 'CAP_NET_ADMIN') : ['Linux']
    if (missing.length > 0) context.skip(`needs ${missing.join(', ')}`)
  })

  const MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x81)
  const STRANGER = Uint8Array.of(2, 0, 0, 0, 1, 0x81)
  const GROUP = Uint8Array.of(1, 0, 0x5e, 0x7f, 0, 1)
  const OTHER_GROUP = Uint8Array.of(1, 0, 0x5e, 0x7f, 0, 2)
  const to = (mac: Uint8Array, packet = ipv4Packet({ destination: OURS })) => {
    const copy = packet.slice()
    copy.set(mac)
    return copy
  }
  const elsewhere = (mac: Uint8Array) => to(mac, ipv4Packet({ destination: OTHER }))

  test('lets the own address and broadcast pass, and counts what the rules name beyond', () => {
    const { verdict, table } = programAndFilter({ addresses: [OURS] })
    table.setOwnAddress(MAC)
    expect(verdict(to(MAC))).toBe(TAKEN)
    expect(verdict(ipv4Packet({ destination: OURS }))).toBe(TAKEN)
    expect(table.leftOut(0)).toBe(0)
    expect(verdict(to(STRANGER))).toBe(XDP_PASS)
    expect(verdict(to(GROUP))).toBe(XDP_PASS)
    expect(table.leftOut(0)).toBe(2)
    // What the rules do not name is the kernel's anyway, and counted by nobody.
    expect(verdict(elsewhere(STRANGER))).toBe(XDP_PASS)
    expect(verdict(elsewhere(MAC))).toBe(XDP_PASS)
    expect(table.leftOut(0)).toBe(2)
  })

  test('applies to take: all too', () => {
    const { verdict, table } = programAndFilter({ take: 'all' })
    table.setOwnAddress(MAC)
    expect([to(MAC), to(STRANGER), to(GROUP)].map(verdict)).toEqual([TAKEN, XDP_PASS, XDP_PASS])
    table.share(2).promiscuous = true
    expect([to(MAC), to(STRANGER), to(GROUP)].map(verdict)).toEqual([TAKEN, TAKEN, TAKEN])
    table.share(2).promiscuous = false
    expect(verdict(to(STRANGER))).toBe(XDP_PASS)
    expect(table.leftOut(0)).toBe(3)
  })

  test('takes a group that any queue asks for, whatever the rules say', () => {
    const { verdict, table } = programAndFilter({ addresses: [OURS] })
    for (const queue of [1, 3]) table.share(queue).add(packAddress(GROUP))
    expect(verdict(elsewhere(GROUP))).toBe(TAKEN)
    expect(verdict(elsewhere(OTHER_GROUP))).toBe(XDP_PASS)
    table.share(1).remove(packAddress(GROUP))
    expect(verdict(elsewhere(GROUP))).toBe(TAKEN)
    table.share(3).remove(packAddress(GROUP))
    expect(verdict(elsewhere(GROUP))).toBe(XDP_PASS)
    table.share(0).allGroups = true
    expect(verdict(elsewhere(OTHER_GROUP))).toBe(TAKEN)
    expect(verdict(elsewhere(STRANGER))).toBe(XDP_PASS)
  })

  test("a promiscuous holder still gets what the rules name, not what is the kernel's", () => {
    const { verdict, table } = programAndFilter({ addresses: [OURS] })
    table.setOwnAddress(MAC)
    table.share(1).promiscuous = true
    expect([to(STRANGER), to(GROUP)].map(verdict)).toEqual([TAKEN, TAKEN])
    expect([elsewhere(STRANGER), elsewhere(MAC)].map(verdict)).toEqual([XDP_PASS, XDP_PASS])
  })

  test('lets groups pass that the rules list, for those addresses', () => {
    const { verdict } = programAndFilter({ addresses: [OURS, '239.127.0.1'] })
    expect(verdict(to(GROUP, ipv4Packet({ destination: '239.127.0.1' })))).toBe(TAKEN)
    // The same Ethernet address, another group (RFC 1112 section 6.4).
    expect(verdict(to(GROUP, ipv4Packet({ destination: '239.255.0.1' })))).toBe(XDP_PASS)
    expect(verdict(to(OTHER_GROUP, ipv4Packet({ destination: '239.127.0.1' })))).toBe(XDP_PASS)
  })

  test('is accepted by the verifier for 256 queues, and finds what the last one asks for', () => {
    const { verdict, table } = programAndFilter({ addresses: [OURS] }, 256)
    table.share(255).add(packAddress(GROUP))
    expect(verdict(elsewhere(GROUP))).toBe(TAKEN)
    table.share(254).promiscuous = true
    expect(verdict(to(STRANGER))).toBe(TAKEN)
  })
})

describe('take rules', () => {
  test.each([
    [{ addresses: ['10.0.0'] }],
    [{ addresses: ['10.0.0.256'] }],
    [{ addresses: ['10.0.0.1/33'] }],
    [{ addresses: ['10.0.0.1/'] }],
    [{ addresses: ['fd00:::1'] }],
    [{ addresses: ['1:2:3:4:5:6:7'] }],
    [{ addresses: ['1:2:3:4:5:6:7:8:9'] }],
    [{ addresses: ['fd00::g'] }],
    [{ addresses: [''] }],
    [{ ports: ['9000'] }],
    [{ ports: ['udp/0'] }],
    [{ ports: ['udp/70000'] }],
    [{ ports: ['udp/20-10'] }],
    [{ ports: ['sctp/80'] }],
  ] as [TakeOptions][])('%j is EINVAL and names the option and a good form', (options) => {
    expect(() => parseTakeRules(options, 'veth0')).toThrow(
      expect.objectContaining({
        code: 'EINVAL',
        subject: Object.keys(options)[0],
        remedy: expect.stringContaining('as in'),
      }),
    )
  })

  test('nothing at all is EINVAL that says what can be given', () => {
    expect(() => parseTakeRules({}, 'veth0')).toThrow(
      expect.objectContaining({ code: 'EINVAL', subject: 'veth0', remedy: expect.stringContaining('addresses') }),
    )
  })

  test('addresses become bytes', () => {
    const rules = parseTakeRules({ addresses: ['192.168.7.1/20', '::1', '1:2::3', 'ff02::fb'] }, 'test')
    expect(rules.ipv4.map((bytes) => bytes.join('.'))).toEqual(['192.168.7.1', '192.168.15.255'])
    expect(rules.limitedBroadcast).toBe(true)
    expect(rules.groups.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual([
      '3333ff000001',
      '3333ff000003',
      '3333000000fb',
    ])
    expect(rules.ipv6.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual([
      '00000000000000000000000000000001',
      'ff0200000000000000000001ff000001',
      '00010002000000000000000000000003',
      'ff0200000000000000000001ff000003',
      'ff0200000000000000000000000000fb',
    ])
  })
})
