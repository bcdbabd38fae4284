import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type QueueDescriptor, STREAM_DATA, STREAM_ECHO, STREAM_ENDED, sgaFromBytes } from '@parakernel/queue'
import { expect, test } from 'vitest'
import { randomBelow, seededRandom } from '../../src/random.ts'
import { MILLISECOND, SECOND } from '../support/machines.ts'
import { MeddledPair } from './support/middle.ts'
import { isSegmentOf, withChecksums } from './support/mutation.ts'
import { pattern } from './support/pair.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'
/** Of real time. */
const SECONDS = LONG ? 600 : 8
const SAMPLES = 10
/** Bytes. In seconds the tables of descriptors, whose numbers go round, have not reached their size yet. */
const GROWTH = LONG ? 1_000_000 : 4_000_000
const PORT = 80
const CONNECTIONS = 200
const RESET = 0x04

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes that live objects take. */
function heap(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

test(`connections that come and go for ${SECONDS} s, some of them reset from outside`, {
  timeout: (SECONDS + 120) * 1000,
}, async () => {
  const random = seededRandom(7)
  let resets = 0
  const pair = await MeddledPair.create(
    (frame) => {
      if (!isSegmentOf(frame, PORT) || randomBelow(random, 400) > 0) return [frame]
      resets++
      const reset = frame.slice(0, 54)
      reset[46] = 0x50
      reset[47] = RESET
      return [frame, withChecksums(reset)]
    },
    // A reset that reached one end alone leaves the other half open: that is what keepalive is for.
    {
      tcpTimeWait: 2000,
      tcpKeepAlive: true,
      tcpKeepAliveIdle: 1000,
      tcpKeepAliveInterval: 1000,
      tcpKeepAliveProbes: 3,
    },
  )
  const { a, b } = pair
  const listener = b.socket('stream')
  b.bind(listener, { address: '10.0.0.2', port: PORT })
  b.listen(listener, 256)
  b.serveStreams(listener, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
      else if (burst.event[i] === STREAM_ENDED) b.halfClose(burst.qd[i] as QueueDescriptor)
    }
  })
  const open = new Set<QueueDescriptor>()
  let opened = 0
  const round = () => {
    while (open.size < CONNECTIONS) {
      const qd = a.socket('stream')
      a.connect(qd, { address: '10.0.0.2', port: PORT })
      open.add(qd)
      opened++
    }
    for (const qd of open) {
      const choice = randomBelow(random, 12)
      if (choice < 4) {
        const sga = sgaFromBytes(a.pool, pattern(1 + randomBelow(random, 500)))
        a.push(qd, sga)
        sga.free()
      } else if (choice < 8) a.pop(qd)
      else if (choice === 8) {
        a.asyncClose(qd)
        open.delete(qd)
      } else if (choice === 9) {
        if (randomBelow(random, 4) === 0) a.setsockopt(qd, 'linger', 0)
        a.close(qd)
        open.delete(qd)
      }
    }
    pair.run(5 * MILLISECOND)
    for (let next = a.runtime.waitNext(0); next !== undefined; next = a.runtime.waitNext(0)) {
      if (next.kind === 'pop') next.sga.free()
      else if (next.kind === 'failed' && open.delete(next.qd)) a.close(next.qd)
    }
  }
  const until = (end: number) => {
    while (performance.now() < end) round()
  }
  // Tables have grown to their size, and the code is compiled, when the measuring begins.
  const begin = performance.now()
  until(begin + (SECONDS * 1000) / 4)
  const sizes: number[] = []
  for (let i = 1; i <= SAMPLES; i++) {
    until(begin + SECONDS * (250 + (750 * i) / SAMPLES))
    for (const qd of open) a.close(qd)
    open.clear()
    pair.run(10 * SECOND)
    for (let next = a.runtime.waitNext(0); next !== undefined; next = a.runtime.waitNext(0)) {
      if (next.kind === 'pop') next.sga.free()
    }
    sizes.push(heap())
  }
  const early = Math.min(...sizes.slice(0, SAMPLES / 2))
  const late = Math.min(...sizes.slice(SAMPLES / 2))
  console.log(
    `${opened} connections, ${resets} forged resets, heap ${(early / 1e6).toFixed(2)} then ${(late / 1e6).toFixed(2)} MB`,
  )
  expect(resets).toBeGreaterThan(0)
  expect(late - early).toBeLessThan(GROWTH)
  for (const libos of [a, b]) {
    expect(libos.sockets().filter(({ type, state }) => type === 'stream' && state !== 'listen')).toEqual([])
  }
  expect(await pair.close()).toEqual(['', ''])
})
