import type { DebugFramePool } from '@parakernel/hal'
import { type DatagramBurst, KEEP_FRAME, sgaFromBytes } from '@parakernel/queue'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../src/random.ts'
import {
  arpPacket,
  BROADCAST,
  CLIENT_MAC,
  ethernetFrame,
  hex,
  icmpMessage,
  ipv4Packet,
  slowChecksum,
  udpDatagram,
  udpFrame,
} from './support/frames.ts'
import { MILLISECOND, SECOND } from './support/machines.ts'
import { type Bench, counter, stackAndWire } from './support/wire.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'
const MUTATED = LONG ? 1_000_000 : 40_000
const ARBITRARY = LONG ? 100_000 : 10_000
const GROUP = '239.1.2.3'
const GROUP_MAC = '01:00:5e:01:02:03'

/** Valid frames of every kind that the stack knows, from which the mutated ones are made. */
function corpus(connectedPort: number): Uint8Array[] {
  const long = udpDatagram({ payload: new Uint8Array(3000) })
  const piece = (from: number, to: number, more: boolean) =>
    ethernetFrame(ipv4Packet(long.subarray(from, to), { identifier: 9, fragment: (from >> 3) | (more ? 0x2000 : 0) }))
  const ours = { source: '10.0.0.1', destination: '10.0.0.2', sourcePort: connectedPort, destinationPort: 9 }
  const quoted = ipv4Packet(udpDatagram(ours), ours)
  const icmp = (message: Uint8Array) => ethernetFrame(ipv4Packet(message, { protocol: 1 }))
  const them = { mac: CLIENT_MAC, address: '10.0.0.2' }
  const igmp = (message: Uint8Array, destination: string, to: string) =>
    ethernetFrame(ipv4Packet(message, { protocol: 2, destination, ttl: 1, options: hex('94040000') }), { to })
  return [
    udpFrame({ payload: hex('00112233445566778899') }),
    udpFrame({ payload: new Uint8Array(1400) }),
    udpFrame({ destinationPort: 8, payload: hex('aabb') }),
    udpFrame({ destinationPort: 99, payload: hex('aabb') }),
    udpFrame({ options: hex('01010100'), payload: hex('aabb') }),
    udpFrame({ options: hex('8307080a00000900'), payload: hex('aabb') }),
    udpFrame({ tag: 0, payload: hex('aabb') }),
    udpFrame({ destination: '10.0.0.255', to: BROADCAST, payload: hex('aabb') }),
    udpFrame({ destination: GROUP, destinationPort: 8, to: GROUP_MAC, payload: hex('aabb') }),
    udpFrame({ destinationPort: connectedPort, sourcePort: 9, payload: hex('cc') }),
    piece(0, 1480, true),
    piece(1480, 2960, true),
    piece(2960, 3008, false),
    icmp(icmpMessage(8, 0, 0x00010001, hex('0011223344'))),
    icmp(icmpMessage(0, 0, 0x00010001)),
    icmp(icmpMessage(3, 3, 0, quoted)),
    icmp(icmpMessage(3, 4, 1400, quoted)),
    icmp(icmpMessage(11, 1, 0, quoted)),
    icmp(icmpMessage(5, 1, 0x0a000003, quoted)),
    ethernetFrame(arpPacket(1, them, { address: '10.0.0.1' }), { to: BROADCAST, type: 0x0806 }),
    ethernetFrame(arpPacket(2, them, { address: '10.0.0.1' }), { type: 0x0806 }),
    ethernetFrame(arpPacket(1, them, { address: '10.0.0.2' }), { to: BROADCAST, type: 0x0806 }),
    igmp(hex('1164ee9b00000000'), '224.0.0.1', '01:00:5e:00:00:01'),
    igmp(hex('1164ec1e0000000002000000'), '224.0.0.1', '01:00:5e:00:00:01'),
    igmp(hex('1600f8faef010203'), GROUP, GROUP_MAC),
  ]
}

