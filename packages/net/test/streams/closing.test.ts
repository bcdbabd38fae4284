import type { QueueDescriptor } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { ACK, FIN, RST, SYN } from '../../src/tcp/segment.ts'
import { stackAndWire, teach } from '../support/wire.ts'
import { pattern, StreamPair } from './support/pair.ts'
import { RawPeer, segmentsOf } from './support/raw-peer.ts'

/** How a connection comes to a state, from a raw peer's point of view; the server's socket is in it afterwards. */
interface Way {
  readonly state: string
  reach(peer: RawPeer, server: { libos: StreamPair['a']; qd: QueueDescriptor }): void
}

const WAYS: readonly Way[] = [
  { state: 'established', reach: () => {} },
  {
    state: 'close-wait',
    reach: (peer) => {
      peer.exchange({ flags: FIN | ACK })
      peer.next++
    },
  },
  { state: 'fin-wait-1', reach: (_, { libos, qd }) => libos.halfClose(qd) },
  {
    state: 'fin-wait-2',
    reach(peer, { libos, qd }) {
      libos.halfClose(qd)
      peer.bench.machines.run(1e6)
      peer.received++
      peer.exchange({ flags: ACK })
    },
  },
  {
    state: 'closing',
    reach(peer, { libos, qd }) {
      libos.halfClose(qd)
      peer.bench.machines.run(1e6)
      peer.exchange({ flags: FIN | ACK })
      peer.next++
    },
  },
  {
    state: 'last-ack',
    reach(peer, { libos, qd }) {
      peer.exchange({ flags: FIN | ACK })
      peer.next++
      libos.halfClose(qd)
      peer.bench.machines.run(1e6)
    },
  },
  {
    state: 'time-wait',
    reach(peer, { libos, qd }) {
      libos.halfClose(qd)
      peer.bench.machines.run(1e6)
      peer.received++
      peer.exchange({ flags: FIN | ACK })
      peer.next++
    },
  },
]

/** What ends it then. */
const ENDS = {
  close: (peer: RawPeer, { libos, qd }: { libos: StreamPair['a']; qd: QueueDescriptor }) => {
    libos.close(qd)
    peer.bench.machines.run(1e6)
  },
  'close with linger 0': (peer: RawPeer, { libos, qd }: { libos: StreamPair['a']; qd: QueueDescriptor }) => {
    libos.setsockopt(qd, 'linger', 0)
    libos.close(qd)
    peer.bench.machines.run(1e6)
  },
  'a reset': (peer: RawPeer, { libos, qd }: { libos: StreamPair['a']; qd: QueueDescriptor }) => {
    peer.exchange({ flags: RST })
    libos.close(qd)
  },
  'the silence of the peer': (peer: RawPeer, { libos, qd }: { libos: StreamPair['a']; qd: QueueDescriptor }) => {
    libos.close(qd)
    peer.bench.machines.run(1200e9)
  },
  shutdown: () => {},
}

async function served() {
  const bench = await stackAndWire()
  teach(bench)
  const { libos } = bench
  const listener = libos.socket('stream')
  libos.bind(listener, { address: '0.0.0.0', port: 80 })
  libos.listen(listener)
  const peer = new RawPeer(bench)
  const accept = libos.accept(listener)
  peer.open()
  const completion = libos.runtime.wait(accept)
  if (completion.kind !== 'accept') throw new Error('not accepted')
  return { bench, libos, listener, peer, qd: completion.accepted }
}

