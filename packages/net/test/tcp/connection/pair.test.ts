import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeSegment } from '../../../src/tcp/segment.ts'
import type { TcpSettings } from '../../../src/tcp/settings.ts'
import { CLOSED } from '../../../src/tcp/state.ts'
import { type Side, type SideOptions, Wire, type WireOptions } from './support/wire.ts'

/** Runs a whole connection; both sides must have got every byte and be closed with nothing left. */
function transfer(options: WireOptions, a: SideOptions, b: SideOptions, how: 'passive' | 'simultaneous' = 'passive') {
  const wire = new Wire(options, a, b)
  if (how === 'passive') wire.open()
  else wire.openBoth()
  wire.run(3_600_000, () => wire.isOver && [wire.a, wire.b].every((side) => side.connection.readable === 0))
  const took = wire.now[0]
  wire.run(7_200_000)
  return { wire, took }
}

function check({ wire }: { wire: Wire }, a: SideOptions, b: SideOptions): void {
  // All connections of a stack share it, closed ones too.
  for (const { memory } of [wire.a, wire.b]) memory.shared.clear()
  const summary = (side: Side, peer: SideOptions, own: SideOptions) => ({
    state: side.state,
    failure: side.connection.failure,
    received: side.received,
    corrupt: side.corrupt,
    written: side.written,
    frames: side.pool.frameCount - side.pool.available,
    misuses: side.pool.misuses,
    pollAt: side.connection.pollAt,
    expected: [peer.send ?? 0, own.send ?? 0],
  })
  const good = (peer: SideOptions, own: SideOptions) => ({
    state: 'closed',
    failure: undefined,
    received: peer.send ?? 0,
    corrupt: false,
    written: own.send ?? 0,
    frames: 0,
    misuses: 0,
    pollAt: Number.POSITIVE_INFINITY,
    expected: [peer.send ?? 0, own.send ?? 0],
  })
  expect(wire.rules.broken).toEqual([])
  expect(summary(wire.a, b, a)).toEqual(good(b, a))
  expect(summary(wire.b, a, b)).toEqual(good(a, b))
}

/** Everything that is sent, and when. */
function trace(options: WireOptions, a: SideOptions, b: SideOptions): { lines: string[]; predicted: number } {
  const wire = new Wire(options, a, b)
  const lines: string[] = []
  wire.watch = (from, segment, now) => {
    lines.push(`${now} ${from === wire.a ? 'a' : 'b'} ${describeSegment(segment)}`)
    return undefined
  }
  wire.open()
  wire.run(3_600_000, () => wire.isOver)
  const count = ({ counters }: Side) =>
    counters.get('tcpExt.HeaderPredictedAcks') + counters.get('tcpExt.HeaderPredictedData')
  return { lines, predicted: count(wire.a) + count(wire.b) }
}

describe('header prediction', () => {
  it('does what the stages of RFC 9293 section 3.10.7.4 do: not a segment or a moment differs without it', () => {
    let predicted = 0
    for (let seed = 1; seed <= 20; seed++) {
      const options = {
        seed,
        loss: 0.01 * (seed % 3),
        reorder: 0.1 * (seed % 2),
        mark: 0.05 * (seed % 4),
        merge: seed % 5 > 0,
      }
      const sendBufferInitial = seed % 2 ? 20_000 : 262_144
      const settings = {
        sendBufferInitial,
        ecn: 'active',
        nagle: seed % 2 ? 'off' : 'minshall',
        sack: seed % 7 > 0,
      } as const
      const a = { settings, send: 100_000, chunk: 300 + 50 * seed, writeFrom: 10 * seed }
      const b = { settings, send: 60_000, chunk: 1000 }
      const fast = trace(options, a, b)
      const slow = trace({ ...options, urgent: true }, a, b)
      predicted += fast.predicted
      expect(slow.predicted).toBe(0)
      expect(fast.lines).toEqual(slow.lines)
    }
    expect(predicted).toBeGreaterThan(1000)
  })
})

describe('two connections on a wire', () => {
  it('deliver a megabyte each way, and close', () => {
    const side = { send: 1_000_000 }
    check(transfer({ seed: 1 }, side, side), side, side)
  })

  it('open simultaneously, exchange and close', () => {
    const side = { send: 10_000 }
    check(transfer({ seed: 1 }, side, side, 'simultaneous'), side, side)
  })

  it('lose a tenth of everything', () => {
    const side = { send: 200_000 }
    check(transfer({ seed: 7, loss: 0.1 }, side, side), side, side)
  })

  it('RFC 4821: get through a black hole for long packets, by shorter ones, and find the limit', () => {
    const side = { send: 2_000_000 }
    const result = transfer({ seed: 3, blackHole: 1400 }, side, {})
    check(result, side, {})
    expect(result.wire.a.counters.get('tcpExt.BlackHoles')).toBeGreaterThan(0)
    expect(result.took / 1e9).toBeLessThan(30)
  })
})

