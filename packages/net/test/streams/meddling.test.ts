import { type QueueDescriptor, STREAM_DATA, STREAM_ECHO, STREAM_ENDED, sgaFromBytes } from '@parakernel/queue'
import { expect, test } from 'vitest'
import { randomBelow, seededRandom } from '../../src/random.ts'
import { MILLISECOND, SECOND } from '../support/machines.ts'
import { MeddledPair } from './support/middle.ts'
import { isSegmentOf, mutate } from './support/mutation.ts'
import { pattern } from './support/pair.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'
const SEGMENTS = LONG ? 1_000_000 : 8_000
/** Connections to this port are meddled with; those to the other one are bystanders. */
const VICTIM = 80
const BYSTANDER = 81
const CONNECTIONS = 12

/**
 * Live connections whose segments somebody in the middle changes, repeats, holds back and replays. Bytes may be changed by
 * him, which no TCP can see; but no stack throws, hangs or loses a frame, memory stays within its bounds, and connections
 * that he leaves alone are not harmed.
 */
test(`${SEGMENTS} segments of live connections, mutated`, { timeout: LONG ? 3_600_000 : 60_000 }, async () => {
  const random = seededRandom(20_261_121)
  const seen: Uint8Array[] = []
  let mutated = 0
  const pair = await MeddledPair.create(
    (frame) => {
      if (!isSegmentOf(frame, VICTIM)) return [frame]
      mutated++
      if (seen.length < 512) seen.push(frame)
      else seen[randomBelow(random, 512)] = frame
      switch (randomBelow(random, 8)) {
        case 0:
          return []
        case 1:
          return [frame, frame]
        case 2:
          return [mutate(frame, random)]
        case 3:
          return [mutate(frame, random), frame]
        case 4:
          return [frame, mutate(seen[randomBelow(random, seen.length)], random)]
        case 5:
          return [frame, seen[randomBelow(random, seen.length)]]
        default:
          return [frame]
      }
    },
    { tcpTimeWait: 1000, tcpRetries: 6, tcpSynRetries: 3 },
  )
  const { a, b } = pair
  for (const port of [VICTIM, BYSTANDER]) {
    const listener = b.socket('stream')
    b.bind(listener, { address: '10.0.0.2', port })
    b.listen(listener, 64)
    b.serveStreams(listener, (burst) => {
      for (let i = 0; i < burst.count; i++) {
        if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
        else if (burst.event[i] === STREAM_ENDED) b.halfClose(burst.qd[i] as QueueDescriptor)
      }
    })
  }
  const bystander = a.socket('stream')
  expect(a.runtime.wait(a.connect(bystander, { address: '10.0.0.2', port: BYSTANDER }), 10 * SECOND).kind).toBe(
    'connect',
  )
  let passed = 0
  /** A kilobyte there and back, on the connection that nobody meddles with. */
  const exchange = () => {
    const bytes = pattern(1024, passed)
    const sga = sgaFromBytes(a.pool, bytes)
    a.runtime.wait(a.push(bystander, sga), 10 * SECOND)
    sga.free()
    let received = 0
    while (received < bytes.length) {
      const popped = a.runtime.wait(a.pop(bystander), 10 * SECOND)
      if (popped.kind !== 'pop') throw new Error(`the bystander: ${JSON.stringify(popped)}`)
      const part = popped.sga.toBytes()
      popped.sga.free()
      expect(Buffer.compare(part, bytes.subarray(received, received + part.length))).toBe(0)
      received += part.length
    }
    passed += bytes.length
  }

  const victims = new Set<QueueDescriptor>()
  while (mutated < SEGMENTS) {
    while (victims.size < CONNECTIONS) {
      const qd = a.socket('stream')
      victims.add(qd)
      a.connect(qd, { address: '10.0.0.2', port: VICTIM })
    }
    for (const qd of victims) {
      const choice = randomBelow(random, 40)
      if (choice === 0) {
        if (randomBelow(random, 2) === 0) a.setsockopt(qd, 'linger', 0)
        a.close(qd)
        victims.delete(qd)
      } else if (choice === 1) {
        a.asyncClose(qd)
        victims.delete(qd)
      } else if (choice < 20) {
        const sga = sgaFromBytes(a.pool, pattern(1 + randomBelow(random, 6000)))
        a.push(qd, sga)
        sga.free()
      } else {
        a.pop(qd)
      }
    }
    pair.run(randomBelow(random, 20) * MILLISECOND)
    for (let next = a.runtime.waitNext(0); next !== undefined; next = a.runtime.waitNext(0)) {
      if (next.kind === 'pop') next.sga.free()
      else if (next.kind === 'failed' && victims.has(next.qd) && next.code !== 'ECANCELED') {
        a.close(next.qd)
        victims.delete(next.qd)
      }
    }
    exchange()
    expect(a.sockets().length + b.sockets().length).toBeLessThan(20_000)
  }

  // What is left ends by itself: neither a connection nor a frame is held for ever.
  for (const qd of [...victims, bystander]) a.close(qd)
  pair.run(600 * SECOND)
  for (const libos of [a, b]) {
    const left = libos.sockets().filter(({ type, state }) => type === 'stream' && state !== 'listen')
    expect(left.filter(({ qd }) => qd === undefined)).toEqual([])
  }
  expect(await pair.close()).toEqual(['', ''])
  expect(passed).toBeGreaterThan(0)
})
