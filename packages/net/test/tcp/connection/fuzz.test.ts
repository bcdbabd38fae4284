import { describe, expect, it } from 'vitest'
import { randomBelow, seededRandom } from '../../../src/random.ts'
import { EVENT_CLOSED } from '../../../src/tcp/connection/events.ts'
import { distance } from '../../../src/tcp/sequence.ts'
import { CLOSED, ESTABLISHED, TIME_WAIT } from '../../../src/tcp/state.ts'
import { Bench, type BenchOptions, type Fields, IRS, ISS, NOTHING_REMAINS } from './support/bench.ts'
import { openPassive } from './support/states.ts'

const SEGMENTS = Number(process.env['PK_FUZZ'] ?? 30_000)

type Choose = (bound: number) => number

/** A segment that is nearly right: most fields fit, some are off by a little, by a window, or by anything. */
function mutated(bench: Bench, choose: Choose): Fields {
  const { connection } = bench
  const near = (value: number): number => {
    switch (choose(12)) {
      case 0:
        return value + 1
      case 1:
        return value - 1
      case 2:
        return value + choose(100_000)
      case 3:
        return value - choose(100_000)
      case 4:
        return choose(2 ** 32)
      default:
        return value
    }
  }
  const flags =
    choose(6) > 0 ? '.' : ['', 'S', 'S.', 'F.', 'FP.', 'R', 'R.', 'FSRP.UEW', 'U.', 'E.', 'W.', 'SF'][choose(12)]
  const acks = [connection.sendNext, connection.sendUna, connection.sendUna + 1, connection.sendUna + 1460]
  return {
    flags,
    seq: near(choose(4) > 0 ? connection.receiveNext : connection.receiveNext + choose(6) * 1000),
    ack: near(acks[choose(acks.length)]),
    win: [0xffff, 0xffff, 0xffff, 0, 1, choose(0x1_0000)][choose(6)],
    data: [0, 0, 1, 10, 1000, 1460][choose(6)],
    mss: choose(10) === 0 ? choose(0x1_0000) : 0,
    windowScale: choose(10) === 0 ? choose(256) : -1,
    sackPermitted: choose(10) === 0,
    ...(choose(8) > 0 && connection.hasTimestamps
      ? { timestamp: [near(connection.timestampRecent + choose(3)), near(0)] as const }
      : {}),
    ...(choose(6) === 0 ? { sack: [[near(connection.sendUna + 1000), near(connection.sendUna + 2460)] as const] } : {}),
    userTimeout: choose(20) === 0 ? choose(0x1_0000) : -1,
    ecn: choose(4),
    segmentSize: choose(10) === 0 ? 1 + choose(1460) : 0,
  }
}

const variants: readonly BenchOptions[] = [
  {},
  { settings: { sack: true, timestamps: true, windowScaling: true, tailLossProbe: true, ecn: 'active' } },
  {
    settings: {
      sack: true,
      mtuProbing: 'always',
      keepAlive: true,
      keepAliveIdle: 1e9,
      userTimeout: 20e9,
      nagle: 'off',
    },
  },
  {
    settings: { timestamps: true, announceUserTimeout: true, linger: 1e9, notSentLowWater: 5000 },
    path: { superPacket: 16_000 },
  },
]

/** Lives one connection through random calls; returns the segments that it was sent. */
function live(options: BenchOptions, choose: Choose): number {
  const bench = new Bench(options)
  const { connection } = bench
  const peer: Fields = { windowScale: 4, sackPermitted: true, timestamp: [1, 0], flags: 'SEW' }
  if (choose(2) === 0) connection.openActive(ISS, 0, bench.now)
  else openPassive(bench, peer)
  bench.drain()
  if (choose(4) > 0) {
    bench.receive(
      connection.passive
        ? { seq: IRS + 1, ack: ISS + 1, timestamp: [2, 0] }
        : { ...peer, flags: 'SE.', seq: IRS, ack: ISS + 1 },
    )
  }
  let count = 0
  let edge = connection.receiveRight
  let synchronized = false
  for (let step = 0; step < 300; step++) {
    const action = choose(20)
    if (action < 14) {
      bench.put(mutated(bench, choose))
      count++
      if (choose(3) > 0) bench.drain()
    } else if (action < 16) {
      if (connection.canWrite > 3000) {
        try {
          bench.write(choose(3000))
        } catch {}
      }
    } else if (action === 16) bench.read(choose(5000))
    else if (action === 17) bench.until(bench.milliseconds + choose(3000))
    else if (action === 18 && choose(10) === 0) connection.shutdownWrite()
    else if (action === 19 && choose(40) === 0) bench.close()
    else if (choose(30) === 0) connection.packetTooBig(choose(1500), connection.sendUna + choose(2000), bench.now)

    if (connection.state === CLOSED) break
    if (!synchronized) edge = connection.receiveRight
    synchronized ||= connection.state >= ESTABLISHED
    expect(distance(connection.receiveRight, edge)).toBeGreaterThanOrEqual(0)
    edge = connection.receiveRight
    expect(distance(connection.sendNext, connection.sendUna)).toBeGreaterThanOrEqual(0)
    expect(connection.recovery.bytesInFlight).toBeGreaterThanOrEqual(0)
    expect(connection.receiveQueue.readable).toBeLessThanOrEqual(connection.receiveTuning.size)
  }
  bench.drain()
  bench.close()
  if (connection.state !== CLOSED && connection.state !== TIME_WAIT && choose(2) === 0) bench.abort()
  bench.until(bench.milliseconds + 3e6)
  expect(bench.state).toBe('closed')
  expect(connection.events & EVENT_CLOSED).toBe(EVENT_CLOSED)
  expect(bench.remains()).toEqual(NOTHING_REMAINS)
  expect(bench.memory.timers.rows).toBe(0)
  expect(bench.pool.misuses).toBe(0)
  return count
}

describe('segments that are nearly right', { timeout: 120_000 }, () => {
  it('never make a connection throw, hang, leak, or take its window back', () => {
    let segments = 0
    for (let seed = 1; segments < SEGMENTS; seed++) {
      const random = seededRandom(seed)
      try {
        segments += live(variants[seed % variants.length], (bound) => randomBelow(random, bound))
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause })
      }
    }
    expect(segments).toBeGreaterThanOrEqual(SEGMENTS)
  })
})