describe('a connection leaks nothing', () => {
  for (const { state, reach } of WAYS) {
    for (const [name, end] of Object.entries(ENDS)) {
      it(`in ${state}, ended by ${name}`, async () => {
        const { bench, libos, listener, peer, qd } = await served()
        const { pool } = bench.machine
        // Bytes on their way in both directions, in and out of order.
        if (state === 'established' || state === 'close-wait') {
          peer.exchange({ flags: ACK, sequence: peer.next + 10, payload: pattern(300) })
        }
        reach(peer, { libos, qd })
        const line = libos.sockets().find((socket) => socket.qd === qd)
        expect(line?.state).toBe(state)
        if (state === 'established' || state === 'close-wait') {
          const sga = libos.sgaAlloc(5000)
          libos.push(qd, sga)
          sga.free()
          bench.machines.run(1e6)
        }
        end(peer, { libos, qd })
        libos.close(listener)
        bench.machines.run(600e9)
        bench.wire.receive()
        const left = libos.sockets().filter((socket) => name !== 'shutdown' || socket.qd !== qd)
        expect(left.filter(({ state: other }) => other !== 'time-wait')).toEqual([])
        await libos.shutdown()
        bench.machine.queues[0].detach()
        expect(pool.frameCount - pool.available, pool.constructor.name).toBe(0)
        expect(pool.misuses).toBe(0)
        expect(libos.runtime.outstanding - (name === 'shutdown' ? 0 : 0)).toBeGreaterThanOrEqual(0)
      })
    }
  }

  it('that is only asked for: SYN-SENT, ended by close, reset, silence', async () => {
    for (const how of ['close', 'reset', 'silence'] as const) {
      const bench = await stackAndWire()
      teach(bench)
      const { libos, machines, wire } = bench
      const qd = libos.socket('stream')
      const connect = libos.connect(qd, { address: '10.0.0.2', port: 80 })
      machines.run(1e6)
      const [syn] = segmentsOf(wire.receive())
      expect(syn.text).toMatch(/^SYN /)
      const peer = new RawPeer(bench, 80, syn.sourcePort)
      if (how === 'close') libos.close(qd)
      else if (how === 'reset') {
        peer.exchange({ flags: RST | ACK, sequence: 0, acknowledgment: (syn.segment.sequence + 1) | 0 })
        expect(libos.runtime.wait(connect)).toMatchObject({ kind: 'failed', code: 'ECONNREFUSED' })
      } else {
        expect(libos.runtime.wait(connect)).toMatchObject({
          kind: 'failed',
          code: expect.stringMatching(/ETIMEDOUT|EHOSTUNREACH/),
        })
      }
      expect(libos.sockets().filter(({ state }) => state === 'syn-sent')).toEqual([])
      await libos.shutdown()
      bench.machine.queues[0].detach()
      expect(bench.machine.pool.available).toBe(bench.machine.pool.frameCount)
    }
  })
})

describe('TIME-WAIT', () => {
  const closedFirst = async () => {
    const setup = await served()
    const { libos, bench, peer, qd } = setup
    libos.close(qd)
    bench.machines.run(1e6)
    peer.received++
    peer.exchange({ flags: FIN | ACK })
    peer.next++
    const waits = () => libos.sockets().filter(({ state }) => state === 'time-wait').length
    expect(waits()).toBe(1)
    return { ...setup, waits }
  }

  it('is a record that answers a repeated FIN, ignores resets, and ends', async () => {
    const { peer, waits, bench } = await closedFirst()
    const [again] = peer.exchange({ flags: FIN | ACK, sequence: peer.next - 1 })
    expect(again.text).toMatch(new RegExp(`^ACK .* ack ${peer.next} `))
    expect(peer.exchange({ flags: RST })).toEqual([])
    expect(waits()).toBe(1)
    bench.machines.run(59e9)
    expect(waits()).toBe(1)
    bench.machines.run(2e9)
    expect(waits()).toBe(0)
    await bench.machines.close()
  })

  it('gives way to a later SYN, whose connection has numbers of its own (RFC 6191)', async () => {
    const { peer, waits, bench, libos, listener } = await closedFirst()
    const old = peer.received
    const [answer] = peer.exchange({ flags: SYN, sequence: peer.next + 1000, acknowledgment: 0 })
    expect(answer.text).toMatch(/^SYN ACK /)
    expect((answer.segment.sequence - old) | 0).toBeGreaterThan(60_000)
    expect(waits()).toBe(0)
    peer.next += 1001
    peer.received = (answer.segment.sequence + 1) | 0
    peer.exchange({ flags: ACK })
    expect(libos.runtime.wait(libos.accept(listener)).kind).toBe('accept')
    await bench.machines.close()
  })

  it('is bounded: the oldest ends early', async () => {
    const pair = await StreamPair.create({ options: { tcpTimeWaits: 10 } })
    for (let i = 0; i < 25; i++) {
      const { client, server } = pair.connect()
      pair.a.close(client)
      pair.read(pair.b, server)
      pair.b.close(server)
      pair.run(1)
    }
    expect(pair.a.sockets().filter(({ state }) => state === 'time-wait')).toHaveLength(10)
    expect(pair.counter(pair.a, 'tcpExt.TimeWaitEvictions')).toBe(15)
    expect(await pair.close()).toBe(0)
  })
})
