import {
  BPF_MAP_TYPE_XSKMAP,
  BPF_PROG_TYPE_XDP,
  closeDescriptors,
  createBpfMap,
  loadBpfProgram,
  missingCapabilities,
  runBpfProgram,
  XDP_DROP,
  XDP_PASS,
} from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFilterMap } from '../src/control/interface-filter.ts'
import { parseTakeRules, type TakeOptions, xdpProgram } from '../src/index.ts'
import { arpPacket, ipv4Packet, ipv6Packet, withVlan } from './packets.ts'

/** The verdict for a frame that the rules take: no socket is in the map, so the program answers its `withoutSocket`. */
const TAKEN = XDP_DROP
const OURS = '10.0.0.1'
const QUEUES = 4
const OTHER = '10.0.0.9'

let open: number[] = []
afterEach(() => {
  closeDescriptors(...open)
  open = []
})

function program(options: TakeOptions): (packet: Uint8Array) => number {
  const map = createBpfMap({ type: BPF_MAP_TYPE_XSKMAP, valueSize: 4, entries: QUEUES, name: 'pk_test' })
  const filter = createFilterMap(QUEUES)
  const maps = { sockets: map, filter, queues: QUEUES }
  const code = xdpProgram(parseTakeRules(options, 'test'), maps, XDP_DROP)
  const descriptor = loadBpfProgram({ type: BPF_PROG_TYPE_XDP, code, name: 'pk_test' })
  open.push(map, filter, descriptor)
  return (packet) => runBpfProgram(descriptor, packet)
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
    expect(rules.ipv6.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual([
      '00000000000000000000000000000001',
      'ff0200000000000000000001ff000001',
      '00010002000000000000000000000003',
      'ff0200000000000000000001ff000003',
      'ff0200000000000000000000000000fb',
    ])
  })
})
