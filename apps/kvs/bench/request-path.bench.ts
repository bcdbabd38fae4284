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
import { createFrameWindow, createPlainRegion, FramePool } from '@parakernel/hal'
import { keyhash, OP_GET, OP_SET } from '@parakernel/mica'
import { DatagramBurst, type DatagramHandler, type NetworkLibOS, NO_REPLY } from '@parakernel/queue'
import { Random } from '../src/load/random.ts'
import { keyChoiceOf } from '../src/load/workload.ts'
import { PACKET_HEADER_BYTES, pad8 } from '../src/protocol/native/layout.ts'
import {
  OperationFields,
  requestBytes,
  writeOperation,
  writeRequestHeader,
} from '../src/protocol/native/request-writer.ts'
import { KvsServer } from '../src/server/kvs-server.ts'

const BURST = 32
const PACKETS = 4096
const KEYS = 1 << 20
const PAYLOAD = 304

interface Case {
  readonly name: string
  readonly keyBytes: number
  readonly valueBytes: number
  readonly distribution: 'uniform' | 'zipf'
  readonly gets: number
}

const CASES: readonly Case[] = [
  { name: '8/8 zipf 95', keyBytes: 8, valueBytes: 8, distribution: 'zipf', gets: 0.95 },
  { name: '8/8 uniform 95', keyBytes: 8, valueBytes: 8, distribution: 'uniform', gets: 0.95 },
  { name: '8/8 zipf 50', keyBytes: 8, valueBytes: 8, distribution: 'zipf', gets: 0.5 },
]

/** A libOS that is nothing but a place to plug the handler in. */
class Bench {
  readonly pool: FramePool
  readonly heap: { byteOffset: number; byteLength: number }
  handler: DatagramHandler | undefined

  constructor(heapBytes: number) {
    const frames = 256
    const region = createPlainRegion(frames * 2048 + heapBytes)
    this.pool = new FramePool(createFrameWindow({ region, frameCount: frames }))
    this.heap = { byteOffset: frames * 2048, byteLength: heapBytes }
  }

  get libos(): NetworkLibOS {
    return {
      pool: this.pool,
      socket: () => 1,
      bind: () => {},
      close: () => {},
      serveDatagrams: (_qd: number, handler: DatagramHandler) => {
        this.handler = handler
      },
      sendDatagrams: (_qd: number, burst: DatagramBurst) => {
        for (let i = 0; i < burst.count; i++) this.pool.release(burst.frame[i])
        return burst.count
      },
    } as unknown as NetworkLibOS
  }
}

class Requests {
  readonly bytes: Uint8Array
  readonly wide: BigUint64Array
  readonly length = new Int32Array(PACKETS)
  operations = 0

  constructor(c: Case, perPacket: number, fill: boolean) {
    this.bytes = new Uint8Array(PACKETS * 2048)
    this.wide = new BigUint64Array(this.bytes.buffer)
    const view = new DataView(this.bytes.buffer)
    const random = new Random(7)
    const choice = keyChoiceOf(c.distribution, KEYS, random)
    const fields = new OperationFields()
    const lanes = new Int32Array(2)
    const key = new Uint8Array(pad8(c.keyBytes))
    const keyView = new DataView(key.buffer)
    for (let p = 0; p < PACKETS; p++) {
      const base = p * 2048
      let at = base + PACKET_HEADER_BYTES
      for (let i = 0; i < perPacket; i++) {
        const number = fill ? this.operations % KEYS : choice.next(random)
        const get = !fill && random.unit() < c.gets
        keyView.setInt32(0, number, true)
        keyView.setInt32(4, Math.imul(number, 0x9e3779b1), true)
        keyhash(key, 0, c.keyBytes, lanes)
        fields.opcode = get ? OP_GET : OP_SET
        fields.keyLength = c.keyBytes
        fields.valueLength = get ? 0 : c.valueBytes
        fields.hashLo = lanes[0]
        fields.hashHi = lanes[1]
        fields.opaque = i
        const keyAt = writeOperation(view, at, fields)
        this.bytes.set(key, keyAt)
        at += requestBytes(c.keyBytes, fields.valueLength, false)
        this.operations++
      }
      writeRequestHeader(view, base, perPacket, p, 0, 0)
      this.length[p] = at - base
    }
  }
}

class Driver {
  readonly bench: Bench
  readonly burst = new DatagramBurst(BURST)
  readonly #wide: BigUint64Array
  readonly #frames: number[] = []

  constructor(bench: Bench) {
    this.bench = bench
    this.#wide = new BigUint64Array(bench.pool.bytes.buffer)
    for (let i = 0; i < BURST; i++) this.#frames.push(bench.pool.allocate())
  }

  /** Puts packets `from` to `from + 31` into the burst's frames, as a device would by DMA. */
  receive(requests: Requests, from: number): void {
    const { burst, bench } = this
    burst.count = BURST
    for (let i = 0; i < BURST; i++) {
      const address = bench.pool.address(this.#frames[i]) + PAYLOAD
      const length = requests.length[from + i]
      let source = ((from + i) * 2048) >> 3
      let target = address >> 3
      for (const end = source + (length >> 3); source < end; source++, target++) {
        this.#wide[target] = requests.wide[source]
      }
      burst.frame[i] = this.#frames[i]
      burst.address[i] = address
      burst.length[i] = length
      burst.peerAddress[i] = 0x0a000002
      burst.peerPort[i] = 40_000
      burst.localPort[i] = 9000
      burst.room[i] = 1472
      burst.reply[i] = NO_REPLY
      burst.replyFrame[i] = -1
    }
  }

  /** What a libOS does after the handler, as far as frames go. Returns the replies. */
  finish(): number {
    const { burst, bench } = this
    let replies = 0
    for (let i = 0; i < BURST; i++) {
      if (burst.reply[i] >= 0) replies++
      if (burst.replyFrame[i] >= 0) bench.pool.release(burst.replyFrame[i])
    }
    return replies
  }

  handle(): void {
    this.bench.handler!(this.burst, 1e9)
  }
}

const cpu = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}

/** Nanoseconds of CPU for `rounds` passes over all packets; without `serve`, the copying alone. */
function pass(driver: Driver, requests: Requests, rounds: number, serve: boolean): number {
  const start = cpu()
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < PACKETS; from += BURST) {
      driver.receive(requests, from)
      if (serve) driver.handle()
      driver.finish()
    }
  }
  return cpu() - start
}

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
  const server = new KvsServer(bench.libos, {
    index: 0,
    partitions: 1,
    port: 9000,
    memcachedPort: 0,
    guard: 'private',
    key: new Uint8Array(16),
    heap: bench.heap,
    expectedItemBytes: c.keyBytes + c.valueBytes,
  })
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
new KvsServer(bench.libos, {
  index: 0,
  partitions: 1,
  port: 9000,
  memcachedPort: 0,
  guard: 'private',
  key: new Uint8Array(16),
  heap: bench.heap,
})
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
