/**
 * The request path without a NIC: receive bursts of 32 datagrams are parsed, looked up and answered by the server's own
 * handler, at 1, 4, 16 and 32 operations a datagram. What a libOS adds (headers, checksums, rings) is not in it.
 *
 *     pnpm exec node --conditions=source --expose-gc apps/kvs/bench/request-path.bench.ts [--json]
 *
 * Requests are made beforehand and copied into the frames before each burst, because replies in place destroy them; the
 * copying is timed alone and subtracted. Time is CPU time of the thread, so that a busy neighbour costs little.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { Bench, type Case, Driver, KEYS, pass, Requests, serve } from './request-driver.ts'

const CASES: readonly Case[] = [
  { name: '8/8 zipf 95', keyBytes: 8, valueBytes: 8, distribution: 'zipf', gets: 0.95 },
  { name: '8/8 uniform 95', keyBytes: 8, valueBytes: 8, distribution: 'uniform', gets: 0.95 },
  { name: '8/8 zipf 50', keyBytes: 8, valueBytes: 8, distribution: 'zipf', gets: 0.5 },
]

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]
}

const rows: { case: string; perPacket: number; mops: number; nanoseconds: number; inPlace: number }[] = []
let collections = 0
new PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ['gc'] })

for (const c of CASES) {
  const bench = new Bench(160 << 20)
  const server = serve(bench, c.keyBytes + c.valueBytes)
  const driver = new Driver(bench)
  const filling = new Requests(c, 32, true)
  for (let key = 0; key < KEYS; key += filling.operations) pass(driver, filling, 1, true)
  for (const perPacket of [1, 4, 16, 32]) {
    const requests = new Requests(c, perPacket, false)
    const rounds = Math.max(1, Math.round((1 << 20) / requests.operations))
    pass(driver, requests, rounds, true)
    const before = server.state.counters.snapshot()
    const nanoseconds: number[] = []
    for (let trial = 0; trial < 7; trial++) {
      const copying = pass(driver, requests, rounds, false)
      const all = pass(driver, requests, rounds, true)
      nanoseconds.push((all - copying) / (rounds * requests.operations))
    }
    const after = server.state.counters.snapshot()
    const answered =
      after.repliesInPlace + after.repliesInSpareFrame - before.repliesInPlace - before.repliesInSpareFrame
    const one = median(nanoseconds)
    rows.push({
      case: c.name,
      perPacket,
      mops: 1000 / one,
      nanoseconds: one,
      inPlace: (after.repliesInPlace - before.repliesInPlace) / answered,
    })
  }
}

// Nothing may be allocated: one million requests and more must not start a single collection.
const bench = new Bench(160 << 20)
serve(bench, 16)
const driver = new Driver(bench)
const requests = new Requests(CASES[0], 16, false)
pass(driver, requests, 20, true)
globalThis.gc?.()
await new Promise((resolve) => setTimeout(resolve, 50))
collections = 0
pass(driver, requests, 40, true)
await new Promise((resolve) => setTimeout(resolve, 50))

if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ rows, collections, requests: 40 * requests.operations }))
} else {
  console.log('case            per packet   M requests/s   ns/request   replies in place')
  for (const row of rows) {
    console.log(
      `${row.case.padEnd(16)}${String(row.perPacket).padStart(10)}${row.mops.toFixed(2).padStart(15)}` +
        `${row.nanoseconds.toFixed(1).padStart(13)}${`${(100 * row.inPlace).toFixed(0)} %`.padStart(19)}`,
    )
  }
  console.log(`\ngarbage collections in ${40 * requests.operations} requests: ${collections}`)
}
process.exitCode = collections === 0 ? 0 : 1
