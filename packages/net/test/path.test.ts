import type { NicOptions } from '@parakernel/emulated'
import { assertNoLeaks, attachNetQueue, createPlainWindow, DebugFramePool } from '@parakernel/hal'
import { createQueueRuntime, mapIpv4, parseIpv4, parseIpv6 } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import type { NetOptions } from '../src/index.ts'
import { resolveOptions } from '../src/options.ts'
import { NO_OFFLOAD, type Path } from '../src/stack/path.ts'
import { ProtocolStack } from '../src/stack/protocol-stack.ts'
import type { Slices } from '../src/stack/transmit-queue.ts'
import { arpPacket, CLIENT_MAC, ethernetFrame, SERVER_MAC } from './support/frames.ts'
import { Machines, MILLISECOND, SECOND } from './support/machines.ts'
import { readIpv4, Wire } from './support/wire.ts'

const PEER = mapIpv4(parseIpv4('10.0.0.2'))
const TCP = 6
const TCP_HEADER = 20

/** The layers of a stack at 10.0.0.1 without any sockets, and a wire that plays 10.0.0.2. */
async function stack(nic: NicOptions = {}, options: Partial<NetOptions> = {}, wireNic: NicOptions = {}) {
  const machines = new Machines()
  const device = machines.network.nic({ mac: SERVER_MAC, ringSize: 64, ...nic })
  const window = createPlainWindow(256)
  const pool = new DebugFramePool(window)
  const queue = await attachNetQueue(device.grant(0, window), { pool, clock: machines.clock })
  const { loop, clock } = machines
  const lost: string[] = []
  const layers = new ProtocolStack(
    resolveOptions({ address: '10.0.0.1/24', addressCheck: 'none', ipv6: 'static', ndProbes: 0, seed: 1, ...options }),
    { pool, clock, loop, runtime: createQueueRuntime(loop), queues: [queue], partition: 0, partitions: 1 },
    { pushed: () => {}, pushFailed: (_token, code) => lost.push(code), queuesLost: () => {}, socketFailed: () => {} },
  )
  const round = {
    poll: (now: number) => {
      layers.pollTimers(now)
      return layers.poll(now)
    },
    wake: { kind: 'none' } as const,
    arm: () => false,
    nextEvent: () => Math.min(layers.nextTimer(), queue.nextEvent?.() ?? Number.POSITIVE_INFINITY),
  }
  loop.add(round)
  const wire = new Wire(machines, CLIENT_MAC, wireNic)
  machines.run(5 * SECOND)
  wire.receive()
  /** The wire answers what it was asked. */
  const answer = () => {
    const us = { mac: SERVER_MAC, address: '10.0.0.1' }
    wire.send(ethernetFrame(arpPacket(2, { mac: CLIENT_MAC, address: '10.0.0.2' }, us), { type: 0x0806 }))
    machines.run(MILLISECOND)
  }
  /** Makes the wire a reachable neighbour. */
  const teach = () => {
    layers.icmpOutput.echo(PEER[3], 1, 1, 0, 0)
    machines.run(MILLISECOND)
    answer()
    wire.receive()
  }
  const close = async () => {
    loop.remove(round)
    layers.clear()
    queue.detach()
    assertNoLeaks(pool)
    await device.close()
    await machines.close()
  }
  return { machines, device, pool, layers, wire, answer, teach, lost, close }
}

type Bench = Awaited<ReturnType<typeof stack>>

/** A frame with a TCP header of zeros, ready for `path`, and what follows it in the same frame. */
function head({ pool }: Bench, path: Path, payload = 0) {
  const frame = pool.allocate()
  const at = pool.address(frame) + path.headroom
  pool.bytes.fill(0, at, at + TCP_HEADER)
  pool.view.setUint8(at + 12, 5 << 4)
  for (let i = 0; i < payload; i++) pool.bytes[at + TCP_HEADER + i] = i
  return { frame, at, inFrame: TCP_HEADER + payload }
}

/** Frames with `bytes` of a counting pattern each, that goes on from one to the next. */
function slices({ pool }: Bench, bytes: readonly number[], from = 0): Slices {
  let next = from
  const made = bytes.map((length) => {
    const frame = pool.allocate()
    const address = pool.address(frame) + 100
    for (let i = 0; i < length; i++) pool.bytes[address + i] = next++
    return { frame, address, length }
  })
  return {
    frame: Int32Array.from(made, ({ frame }) => frame),
    address: Int32Array.from(made, ({ address }) => address),
    length: Int32Array.from(made, ({ length }) => length),
    count: made.length,
  }
}