/** Makes the IPv4 header's checksum right again, so that a mutation behind it is reached. */
function repair(frame: Uint8Array): void {
  const at = frame[12] === 0x81 && frame[13] === 0 ? 18 : 14
  const header = (frame[at] & 15) * 4
  if (frame.length < at + 20 || header < 20 || frame.length < at + header) return
  frame[at + 10] = 0
  frame[at + 11] = 0
  const sum = slowChecksum(frame.subarray(at, at + header))
  frame[at + 10] = sum >> 8
  frame[at + 11] = sum & 255
}

const INTERESTING = [0, 1, 4, 5, 7, 8, 15, 16, 20, 28, 0x40, 0x45, 0x7f, 0x80, 0xfe, 0xff]

let bench: Bench
let frames: Uint8Array[]
const kept: number[] = []
/** What the application does from time to time: gives frames back, pops, redeems its tokens, pushes. */
let between = () => {}

/** A stack with a socket of every kind: one that serves and answers, one that pops, a connected one, a member of a group. */
beforeAll(async () => {
  bench = await stackAndWire(
    { reassemblyTimeout: 1000, receiveQueue: 8, icmpRate: 1e6, icmpBurst: 1e6, arpTries: 2, arpRetry: 1 },
    // A cable: a switch would learn from forged source addresses that the stack has moved.
    { topology: 'direct', frames: 512, deviceReserve: 64, nic: { checksumVerify: false, receiveSegmentation: true } },
  )
  const { libos, machine } = bench
  const { pool } = machine
  const [serving, popping, connected] = [libos.socket('datagram'), libos.socket('datagram'), libos.socket('datagram')]
  libos.bind(serving, { address: '0.0.0.0', port: 7 })
  libos.bind(popping, { address: '0.0.0.0', port: 8 })
  libos.joinGroup(popping, GROUP)
  libos.connect(connected, { address: '10.0.0.2', port: 9 })
  let turn = 0
  libos.serveDatagrams(serving, (burst: DatagramBurst) => {
    for (let i = 0; i < burst.count; i++) {
      const choice = turn++ % 4
      if (choice === 0) burst.reply[i] = Math.min(burst.length[i], burst.room[i])
      else if (choice === 1) burst.reply[i] = burst.room[i]
      else if (choice === 2 && kept.length < 32) {
        burst.reply[i] = KEEP_FRAME
        kept.push(burst.frame[i])
      }
    }
  })
  frames = corpus(libos.getsockname(connected).port)
  between = () => {
    for (const frame of kept.splice(0)) pool.release(frame)
    for (const qd of [popping, connected]) libos.pop(qd)
    for (let next = machine.runtime.waitNext(0); next !== undefined; next = machine.runtime.waitNext(0)) {
      if (next.kind === 'pop') next.sga.free()
    }
    const sga = sgaFromBytes(pool, hex('0102'))
    libos.pushTo(serving, sga, { address: `10.0.0.${2 + (turn % 200)}`, port: 9 })
    sga.free()
  }
})

afterAll(async () => {
  const { machines, machine, wire, libos } = bench
  for (const frame of kept) machine.pool.release(frame)
  machines.run(10 * SECOND)
  wire.receive()
  const { drop } = libos.statistics()
  console.log(
    `fuzz: drops by reason: ${JSON.stringify(Object.fromEntries(Object.entries(drop).filter(([, n]) => n > 0)))}`,
  )
  await libos.shutdown()
  for (let next = machine.runtime.waitNext(0); next !== undefined; next = machine.runtime.waitNext(0)) {
    if (next.kind === 'pop') next.sga.free()
  }
  await machines.close()
  expect((machine.pool as DebugFramePool).report()).toBe('')
  expect(machine.pool.available).toBe(machine.pool.frameCount)
  expect(machine.pool.misuses).toBe(0)
})

