import type { DebugFramePool } from '@parakernel/hal'
import { type DatagramBurst, KEEP_FRAME, sgaFromBytes } from '@parakernel/queue'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { seededRandom } from '../../src/random.ts'
import { hex } from '../support/frames.ts'
import { MILLISECOND, SECOND } from '../support/machines.ts'
import { type Bench, counter, stackAndWire } from '../support/wire.ts'
import {
  addressBytes,
  checksum6,
  concat,
  fragmentHeader,
  frame6,
  HOST,
  type Ipv6Fields,
  ipv6Packet,
  linkLayerOption,
  optionsHeader,
  PEER,
  textAt,
  u16,
  u32,
  udp6,
} from './support/frames6.ts'
import { advertisement, CLIENT_MAC, icmpPacket, PEER_LOCAL, solicitation } from './support/host6.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'
const MUTATED = LONG ? 1_000_000 : 40_000
const GROUP = 'ff15::7'
const GROUP_MAC = '33:33:00:00:00:07'
const ALL_NODES = { to: '33:33:00:00:00:01' }
const ALERT = [5, 2, 0, 0, 1, 0]
const slla = linkLayerOption(1, CLIENT_MAC)

/** Valid frames of every kind that the stack knows, from which the mutated ones are made. */
function corpus(connectedPort: number): Uint8Array[] {
  const udp = (bytes: number, fields: Ipv6Fields & { sourcePort?: number; destinationPort?: number } = {}) =>
    ipv6Packet(udp6(new Uint8Array(bytes).fill(0x5a), fields), fields)
  const long = udp6(new Uint8Array(3000))
  const piece = (from: number, to: number, id = 9) =>
    ipv6Packet(concat(fragmentHeader(17, from, to < long.length, id), long.slice(from, to)), { nextHeader: 44 })
  const ours = { source: HOST, destination: PEER, sourcePort: connectedPort, destinationPort: 9 }
  const quoted = udp(40, ours)
  const error = (type: number, code: number, rest: number) =>
    icmpPacket(type, code, concat(u32(rest), quoted), { source: '2001:db8::fe' })
  const discovery = { source: PEER_LOCAL, destination: 'ff02::1', hopLimit: 255 }
  const prefix = concat([3, 4, 64, 0xc0], u32(9000), u32(9000), u32(0), addressBytes('2001:db8:1::'))
  const route = concat([24, 2, 48, 0x08], u32(900), addressBytes('2001:db8:9::').subarray(0, 8))
  const rdnss = concat([25, 3, 0, 0], u32(900), addressBytes('2001:db8::53'))
  const dnssl = concat([31, 2, 0, 0], u32(900), [3, 108, 97, 98, 0, 0, 0, 0])
  const router = concat(
    [64, 0],
    u16(1800),
    u32(30_000),
    u32(1000),
    slla,
    [5, 1, 0, 0],
    u32(1400),
    prefix,
    route,
    rdnss,
    dnssl,
  )
  const listener = (type: number, body: Uint8Array) => {
    const message = concat([type, 0, 0, 0], body)
    const sum = checksum6(message, 58, PEER_LOCAL, 'ff02::1')
    message.set(u16(sum), 2)
    const fields = { nextHeader: 0, source: PEER_LOCAL, destination: 'ff02::1', hopLimit: 1 }
    return frame6(ipv6Packet(concat(optionsHeader(58, ALERT), message), fields), ALL_NODES)
  }
  const query = (group: string, rest: Uint8Array | number[]) => concat(u16(100), u16(0), addressBytes(group), rest)
  const tcp = concat(u16(4000), u16(80), u32(1), u32(0), [0x50, 2], u16(1000), u16(0), u16(0))
  return [
    frame6(udp(10)),
    frame6(udp(1400)),
    frame6(udp(2, { destinationPort: 8 })),
    frame6(udp(2, { destinationPort: 99 })),
    frame6(udp(2, { destinationPort: connectedPort, sourcePort: 9 })),
    frame6(udp(2, { destinationPort: 8, destination: GROUP }), { to: GROUP_MAC }),
    frame6(
      ipv6Packet(concat(optionsHeader(60, ALERT), optionsHeader(17, [0x1e, 4, 1, 2, 3, 4]), udp6(new Uint8Array(4))), {
        nextHeader: 0,
      }),
    ),
    frame6(ipv6Packet(concat([17, 0, 3, 0, 0, 0, 0, 0], udp6(new Uint8Array(4))), { nextHeader: 43 })),
    frame6(ipv6Packet(concat(optionsHeader(17, [0x9e, 4, 0, 0, 0, 0])), { nextHeader: 60 })),
    frame6(piece(0, 1400)),
    frame6(piece(1400, 2800)),
    frame6(piece(2800, 3008)),
    frame6(ipv6Packet(concat(fragmentHeader(17, 0, false, 3), udp6(new Uint8Array(4))), { nextHeader: 44 })),
    frame6(ipv6Packet(tcp, { nextHeader: 6 })),
    frame6(icmpPacket(128, 0, [0, 1, 0, 1, 9, 9, 9, 9])),
    frame6(icmpPacket(128, 0, [0, 1, 0, 1], { destination: 'ff02::1', source: PEER_LOCAL }), ALL_NODES),
    frame6(icmpPacket(129, 0, [0, 1, 0, 1])),
    frame6(error(1, 4, 0)),
    frame6(error(2, 0, 1300)),
    frame6(error(3, 1, 0)),
    frame6(error(4, 1, 6)),
    frame6(solicitation(HOST)),
    frame6(solicitation(HOST, { source: '::', destination: 'ff02::1:ff00:1' }, concat([14, 1, 1, 2, 3, 4, 5, 6])), {
      to: '33:33:ff:00:00:01',
    }),
    frame6(advertisement(PEER, 0x6000_0000)),
    frame6(advertisement('2001:db8::99', 0x2000_0000, { destination: 'ff02::1' }), ALL_NODES),
    frame6(icmpPacket(133, 0, concat(u32(0), slla), { ...discovery, destination: 'ff02::2' }), ALL_NODES),
    frame6(icmpPacket(134, 0, router, discovery), ALL_NODES),
    frame6(
      icmpPacket(137, 0, concat(u32(0), addressBytes('fe80::33'), addressBytes('2001:db8:ffff::9')), {
        ...discovery,
        destination: HOST,
      }),
    ),
    listener(130, query('::', [])),
    listener(130, query('::', [2, 125, 0, 0])),
    listener(130, query(GROUP, concat([2, 125, 0, 1], addressBytes(PEER)))),
    listener(131, query(GROUP, [])),
    listener(143, concat(u32(1), [4, 0, 0, 0], addressBytes(GROUP))),
  ]
}

