import { assertNoLeaks } from '@parakernel/hal'
import { sgaFromBytes } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { CLIENT_MAC, ethernetFrame, icmpMessage, ipv4Packet, slowChecksum, udpDatagram } from './support/frames.ts'
import { MILLISECOND, SECOND } from './support/machines.ts'
import { counter, readIpv4, stackAndWire, teach } from './support/wire.ts'

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 13 + (i >> 8)) & 255)

/** Cuts a packet's payload into frames of at most `step` bytes. */
function fragments(payload: Uint8Array, step: number, protocol = 17): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let at = 0; at < payload.length; at += step) {
    const more = at + step < payload.length ? 0x2000 : 0
    const fields = { identifier: 4711, fragment: (at >> 3) | more, protocol }
    frames.push(ethernetFrame(ipv4Packet(payload.subarray(at, at + step), fields)))
  }
  return frames
}

describe('a datagram longer than the MTU', () => {
  it('is sent in fragments that fit, with one identifier and a whole checksum', async () => {
    const bench = await stackAndWire()
    teach(bench)
    const { libos, machine, wire, machines } = bench
    const qd = libos.socket('datagram')
    const payload = pattern(5000)
    const sga = sgaFromBytes(machine.pool, payload)
    const token = libos.pushTo(qd, sga, { address: '10.0.0.2', port: 9 })
    sga.free()
    machines.run(MILLISECOND)
    expect(machine.runtime.wait(token, 0)).toMatchObject({ kind: 'push', bytes: 5000 })
    const packets = wire.receive().map(({ payload: packet }) => readIpv4(packet))
    expect(packets.map(({ total }) => total)).toEqual([1500, 1500, 1500, 5008 - 3 * 1480 + 20])
    expect(packets.map(({ fragment }) => fragment)).toEqual([0x2000, 0x2000 | 185, 0x2000 | 370, 555])
    expect(new Set(packets.map(({ identifier }) => identifier)).size).toBe(1)
    const datagram = Uint8Array.from(packets.flatMap((packet) => [...packet.payload]))
    const { port } = libos.getsockname(qd)
    const fields = { source: '10.0.0.1', destination: '10.0.0.2', sourcePort: port, destinationPort: 9 }
    expect(datagram).toEqual(udpDatagram({ ...fields, payload }))
    expect(counter(libos, 'ip.ipSystemStatsOutFragReqds')).toBe(1)
    expect(counter(libos, 'ip.ipSystemStatsOutFragOKs')).toBe(1)
    expect(counter(libos, 'ip.ipSystemStatsOutFragCreates')).toBe(4)
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('is reassembled for pop, in as many frames as it takes', async () => {
    const bench = await stackAndWire()
    const { libos, machine, wire, machines } = bench
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    const payload = pattern(9000)
    const pop = libos.pop(qd)
    for (const frame of fragments(udpDatagram({ payload }), 1480).reverse()) wire.send(frame)
    const completion = machine.runtime.wait(pop, SECOND)
    if (completion.kind !== 'pop') throw new Error(completion.kind)
    expect(completion.sga.toBytes()).toEqual(payload)
    expect(completion.source).toEqual({ address: '10.0.0.2', port: 4000 })
    completion.sga.free()
    expect(counter(libos, 'ip.ipSystemStatsReasmReqds')).toBe(7)
    expect(counter(libos, 'ip.ipSystemStatsReasmOKs')).toBe(1)
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('is served to a handler when it fits a frame, answered, and dropped and counted when it does not', async () => {
    const bench = await stackAndWire()
    teach(bench)
    const { libos, machine, wire, machines } = bench
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    const lengths: number[] = []
    libos.serveDatagrams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        lengths.push(burst.length[i])
        burst.reply[i] = burst.length[i]
      }
    })
    for (const frame of fragments(udpDatagram({ payload: pattern(1000) }), 400)) wire.send(frame)
    machines.run(MILLISECOND)
    const [answer] = wire.receive()
    expect(answer.to).toBe(CLIENT_MAC)
    expect(readIpv4(answer.payload).payload.slice(8)).toEqual(pattern(1000))
    for (const frame of fragments(udpDatagram({ payload: pattern(4000) }), 1480)) wire.send(frame)
    machines.run(MILLISECOND)
    expect(lengths).toEqual([1000])
    expect(counter(libos, 'drop.ipReassembledTooLong')).toBe(1)
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('is refused when its checksum is wrong', async () => {
    const bench = await stackAndWire()
    const { libos, wire, machines } = bench
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 7 })
    const datagram = udpDatagram({ payload: pattern(3000) })
    datagram[2000] ^= 1
    for (const frame of fragments(datagram, 1480)) wire.send(frame)
    machines.run(MILLISECOND)
    expect(counter(libos, 'drop.udpBadChecksum')).toBe(1)
    await machines.close()
  })
})

describe('an echo request longer than the MTU', () => {
  it('is answered in fragments', async () => {
    const bench = await stackAndWire()
    teach(bench)
    const { wire, machines, machine } = bench
    const data = pattern(4000)
    for (const frame of fragments(icmpMessage(8, 0, 0x00010002, data), 1480, 1)) wire.send(frame)
    machines.run(MILLISECOND)
    const answer = Uint8Array.from(wire.receive().flatMap(({ payload }) => [...readIpv4(payload).payload]))
    expect(answer).toEqual(icmpMessage(0, 0, 0x00010002, data))
    expect(slowChecksum(answer)).toBe(0)
    await machines.close()
    assertNoLeaks(machine.pool)
  })
})

describe('a datagram whose fragments do not all come', () => {
  it('is reported with time exceeded, which quotes its first fragment', async () => {
    const bench = await stackAndWire({ reassemblyTimeout: 60_000 })
    teach(bench)
    const { libos, wire, machines } = bench
    const [first] = fragments(udpDatagram({ payload: pattern(3000) }), 1480)
    wire.send(first)
    machines.run(59 * SECOND)
    wire.receive()
    machines.run(6 * SECOND)
    // The neighbour has become old in the meantime: it is probed too.
    const [report] = wire.receive().filter(({ type }) => type === 0x0800)
    const { payload, destination } = readIpv4(report.payload)
    expect(destination).toBe('10.0.0.2')
    expect(payload.subarray(0, 2)).toEqual(Uint8Array.of(11, 1))
    expect(payload.subarray(8)).toEqual(first.subarray(14, 14 + 28))
    expect(slowChecksum(payload)).toBe(0)
    expect(counter(libos, 'ip.ipSystemStatsReasmFails')).toBe(1)
    expect(counter(libos, 'icmp.icmpOutTimeExcds')).toBe(1)
    await machines.close()
  })

  it('is not reported without its first fragment', async () => {
    const bench = await stackAndWire()
    teach(bench)
    const { libos, wire, machines } = bench
    wire.send(fragments(udpDatagram({ payload: pattern(3000) }), 1480)[1])
    machines.run(70 * SECOND)
    expect(wire.receive().filter(({ type }) => type === 0x0800)).toEqual([])
    expect(counter(libos, 'drop.ipFragmentTimeout')).toBe(1)
    await machines.close()
  })
})