/** The stack still works: an echo of the plain kind comes back. */
function stillServes(): boolean {
  const { machines, wire } = bench
  for (let i = 0; i < 8; i++) {
    wire.receive()
    wire.send(udpFrame({ payload: hex('c0ffee') }))
    machines.run(MILLISECOND)
    for (const frame of kept.splice(0)) bench.machine.pool.release(frame)
    if (wire.receive().some(({ payload }) => payload[28] === 0xc0 && payload[30] === 0xee)) return true
  }
  return false
}

describe('the stack survives', () => {
  it(
    `${MUTATED} mutated frames: no exception, no lost frame`,
    () => {
      const { machines, wire, libos } = bench
      const random = seededRandom(LONG ? 20_261 : 4711)
      const below = (bound: number) => Math.floor((random.next() / 0x1_0000_0000) * bound)
      const before = counter(libos, 'ip.ipSystemStatsInReceives')
      for (let n = 0; n < MUTATED; n++) {
        const seed = frames[below(frames.length)]
        let frame = seed.slice()
        for (let m = below(4); m >= 0; m--) {
          const at = below(3) === 0 ? below(frame.length) : below(Math.min(frame.length, 62))
          const kind = below(6)
          if (kind === 0) frame[at] = below(256)
          else if (kind === 1) frame[at] ^= 1 << below(8)
          else if (kind === 2) frame[at] = INTERESTING[below(INTERESTING.length)]
          else if (kind === 3) frame = frame.slice(0, Math.max(1, at))
          else if (kind === 4) frame = Uint8Array.of(...frame.subarray(0, 400), ...new Uint8Array(below(40)))
          else {
            const other = frames[below(frames.length)]
            frame.set(
              other.subarray(at, Math.min(at + 1 + below(20), frame.length, other.length)),
              Math.min(at, other.length),
            )
          }
        }
        if (below(4) !== 0) repair(frame)
        // Frames that the NIC would filter out teach nothing: most keep an address that gets in.
        if (below(8) !== 0) frame.set(seed.subarray(0, Math.min(6, frame.length)))
        // A NIC sends nothing shorter than an Ethernet header.
        if (frame.length >= 14) wire.send(frame)
        if ((n & 15) === 0) machines.loop.runOnce()
        if ((n & 127) === 0) between()
        if ((n & 255) === 0) wire.receive()
        if ((n & 4095) === 0) machines.run(1100 * MILLISECOND)
      }
      machines.run(SECOND)
      expect(counter(libos, 'ip.ipSystemStatsInReceives') - before).toBeGreaterThan(MUTATED / 4)
      expect(stillServes()).toBe(true)
    },
    LONG ? 1_800_000 : 120_000,
  )

  it(
    `${ARBITRARY} arbitrary frames: no exception, no lost frame`,
    () => {
      const { machines, wire } = bench
      const address = fc.constantFrom(
        hex('020000000001020000000002'),
        hex('ffffffffffff020000000002'),
        hex('01005e010203020000000002'),
      )
      const type = fc.constantFrom(hex('0800'), hex('0806'), hex('81000000 0800'), hex('86dd'))
      const start = fc.constantFrom(
        hex(''),
        hex('45000028'),
        hex('4500001c00000000401100000a0000020a000001'),
        hex('00010800060400'),
      )
      const parts = fc.tuple(address, type, start, fc.uint8Array({ maxLength: 120 }), fc.boolean())
      let n = 0
      fc.assert(
        fc.property(parts, ([macs, etherType, head, rest, mend]) => {
          const frame = Uint8Array.of(...macs, ...etherType, ...head, ...rest)
          if (mend) repair(frame)
          wire.send(frame)
          machines.loop.runOnce()
          if ((++n & 127) === 0) {
            between()
            wire.receive()
          }
        }),
        { numRuns: ARBITRARY },
      )
      expect(stillServes()).toBe(true)
    },
    LONG ? 600_000 : 120_000,
  )
})
