import { describe, expect, it } from 'vitest'
import type { NetOptions } from '../../src/index.ts'
import { ACK, SYN } from '../../src/tcp/segment.ts'
import { ethernetFrame, icmpMessage, ipv4Packet } from '../support/frames.ts'
import { counter, stackAndWire, teach } from '../support/wire.ts'
import { pattern } from './support/pair.ts'
import { RawPeer, type SeenSegment, segmentsOf, tcpBytes } from './support/raw-peer.ts'

async function connecting(options: Partial<NetOptions> = {}) {
  const bench = await stackAndWire(options)
  teach(bench)
  const { libos, machines, wire } = bench
  const qd = libos.socket('stream')
  const connect = libos.connect(qd, { address: '10.0.0.2', port: 80 })
  machines.run(1e6)
  const [syn] = segmentsOf(wire.receive())
  return { ...bench, bench, qd, connect, syn, peer: new RawPeer(bench, 80, syn.sourcePort) }
}

async function connected(options: Partial<NetOptions> = {}) {
  const setup = await connecting(options)
  const { peer, syn, libos, connect } = setup
  peer.received = (syn.segment.sequence + 1) | 0
  peer.exchange({ flags: SYN | ACK, sequence: peer.next, mss: 1460 })
  peer.next++
  expect(libos.runtime.wait(connect).kind).toBe('connect')
  const push = (bytes: Uint8Array): SeenSegment[] => {
    const sga = libos.sgaAlloc(bytes.length)
    let at = 0
    for (const { address, length } of sga.segments) {
      libos.pool.bytes.set(bytes.subarray(at, at + length), address)
      at += length
    }
    libos.push(setup.qd, sga)
    sga.free()
    setup.machines.run(1e6)
    return segmentsOf(setup.wire.receive())
  }
  return { ...setup, push }
}

/** An ICMP error that quotes the beginning of a segment of the stack's; `sequence` is told instead of its own. */
function errorAbout(
  seen: SeenSegment,
  type: number,
  code: number,
  rest: number,
  sequence = seen.segment.sequence,
): Uint8Array {
  const { sourcePort, destinationPort, segment } = seen
  const quoted = tcpBytes({ sourcePort, destinationPort, sequence, flags: ACK })
  const body = new Uint8Array(segment.length + 20)
  body.set(quoted)
  const packet = ipv4Packet(body, { source: '10.0.0.1', destination: '10.0.0.2', protocol: 6 }).subarray(0, 28)
  return ethernetFrame(ipv4Packet(icmpMessage(type, code, rest, packet), { protocol: 1, source: '10.0.0.254' }))
}

it.each(['224.0.0.1', '255.255.255.255', '10.0.0.255', 'ff02::1'])('no connection is opened to %s', async (address) => {
  const { libos, machines, wire } = await stackAndWire({ ipv6: 'static', ndProbes: 0 })
  machines.run(1e6)
  wire.receive()
  const qd = libos.socket('stream', address.includes(':') ? 'ipv6' : 'ipv4')
  const completion = libos.runtime.wait(libos.connect(qd, { address, port: 80 }))
  expect(completion).toMatchObject({ kind: 'failed', code: 'ENETUNREACH' })
  machines.run(1e6)
  expect(segmentsOf(wire.receive())).toEqual([])
})

describe('an ICMP error', () => {
  it('ends an attempt to connect where nobody listens', async () => {
    const { libos, wire, syn, connect, machines } = await connecting()
    wire.exchange(errorAbout(syn, 3, 3, 0))
    expect(libos.runtime.wait(connect)).toMatchObject({ kind: 'failed', code: 'ECONNREFUSED' })
    await machines.close()
  })

  it('is ignored when it quotes a segment that is not in flight (RFC 5927 section 4)', async () => {
    const { libos, wire, syn, connect, machines } = await connecting()
    wire.exchange(errorAbout(syn, 3, 3, 0, syn.segment.sequence + 5))
    expect(libos.runtime.isPending(connect)).toBe(true)
    expect(counter(libos, 'drop.icmpNotOurs')).toBe(1)
    await machines.close()
  })

  it('does not end an open connection (RFC 5927 section 5.2)', async () => {
    const { libos, wire, push, qd, machines } = await connected()
    const [data] = push(pattern(100))
    wire.exchange(errorAbout(data, 3, 3, 0))
    expect(libos.sockets().find((line) => line.qd === qd)?.state).toBe('established')
    expect(counter(libos, 'tcpExt.PathErrors')).toBe(1)
    await machines.close()
  })

  it('that a packet was too long has it sent again in shorter ones, at once (RFC 1191)', async () => {
    const { libos, wire, push, machines } = await connected({ tcpTimestamps: false })
    const [first] = push(pattern(1460))
    expect(first.segment.length).toBe(1460)
    const answers = segmentsOf(wire.exchange(errorAbout(first, 3, 4, 1000)))
    expect(answers.map(({ segment }) => segment.length)).toEqual([960, 500])
    expect(answers[0].segment.sequence).toBe(first.segment.sequence)
    expect(Buffer.concat(answers.map(({ payload }) => payload)).equals(pattern(1460))).toBe(true)
    expect(counter(libos, 'tcpExt.MtuReductions')).toBe(1)
    await machines.close()
  })

  it('cannot shorten packets below what any link takes', async () => {
    const { wire, push, machines } = await connected({ tcpTimestamps: false })
    const [first] = push(pattern(1460))
    const answers = segmentsOf(wire.exchange(errorAbout(first, 3, 4, 68)))
    expect(answers[0].segment.length).toBe(552 - 40)
    await machines.close()
  })
})

describe('a host that does not answer', () => {
  it('ends an attempt to connect with EHOSTUNREACH', async () => {
    const bench = await stackAndWire()
    const { libos } = bench
    const connect = libos.connect(libos.socket('stream'), { address: '10.0.0.9', port: 80 })
    expect(libos.runtime.wait(connect)).toMatchObject({ kind: 'failed', code: 'EHOSTUNREACH' })
    expect(bench.machines.now).toBeLessThan(30e9)
    await bench.machines.close()
  })

  it('behind no route is told of at once', async () => {
    const bench = await stackAndWire()
    const { libos } = bench
    const connect = libos.connect(libos.socket('stream'), { address: '192.0.2.1', port: 80 })
    expect(libos.runtime.isPending(connect)).toBe(false)
    expect(libos.runtime.wait(connect)).toMatchObject({ kind: 'failed', code: 'ENETUNREACH' })
    await bench.machines.close()
  })
})