const settings: fc.Arbitrary<Partial<TcpSettings>> = fc.record({
  sack: fc.boolean(),
  timestamps: fc.boolean(),
  windowScaling: fc.boolean(),
  rack: fc.boolean(),
  tailLossProbe: fc.boolean(),
  congestionControl: fc.constantFrom('cubic' as const, 'newreno' as const),
  nagle: fc.constantFrom('minshall' as const, 'rfc896' as const, 'off' as const),
  ecn: fc.constantFrom('active' as const, 'passive' as const, 'off' as const),
  mtuProbing: fc.constantFrom('always' as const, 'black-hole' as const, 'off' as const),
  receiveBufferInitial: fc.constantFrom(4096, 20_000, 262_144),
  sendBufferInitial: fc.constantFrom(4096, 20_000, 262_144),
  quickAcks: fc.constantFrom(0, 16),
  maximumSegment: fc.constantFrom(0, 500),
  keepAlive: fc.boolean(),
})

const side: fc.Arbitrary<SideOptions> = fc.record({
  settings,
  path: fc.record({ superPacket: fc.constantFrom(0, 16_000, 64_000) }),
  send: fc.constantFrom(0, 1, 1000, 30_000, 120_000),
  chunk: fc.constantFrom(1, 100, 700, 1400),
  readFrom: fc.constantFrom(0, 0, 500, 5000),
  writeFrom: fc.constantFrom(0, 0, 300),
})

describe('property: whatever the wire does, the bytes arrive and the connection closes', { timeout: 120_000 }, () => {
  it('over a lossy, reordering, duplicating wire', () => {
    fc.assert(
      fc.property(
        side,
        side,
        fc.record({
          seed: fc.integer({ min: 0, max: 1 << 30 }),
          loss: fc.constantFrom(0, 0.01, 0.05, 0.2),
          duplicate: fc.constantFrom(0, 0.05),
          reorder: fc.constantFrom(0, 0.1, 0.5),
          mark: fc.constantFrom(0, 0.05),
          delay: fc.constantFrom(0.1, 10, 100),
          merge: fc.boolean(),
          renege: fc.constantFrom(0, 0.02),
          blackHole: fc.constantFrom(0, 0, 1300),
          icmp: fc.constant(true),
        }),
        fc.constantFrom('passive' as const, 'simultaneous' as const),
        (a, b, wire, how) => {
          // One byte at a time is slow for long streams, and tells nothing that short ones do not.
          const shorten = (s: SideOptions): SideOptions =>
            s.chunk === 1 ? { ...s, send: Math.min(1000, s.send ?? 0) } : s
          const result = transfer(wire, shorten(a), shorten(b), how)
          check(result, shorten(a), shorten(b))
          expect(result.wire.a.connection.state).toBe(CLOSED)
        },
      ),
      { numRuns: Number(process.env['PK_RUNS'] ?? 60) },
    )
  })

  it('a reset at any moment ends both sides, and nothing is left', () => {
    fc.assert(
      fc.property(
        side,
        side,
        fc.record({
          seed: fc.integer({ min: 0, max: 1 << 30 }),
          loss: fc.constantFrom(0, 0.05),
          reorder: fc.constantFrom(0, 0.2),
          delay: fc.constantFrom(0.1, 20),
        }),
        fc.integer({ min: 0, max: 400 }),
        fc.constantFrom('abort' as const, 'close' as const),
        (a, b, options, moment, how) => {
          const wire = new Wire(options, a, b)
          wire.open()
          let sent = 0
          wire.watch = () => {
            sent++
            return undefined
          }
          wire.run(3_600_000, () => sent >= moment)
          const { connection } = wire.a
          if (how === 'abort') connection.abort()
          else connection.close(wire.now)
          // The program on the other side hears of it, and lets go too.
          wire.run(3_600_000, () => wire.b.connection.state === CLOSED)
          for (const each of [wire.a, wire.b]) each.connection.close(wire.now)
          wire.run(7_200_000)
          for (const each of [wire.a, wire.b]) {
            each.memory.shared.clear()
            expect([each.state, each.pool.frameCount - each.pool.available, each.pool.misuses]).toEqual([
              'closed',
              0,
              0,
            ])
            expect([each.connection.pollAt, each.memory.frames, each.memory.timers.rows]).toEqual([Infinity, 0, 0])
          }
          expect(wire.rules.broken).toEqual([])
        },
      ),
      { numRuns: Number(process.env['PK_RUNS'] ?? 60) },
    )
  })
})
