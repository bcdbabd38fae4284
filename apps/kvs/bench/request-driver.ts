import { createFrameWindow, createPlainRegion, FramePool } from '@parakernel/hal'
import { keyhash, OP_GET, OP_SET } from '@parakernel/mica'
import { DatagramBurst, type DatagramHandler, type NetworkLibOS, NO_REPLY } from '@parakernel/queue'
import { threadCpuNanoseconds } from '@parakernel/tool-bench'
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
export const KEYS = 1 << 20
const PAYLOAD = 304

export interface Case {
  readonly name: string
  readonly keyBytes: number
  readonly valueBytes: number
  readonly distribution: 'uniform' | 'zipf'
  readonly gets: number
}

/** A libOS that is nothing but a place to plug the handler in. */
export class Bench {
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

export class Requests {
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

export class Driver {
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

/** Nanoseconds of CPU for `rounds` passes over all packets; without `serve`, the copying alone. */
export function pass(driver: Driver, requests: Requests, rounds: number, serve: boolean): number {
  const start = threadCpuNanoseconds()
  for (let round = 0; round < rounds; round++) {
    for (let from = 0; from < PACKETS; from += BURST) {
      driver.receive(requests, from)
      if (serve) driver.handle()
      driver.finish()
    }
  }
  return threadCpuNanoseconds() - start
}

/** A server for the driver's bursts. */
export function serve(bench: Bench, itemBytes: number): KvsServer {
  return new KvsServer(bench.libos, {
    index: 0,
    partitions: 1,
    port: 9000,
    memcachedPort: 0,
    guard: 'private',
    key: new Uint8Array(16),
    heap: bench.heap,
    expectedItemBytes: itemBytes,
  })
}
