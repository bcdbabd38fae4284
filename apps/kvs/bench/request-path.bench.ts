/**
 * The request path without a NIC: receive bursts of 32 datagrams are parsed, looked up and answered by the server's own
 * handler, at 1, 4, 16 and 32 operations a datagram. What a libOS adds (headers, checksums, rings) is not in it.
 *
 * Requests are made beforehand and copied into the frames before each burst, because replies in place destroy them; the
 * copying is timed alone and subtracted. Time is CPU time of the thread, so that a busy neighbour costs little.
 */
import { type BenchCase, benchCases, collectionsDuring } from '@parakernel/tool-bench'
import { Bench, type Case, Driver, KEYS, pass, Requests, serve } from './request-driver.ts'

const MIXES: readonly Case[] = [
  { name: '8/8 zipf, 95 % GET', keyBytes: 8, valueBytes: 8, distribution: 'zipf', gets: 0.95 },
  { name: '8/8 uniform, 95 % GET', keyBytes: 8, valueBytes: 8, distribution: 'uniform', gets: 0.95 },
  { name: '8/8 zipf, 50 % GET', keyBytes: 8, valueBytes: 8, distribution: 'zipf', gets: 0.5 },
]
const TRIALS = 7

async function requestPath(mix: Case, perPacket: number) {
  const bench = new Bench(160 << 20)
  const server = serve(bench, mix.keyBytes + mix.valueBytes)
  const driver = new Driver(bench)
  const filling = new Requests(mix, 32, true)
  for (let key = 0; key < KEYS; key += filling.operations) pass(driver, filling, 1, true)
  const requests = new Requests(mix, perPacket, false)
  const rounds = Math.max(1, Math.round((1 << 20) / requests.operations))
  pass(driver, requests, rounds, true)
  pass(driver, requests, rounds, false)
  const before = server.state.counters.snapshot()
  const nanoseconds: number[] = []
  for (let trial = 0; trial < TRIALS; trial++) {
    const copying = pass(driver, requests, rounds, false)
    const all = pass(driver, requests, rounds, true)
    nanoseconds.push((all - copying) / (rounds * requests.operations))
  }
  const after = server.state.counters.snapshot()
  const inPlace = after.repliesInPlace - before.repliesInPlace
  const inSpareFrame = after.repliesInSpareFrame - before.repliesInSpareFrame
  // One million requests and more: nothing may be allocated for them.
  const collections = await collectionsDuring(() => void pass(driver, requests, rounds, true))
  const median = nanoseconds.sort((a, b) => a - b)[TRIALS >> 1]
  return {
    value: 1000 / median,
    'ns/request': median,
    '% in place': (100 * inPlace) / (inPlace + inSpareFrame),
    collections,
  }
}

const cases: Record<string, BenchCase> = {}
for (const mix of MIXES) {
  for (const perPacket of [1, 4, 16, 32]) {
    cases[`${mix.name}, ${perPacket} a packet`] = () => requestPath(mix, perPacket)
  }
}
await benchCases(
  import.meta,
  { title: 'request path without a NIC, one core', unit: 'M requests/s', better: 'more' },
  cases,
)
