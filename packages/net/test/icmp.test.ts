import { assertNoLeaks } from '@parakernel/hal'
import { sgaFromText } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import {
  BROADCAST,
  CLIENT_MAC,
  ethernetFrame,
  type FrameFields,
  hex,
  icmpMessage,
  ipv4Packet,
  SERVER_MAC,
  slowChecksum,
  udpDatagram,
  udpFrame,
} from './support/frames.ts'
import { Machines, MILLISECOND, SECOND } from './support/machines.ts'
import { type Bench, counter, readIpv4, stackAndWire, teach } from './support/wire.ts'

const icmpFrame = (message: Uint8Array, fields: FrameFields = {}) =>
  ethernetFrame(ipv4Packet(message, { protocol: 1, ...fields }), fields)

describe('echo', () => {
  it('is answered with the same data, to where it came from', async () => {
    const { machines, machine, libos, wire } = await stackAndWire()
    const request = icmpMessage(8, 0, 0x12340001, hex('00112233445566'))
    const [answer, ...others] = wire.exchange(icmpFrame(request, { ttl: 3, source: '192.0.2.9' }))
    expect(others).toEqual([])
    expect(answer).toMatchObject({ to: CLIENT_MAC, from: SERVER_MAC })
    const { source, destination, ttl, payload } = readIpv4(answer.payload)
    expect({ source, destination, ttl }).toEqual({ source: '10.0.0.1', destination: '192.0.2.9', ttl: 64 })
    expect(payload).toEqual(icmpMessage(0, 0, 0x12340001, hex('00112233445566')))
    expect(slowChecksum(answer.payload.subarray(0, 20))).toBe(0)
    expect(counter(libos, 'icmp.icmpInEchos')).toBe(1)
    expect(counter(libos, 'icmp.icmpOutEchoReps')).toBe(1)
    await machines.close()
    assertNoLeaks(machine.pool)
  })

  it('is answered when the request has options', async () => {
    const { machines, wire } = await stackAndWire()
    const [answer] = wire.exchange(icmpFrame(icmpMessage(8, 0, 1, hex('aabb')), { options: hex('01010101') }))
    expect(readIpv4(answer.payload).payload).toEqual(icmpMessage(0, 0, 1, hex('aabb')))
    await machines.close()
  })

  it('to a broadcast or group address is not answered', async () => {
    const { machines, libos, wire } = await stackAndWire()
    const request = icmpMessage(8, 0, 1)
    expect(wire.exchange(icmpFrame(request, { destination: '10.0.0.255', to: BROADCAST }))).toEqual([])
    expect(wire.exchange(icmpFrame(request, { destination: '224.0.0.1', to: '01:00:5e:00:00:01' }))).toEqual([])
    expect(counter(libos, 'drop.icmpBroadcastEcho')).toBe(2)
    await machines.close()
  })

  it('is asked by ping, which tells the round trip', async () => {
    const machines = new Machines()
    const a = await machines.add({ options: { address: '10.0.0.1/24' }, nic: { latency: 50_000 } })
    await machines.add({ options: { address: '10.0.0.2/24' }, nic: { latency: 50_000 } })
    const first = a.libos.ping('10.0.0.2', { bytes: 100 })
    machines.run(10 * MILLISECOND)
    await first
    const ping = a.libos.ping('10.0.0.2', { bytes: 1000 })
    machines.run(10 * MILLISECOND)
    expect(await ping).toMatchObject({ kind: 'reply', ttl: 64, bytes: 1000, roundTrip: 200_000 })
    const nobody = a.libos.ping('10.0.0.9', { timeout: SECOND })
    machines.run(2 * SECOND)
    expect(await nobody).toEqual({ kind: 'timeout' })
    const far = a.libos.ping('192.0.2.1')
    expect(await far).toEqual({ kind: 'failed', reason: 'ENETUNREACH' })
    const ourselves = a.libos.ping('10.0.0.1')
    machines.run(MILLISECOND)
    expect(await ourselves).toMatchObject({ kind: 'reply', bytes: 56 })
    expect(() => a.libos.ping('10.0.0.2', { bytes: 5000 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    await machines.close()
  })

  it('replies that nobody asked for are counted', async () => {
    const { machines, libos, wire } = await stackAndWire()
    wire.exchange(icmpFrame(icmpMessage(0, 0, 0x7777_0000)))
    expect(counter(libos, 'drop.icmpNotOurs')).toBe(1)
    await machines.close()
  })
})

describe('a closed port', () => {
  it('is reported, with the header and data of the datagram', async () => {
    const { machines, libos, wire } = await stackAndWire()
    const frame = udpFrame({ destinationPort: 99, payload: hex('0102030405') })
    const [report] = wire.exchange(frame)
    expect(report).toMatchObject({ to: CLIENT_MAC, from: SERVER_MAC })
    const { protocol, destination, payload } = readIpv4(report.payload)
    expect({ protocol, destination }).toEqual({ protocol: 1, destination: '10.0.0.2' })
    expect(payload).toEqual(icmpMessage(3, 3, 0, frame.subarray(14)))
    expect(counter(libos, 'icmp.icmpOutDestUnreachs')).toBe(1)
    await machines.close()
  })

  it('is reported in at most 576 bytes', async () => {
    const { machines, wire } = await stackAndWire()
    const [report] = wire.exchange(udpFrame({ destinationPort: 99, payload: new Uint8Array(1400) }))
    expect(readIpv4(report.payload).total).toBe(576)
    await machines.close()
  })

  it('is reported at a limited rate, and the rest is counted', async () => {
    const { machines, libos, wire } = await stackAndWire({ icmpRate: 10, icmpBurst: 5 })
    const frame = udpFrame({ destinationPort: 99 })
    for (let i = 0; i < 20; i++) wire.send(frame)
    machines.run(MILLISECOND)
    expect(wire.receive().length).toBe(5)
    expect(counter(libos, 'drop.icmpRateLimited')).toBe(15)
    machines.run(SECOND)
    for (let i = 0; i < 20; i++) wire.send(frame)
    machines.run(MILLISECOND)
    expect(wire.receive().length).toBe(5)
    await machines.close()
  })
})

describe('no error is sent (RFC 1122 section 3.2.2)', () => {
  const payload = udpDatagram({ destinationPort: 99, payload: new Uint8Array(32) })
  const silent: readonly [name: string, frame: Uint8Array][] = [
    ['about an ICMP error', icmpFrame(icmpMessage(3, 3, 0, ipv4Packet(payload)))],
    [
      'about a datagram to a broadcast address',
      udpFrame({ destinationPort: 99, destination: '10.0.0.255', to: BROADCAST }),
    ],
    [
      'about a datagram to limited broadcast',
      udpFrame({ destinationPort: 99, destination: '255.255.255.255', to: BROADCAST }),
    ],
    [
      'about a datagram to a group',
      udpFrame({ destinationPort: 99, destination: '224.0.0.1', to: '01:00:5e:00:00:01' }),
    ],
    ['about a datagram in a link-layer broadcast', udpFrame({ destinationPort: 99, to: BROADCAST })],
    ['about a fragment that is not the first', ethernetFrame(ipv4Packet(payload, { protocol: 99, fragment: 2 }))],
    [
      'about an unknown protocol in a broadcast',
      ethernetFrame(ipv4Packet(payload, { protocol: 99, destination: '10.0.0.255' }), { to: BROADCAST }),
    ],
    ['to an address that is no single host', udpFrame({ destinationPort: 99, source: '240.0.0.1' })],
  ]
  for (const [name, frame] of silent) {
    it(name, async () => {
      const { machines, libos, wire } = await stackAndWire()
      expect(wire.exchange(frame)).toEqual([])
      expect(counter(libos, 'icmp.icmpOutMsgs')).toBe(0)
      await machines.close()
    })
  }

  it('but about an unknown protocol it is', async () => {
    const { machines, wire } = await stackAndWire()
    const [report] = wire.exchange(ethernetFrame(ipv4Packet(payload, { protocol: 99 })))
    expect(readIpv4(report.payload).payload.subarray(0, 2)).toEqual(Uint8Array.of(3, 2))
    await machines.close()
  })
})

async function connected() {
  const bench = await stackAndWire()
  teach(bench)
  const qd = bench.libos.socket('datagram')
  bench.libos.connect(qd, { address: '10.0.0.2', port: 9 })
  return { bench, qd, port: bench.libos.getsockname(qd).port }
}

/** What our datagram looked like, as the other side quotes it. */
const quote = (
  port: number,
  fields: { source?: string; destination?: string; destinationPort?: number; length?: number } = {},
) => {
  const ends = { source: fields.source ?? '10.0.0.1', destination: fields.destination ?? '10.0.0.2' }
  const payload = new Uint8Array(fields.length ?? 4)
  const datagram = udpDatagram({ ...ends, sourcePort: port, destinationPort: fields.destinationPort ?? 9, payload })
  return ipv4Packet(datagram, ends).subarray(0, 28)
}

describe('an error about a datagram of ours', () => {
  const codes: readonly (readonly [type: number, code: number, expected: string | undefined])[] = [
    [3, 3, 'ECONNREFUSED'],
    [3, 2, 'ECONNREFUSED'],
    [3, 1, 'EHOSTUNREACH'],
    [3, 0, 'ENETUNREACH'],
    [3, 10, 'EHOSTUNREACH'],
    [3, 13, 'EHOSTUNREACH'],
    [3, 5, undefined],
    [11, 0, undefined],
    [12, 0, undefined],
  ]
  for (const [type, code, expected] of codes) {
    it(`of type ${type} code ${code} means ${expected ?? 'nothing'} to a connected socket`, async () => {
      const { bench, qd, port } = await connected()
      const pop = bench.libos.pop(qd)
      bench.wire.exchange(icmpFrame(icmpMessage(type, code, 0, quote(port))))
      if (expected === undefined) expect(bench.machine.runtime.isPending(pop)).toBe(true)
      else expect(bench.machine.runtime.wait(pop, 0)).toMatchObject({ kind: 'failed', code: expected })
      await bench.machines.close()
    })
  }

  it('is not believed when it quotes what we did not send', async () => {
    const { bench, qd, port } = await connected()
    const pop = bench.libos.pop(qd)
    const forged = [
      quote(port, { source: '10.0.0.5' }),
      quote(port + 1),
      quote(port).subarray(0, 27),
      hex('60'),
      new Uint8Array(28),
    ]
    for (const data of forged) bench.wire.exchange(icmpFrame(icmpMessage(3, 3, 0, data)))
    expect(counter(bench.libos, 'drop.icmpNotOurs')).toBe(forged.length)
    // From our port, but to another peer than the socket's: counted as ours, and not reported.
    bench.wire.exchange(icmpFrame(icmpMessage(3, 3, 0, quote(port, { destination: '10.0.0.7' }))))
    bench.wire.exchange(icmpFrame(icmpMessage(3, 3, 0, quote(port, { destinationPort: 10 }))))
    expect(bench.machine.runtime.isPending(pop)).toBe(true)
    await bench.machines.close()
  })

  it('of fragmentation needed narrows the path: later datagrams are cut', async () => {
    const { bench, qd, port } = await connected()
    const push = () => {
      const sga = sgaFromText(bench.machine.pool, 'x'.repeat(1000))
      bench.libos.push(qd, sga)
      sga.free()
      bench.machines.run(MILLISECOND)
      return totals(bench)
    }
    expect(push()).toEqual([1028])
    bench.wire.exchange(icmpFrame(icmpMessage(3, 4, 600, quote(port, { length: 1000 }))))
    expect(push()).toEqual([596, 452])
    bench.machines.run(601 * SECOND)
    bench.wire.receive()
    teach(bench)
    expect(push()).toEqual([1028])
    await bench.machines.close()
  })

  const totals = ({ wire }: Bench) => wire.receive().map(({ payload }) => readIpv4(payload).total)

  it('of a path too narrow to be true is not obeyed', async () => {
    const { bench, qd, port } = await connected()
    bench.wire.exchange(icmpFrame(icmpMessage(3, 4, 68, quote(port, { length: 1000 }))))
    const sga = sgaFromText(bench.machine.pool, 'x'.repeat(500))
    bench.libos.push(qd, sga)
    sga.free()
    bench.machines.run(MILLISECOND)
    expect(totals(bench)).toEqual([528])
    await bench.machines.close()
  })
})

describe('the errors of a socket', () => {
  const quoteOf = (packet: Uint8Array) => packet.subarray(0, 28)

  it('are kept as data until they are asked for, of unconnected sockets too', async () => {
    const bench = await stackAndWire()
    teach(bench)
    const { libos, machine, machines, wire } = bench
    const qd = libos.socket('datagram')
    const sga = sgaFromText(machine.pool, 'x'.repeat(900))
    libos.pushTo(qd, sga, { address: '10.0.0.2', port: 9 })
    sga.free()
    machines.run(MILLISECOND)
    const [sent] = wire.receive()
    const told = (type: number, code: number, rest = 0) =>
      wire.exchange(icmpFrame(icmpMessage(type, code, rest, quoteOf(sent.payload)), { source: '192.0.2.1' }))
    told(3, 3)
    told(11, 0)
    told(3, 4, 600)
    const common = { family: 'ipv4', offender: '192.0.2.1', destination: { address: '10.0.0.2', port: 9 } }
    expect(libos.errors(qd)).toEqual([
      { ...common, type: 3, code: 3, meaning: 'ECONNREFUSED', mtu: undefined },
      { ...common, type: 11, code: 0, meaning: undefined, mtu: undefined },
      { ...common, type: 3, code: 4, meaning: undefined, mtu: 600 },
    ])
    expect(libos.errors(qd)).toEqual([])
    // An unconnected socket's calls do not fail for them.
    expect(machine.runtime.isPending(libos.pop(qd))).toBe(true)
    libos.close(qd)
    expect(() => libos.errors(qd)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    await machines.close()
  })

  it('are bounded: the newest are counted and not kept', async () => {
    const { bench, qd, port } = await connected()
    for (let i = 0; i < 20; i++) bench.wire.exchange(icmpFrame(icmpMessage(11, 0, 0, quote(port))))
    expect(bench.libos.errors(qd)).toHaveLength(16)
    expect(counter(bench.libos, 'drop.icmpErrorQueueFull')).toBe(4)
    await bench.machines.close()
  })

  it('are those of streams too', async () => {
    const bench = await stackAndWire()
    teach(bench)
    const { libos, machines, wire } = bench
    const qd = libos.socket('stream')
    libos.connect(qd, { address: '10.0.0.2', port: 80 })
    machines.run(MILLISECOND)
    const [syn] = wire.receive()
    expect(readIpv4(syn.payload).protocol).toBe(6)
    const forged = syn.payload.slice()
    // Another sequence number: not in flight.
    forged[25] ^= 0x40
    wire.exchange(icmpFrame(icmpMessage(3, 1, 0, quoteOf(forged)), { source: '192.0.2.1' }))
    expect(libos.errors(qd)).toEqual([])
    expect(counter(libos, 'drop.icmpNotOurs')).toBe(1)
    wire.exchange(icmpFrame(icmpMessage(3, 1, 0, quoteOf(syn.payload)), { source: '192.0.2.1' }))
    expect(libos.errors(qd)).toMatchObject([
      { type: 3, code: 1, meaning: 'EHOSTUNREACH', offender: '192.0.2.1', destination: { port: 80 } },
    ])
    await machines.close()
  })
})