/**
 * Makes the checksum of UDP or ICMPv6 right again, behind whatever headers, so that a mutation behind it is reached.
 */
function repair(frame: Uint8Array): void {
  const end = Math.min(frame.length, 54 + ((frame[18] << 8) | frame[19]))
  let next = frame[20]
  let at = 54
  for (let n = 0; n < 4 && (next === 0 || next === 60 || next === 43) && at + 8 <= end; n++) {
    next = frame[at]
    at += (frame[at + 1] + 1) * 8
  }
  const field = next === 58 ? 2 : next === 17 ? 6 : -1
  if (field < 0 || at + 8 > end) return
  frame.set([0, 0], at + field)
  const sum = checksum6(frame.subarray(at, end), next, textAt(frame, 22), textAt(frame, 38))
  frame.set(u16(sum === 0 && next === 17 ? 0xffff : sum), at + field)
}

const INTERESTING = [0, 1, 6, 7, 8, 17, 40, 43, 44, 58, 59, 60, 0x60, 0x7f, 0x80, 0xfe, 0xff]

let bench: Bench
let frames: Uint8Array[]
const kept: number[] = []
/** What the application does from time to time: gives frames back, pops, redeems its tokens, pushes, pings. */
let between = () => {}

/**
 * A stack with a socket of every kind: one that serves and answers, one that pops, a connected one, a member of a
 * group.
 */