const pattern = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => from + i)

function chain(bench: Bench, path: Path, bytes: readonly number[], inHead = 0, segmentSize = 0) {
  const { frame, at, inFrame } = head(bench, path, inHead)
  const rest = slices(bench, bytes, inHead)
  const sum = path.computesChecksum ? 16 : NO_OFFLOAD
  return path.sendChain(frame, at, inFrame, TCP_HEADER, rest, TCP, 0, 0, sum, segmentSize)
}

function packets({ machines, wire }: Bench) {
  machines.run(MILLISECOND)
  return wire
    .receive()
    .filter(({ type }) => type === 0x0800)
    .map(({ payload }) => readIpv4(payload))
    .filter(({ protocol }) => protocol === TCP)
}

describe('a path', () => {
  it('sends a packet of several frames as one', async () => {
    const bench = await stack({ maxChain: 8 })
    bench.teach()
    const path = bench.layers.output.pathTo(undefined, PEER)
    expect(chain(bench, path, [300, 7, 500], 10)).toBe('sent')
    const [packet, ...more] = packets(bench)
    expect(more).toEqual([])
    expect(packet.payload.slice(TCP_HEADER)).toEqual(pattern(817))
    await bench.close()
  })

  it('lets the device cut a super-frame', async () => {
    const bench = await stack({ maxChain: 8, transmitSegmentation: true })
    bench.teach()
    const path = bench.layers.output.pathTo(undefined, PEER)
    expect(path.superPacket).toBeGreaterThan(4000)
    expect(chain(bench, path, [1700, 1700, 600], 0, 1000)).toBe('sent')
    const segments = packets(bench)
    expect(segments.map(({ payload }) => payload.length - TCP_HEADER)).toEqual([1000, 1000, 1000, 1000])
    expect(segments.flatMap(({ payload }) => [...payload.slice(TCP_HEADER)])).toEqual([...pattern(4000)])
    // One on whose device nothing is cut says so.
    const other = await stack({ transmitSegmentation: false })
    expect(other.layers.output.pathTo(undefined, PEER).superPacket).toBe(0)
    await other.close()
    await bench.close()
  })

  it('takes a packet whole or not at all, and lets go of all its frames', async () => {
    const bench = await stack({ maxChain: 4 }, { transmitBacklog: 5 })
    bench.teach()
    const path = bench.layers.output.pathTo(undefined, PEER)
    expect(path.room).toBe(5)
    expect(chain(bench, path, [10, 10, 10])).toBe('sent')
    expect(path.room).toBe(1)
    expect(chain(bench, path, [10])).toBe('sent')
    const [first, second, ...more] = packets(bench)
    expect([first, second].map(({ payload }) => payload.length - TCP_HEADER)).toEqual([30, 10])
    expect(more).toEqual([])
    // More entries than the device takes, and more bytes than the path.
    expect(chain(bench, path, [1, 1, 1, 1])).toBe('EMSGSIZE')
    expect(chain(bench, path, [1000, 1000])).toBe('EMSGSIZE')
    expect(bench.layers.context.counters.get('drop.outInvalid')).toBe(2)
    await bench.close()
  })

  it('refuses what a full queue does not take', async () => {
    const bench = await stack({ maxChain: 4, ringSize: 4, rate: 1e6 }, { transmitBacklog: 4 })
    bench.teach()
    const path = bench.layers.output.pathTo(undefined, PEER)
    const results = Array.from({ length: 6 }, () => chain(bench, path, [10, 10]))
    expect(new Set(results)).toEqual(new Set(['sent', 'ENOBUFS']))
    expect(path.backlogged).toBe(path.room === 0)
    const sent = results.filter((result) => result === 'sent').length
    expect(bench.layers.context.counters.get('drop.outBacklogFull')).toBe(6 - sent)
    bench.machines.run(SECOND)
    expect(packets(bench).length).toBe(sent)
    await bench.close()
  })

  it('keeps chains until the neighbour answers, or lets go of them when it does not', async () => {
    const bench = await stack({ maxChain: 8 })
    const path = bench.layers.output.pathTo(undefined, PEER)
    expect(chain(bench, path, [300, 500])).toBe('waiting')
    expect(packets(bench)).toEqual([])
    bench.answer()
    const [packet] = packets(bench)
    expect(packet.payload.slice(TCP_HEADER)).toEqual(pattern(800))
    const silent = bench.layers.output.pathTo(undefined, mapIpv4(parseIpv4('10.0.0.9')))
    expect(chain(bench, silent, [300, 500])).toBe('waiting')
    bench.machines.run(5 * SECOND)
    expect(chain(bench, silent, [300, 500])).toBe('EHOSTUNREACH')
    await bench.close()
  })

  it('carries traffic class and hop limit in both families', async () => {
    const bench = await stack({}, { addresses: ['2001:db8::1/64'] })
    bench.teach()
    const four = bench.layers.output.pathTo(undefined, PEER)
    const send = (path: Path, hopLimit: number, traffic: number) => {
      const { frame, at, inFrame } = head(bench, path, 4)
      return path.send(frame, at, inFrame, TCP, hopLimit, traffic, NO_OFFLOAD, 0)
    }
    send(four, 0, 0)
    send(four, 3, 0xb9)
    bench.machines.run(MILLISECOND)
    const seen = bench.wire.receive().map(({ payload }) => [payload[1], payload[8]])
    expect(seen).toEqual([
      [0, 64],
      [0xb9, 3],
    ])
    const group = bench.layers.output.pathTo(undefined, parseIpv6('ff02::1'))
    send(group, 1, 0xb9)
    bench.machines.run(MILLISECOND)
    const [packet] = bench.wire.receive().filter(({ type }) => type === 0x86dd)
    expect(packet.to).toBe('33:33:00:00:00:01')
    expect([...packet.payload.subarray(0, 2), packet.payload[7]]).toEqual([0x6b, 0x90, 1])
    await bench.close()
  })

  it('works itself out again when something has changed', async () => {
    const bench = await stack({ maxMtu: 1500 })
    bench.teach()
    const { layers, device, machines } = bench
    const path = layers.output.pathTo(undefined, PEER)
    expect(path.mtu).toBe(1500)
    device.setMtu(1400)
    machines.run(MILLISECOND)
    expect([path.check(), path.mtu]).toEqual([true, 1400])
    // It remembers whom it speaks for: another address is no replacement.
    layers.addAddress(layers.interfaces[0], mapIpv4(parseIpv4('10.0.0.7')), 24, 'manual')
    const [entry] = layers.addresses.entries.filter(({ words }) => words[3] === parseIpv4('10.0.0.1'))
    layers.removeAddress(entry)
    expect([path.check(), path.failure]).toEqual([false, 'EADDRNOTAVAIL'])
    const { frame, at, inFrame } = head(bench, path)
    expect(path.send(frame, at, inFrame, TCP, 0, 0, NO_OFFLOAD, 0)).toBe('EADDRNOTAVAIL')
    const fresh = layers.output.pathTo(undefined, PEER)
    expect([fresh.failure, fresh.localIpv4]).toEqual([undefined, parseIpv4('10.0.0.7')])
    layers.removeRoutes(({ family }) => family === 4)
    expect([fresh.check(), fresh.failure]).toEqual([false, 'ENETUNREACH'])
    await bench.close()
  })

  it('is one for each pair of addresses, however many there are', async () => {
    const bench = await stack()
    const { output } = bench.layers
    const own = mapIpv4(parseIpv4('10.0.0.1'))
    const path = output.pathTo(undefined, PEER)
    expect(output.pathTo(undefined, PEER)).toBe(path)
    expect(output.paths.toIpv4(0, PEER[3])).toBe(path)
    expect(output.pathTo(own, PEER)).not.toBe(path)
    expect(output.pathTo(own, PEER)).toBe(output.pathTo(own, PEER))
    for (let i = 0; i < 3000; i++) {
      const remote = mapIpv4(parseIpv4('10.0.0.0') + 1000 + i)
      expect(output.pathTo(undefined, remote).remoteIpv4).toBe(remote[3])
    }
    expect(path.check()).toBe(true)
    expect(output.pathTo(undefined, PEER).localIpv4).toBe(own[3])
    await bench.close()
  })
})