beforeAll(async () => {
  bench = await stackAndWire(
    {
      ...{ ipv6: 'auto', addresses: [`${HOST}/64`], temporaryAddresses: true, addressSecret: 'fuzz' },
      ...{ reassemblyTimeout: 1000, receiveQueue: 8, icmpRate: 1e6, icmpBurst: 1e6, ndFailed: 10, ndEntries: 64 },
    },
    { topology: 'direct', frames: 512, deviceReserve: 64, nic: { checksumVerify: false, receiveSegmentation: true } },
  )
  const { libos, machine, machines } = bench
  machines.run(3 * SECOND)
  const { pool } = machine
  const [serving, popping, connected] = [0, 1, 2].map(() => libos.socket('datagram', 'ipv6'))
  libos.bind(serving, { address: '::', port: 7 })
  libos.bind(popping, { address: '::', port: 8 })
  libos.joinGroup(popping, GROUP)
  libos.connect(connected, { address: PEER, port: 9 })
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
    libos.pushTo(serving, sga, { address: `2001:db8::${(2 + (turn % 200)).toString(16)}`, port: 9 })
    sga.free()
    void libos.ping(`2001:db8:ffff::${(turn % 99).toString(16)}`, { timeout: SECOND })
  }
})

afterAll(async () => {
  const { machines, machine, wire, libos } = bench
  for (const frame of kept) machine.pool.release(frame)
  machines.run(10 * SECOND)
  wire.receive()
  const { drop } = libos.statistics()
  const seen = Object.entries(drop).filter(([, n]) => n > 0)
  console.log(`fuzz: drops by reason: ${JSON.stringify(Object.fromEntries(seen))}`)
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
    // The peer says where it lives, as it would if it were asked.
    wire.send(frame6(solicitation(HOST, { source: PEER })))
    wire.send(frame6(ipv6Packet(udp6(hex('c0ffee')))))
    machines.run(MILLISECOND)
    for (const frame of kept.splice(0)) bench.machine.pool.release(frame)
    if (wire.receive().some(({ payload }) => payload[48] === 0xc0 && payload[50] === 0xee)) return true
  }
  return false
}

it(
  `${MUTATED} mutated frames of IPv6: no exception, no lost frame, tables bounded`,
  () => {
    const { machines, wire, libos } = bench
    const random = seededRandom(LONG ? 20_261 : 4711)
    const below = (bound: number) => Math.floor((random.next() / 0x1_0000_0000) * bound)
    const before = counter(libos, 'ip6.ipSystemStatsInReceives')
    for (let n = 0; n < MUTATED; n++) {
      const seed = frames[below(frames.length)]
      let frame = seed.slice()
      for (let m = below(4); m >= 0; m--) {
        const at = below(3) === 0 ? below(frame.length) : below(Math.min(frame.length, 110))
        const kind = below(6)
        if (kind === 0) frame[at] = below(256)
        else if (kind === 1) frame[at] ^= 1 << below(8)
        else if (kind === 2) frame[at] = INTERESTING[below(INTERESTING.length)]
        else if (kind === 3) frame = frame.slice(0, Math.max(1, at))
        else if (kind === 4) frame = Uint8Array.of(...frame.subarray(0, 400), ...new Uint8Array(below(40)))
        else {
          const other = frames[below(frames.length)]
          const piece = other.subarray(at, Math.min(at + 1 + below(24), frame.length, other.length))
          frame.set(piece, Math.min(at, other.length))
        }
      }
      // Most say how long they are, and have the right checksum and an address that gets in.
      if (below(4) !== 0 && frame.length >= 54) frame.set(u16(frame.length - 54), 18)
      if (below(4) !== 0 && frame.length >= 62) repair(frame)
      if (below(8) !== 0) frame.set(seed.subarray(0, Math.min(6, frame.length)))
      if (frame.length >= 14) wire.send(frame)
      if ((n & 15) === 0) machines.loop.runOnce()
      if ((n & 127) === 0) between()
      if ((n & 255) === 0) wire.receive()
      if ((n & 4095) === 0) machines.run(1100 * MILLISECOND)
    }
    machines.run(SECOND)
    expect(counter(libos, 'ip6.ipSystemStatsInReceives') - before).toBeGreaterThan(MUTATED / 4)
    expect(libos.control.neighbors().length).toBeLessThanOrEqual(64 + 1024)
    expect(libos.control.routes().length).toBeLessThanOrEqual(160)
    expect(libos.control.addresses().length).toBeLessThanOrEqual(60)
    expect(stillServes()).toBe(true)
  },
  LONG ? 1_800_000 : 120_000,
)
