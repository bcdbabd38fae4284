/**
 * One case of the store benchmark, in a process of its own: fills a partition, then runs one operation over a
 * prepared sequence of requests and prints millions of operations per second of thread CPU time, as JSON.
 * Timed: filling the batch's columns, `prepare`, `execute` with copying to an output area.
 */
import { createPlainRegion } from '@parakernel/hal'
import { itemBytes, type KernelChoice, keyhash, MicaPartition, OP_GET, OP_SET, RequestBatch } from '../src/index.ts'
import { permutation, rankSource } from './zipf.ts'

export interface StoreCase {
  readonly kernel: KernelChoice
  readonly mode: 'cache' | 'store'
  readonly operation: 'get' | 'set'
  readonly keyBytes: number
  readonly valueBytes: number
  readonly theta: number
  readonly keys: number
  /** Requests per prepare + execute. */
  readonly batch: number
  readonly operations: number
  readonly passes: number
}

export interface StoreCaseResult extends StoreCase {
  readonly best: number
  readonly median: number
  /** Share of GETs that found their key. */
  readonly hitRate: number
  readonly kernelUsed: string
}

/** Thread CPU time in microseconds (Node 23.9 on), else that of the process. */
function cpuMicroseconds(): number {
  const usage = (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage?.() ?? process.cpuUsage()
  return usage.user + usage.system
}

const align = (value: number, to: number) => Math.ceil(value / to) * to

function run(test: StoreCase): StoreCaseResult {
  const { keys, keyBytes, valueBytes, operations, batch: batchSize } = test
  const item = itemBytes(keyBytes, valueBytes)
  const live = item * keys
  const dataBytes = test.mode === 'cache' ? 2 ** Math.ceil(Math.log2(live * 1.25)) : align(live * 1.25, 64)
  const indexBytes = 2 ** Math.ceil(Math.log2(keys / 3.5)) * 64 * 1.2
  const windowBytes = align(dataBytes + indexBytes + (4 << 20), 65536)
  const stride = align(keyBytes, 8) + align(valueBytes, 8)
  const keyTable = windowBytes
  const requestArea = keyTable + keys * align(keyBytes, 8)
  const batchOffset = align(requestArea + operations * stride, 64)
  const out = align(batchOffset + RequestBatch.byteLength(batchSize), 64)
  const limit = out + batchSize * (align(valueBytes, 8) + 24)
  const { memory } = createPlainRegion(align(limit, 65536))

  const partition = new MicaPartition({
    memory,
    byteLength: windowBytes,
    dataBytes,
    buckets: keys / 3.5,
    mode: test.mode,
    kernel: test.kernel,
    expectedItemBytes: keyBytes + valueBytes,
    moveToHead: 1,
  })
  const batch = new RequestBatch(memory, batchOffset, batchSize)
  const bytes = new Uint8Array(memory.buffer)
  const view = new DataView(memory.buffer)
  const hashes = new Int32Array(keys * 2)
  const lanes = new Int32Array(2)
  for (let key = 0; key < keys; key++) {
    const address = keyTable + key * align(keyBytes, 8)
    view.setUint32(address, key, true)
    for (let i = 4; i < keyBytes; i++) bytes[address + i] = (key * 31 + i) & 0xff
    keyhash(bytes, address, keyBytes, lanes)
    hashes[2 * key] = lanes[0]
    hashes[2 * key + 1] = lanes[1]
  }

  // The requests of one pass, laid out one behind the other as they would lie in received frames.
  const lo = new Int32Array(operations)
  const hi = new Int32Array(operations)
  const place = (index: number, key: number) => {
    const address = requestArea + index * stride
    const from = keyTable + key * align(keyBytes, 8)
    bytes.copyWithin(address, from, from + keyBytes)
    bytes.fill(key & 0xff, address + align(keyBytes, 8), address + align(keyBytes, 8) + valueBytes)
    lo[index] = hashes[2 * key]
    hi[index] = hashes[2 * key + 1]
  }
  const runPass = (opcode: number, count: number) => {
    const {
      opcode: opcodes,
      hashLo,
      hashHi,
      keyAddress,
      keyLength,
      valueAddress,
      valueLength,
      flags,
      expiresAt,
    } = batch
    let hits = 0
    for (let base = 0; base < count; base += batchSize) {
      const n = Math.min(batchSize, count - base)
      for (let i = 0; i < n; i++) {
        const address = requestArea + (base + i) * stride
        opcodes[i] = opcode
        hashLo[i] = lo[base + i]
        hashHi[i] = hi[base + i]
        keyAddress[i] = address
        keyLength[i] = keyBytes
        valueAddress[i] = address + ((keyBytes + 7) & ~7)
        valueLength[i] = valueBytes
        flags[i] = 0
        expiresAt[i] = 0
      }
      batch.count = n
      partition.prepare(batch, 0)
      partition.execute(batch, 0, n, out, limit, 24)
      hits += batch.result[0] === 0 ? 1 : 0
    }
    return hits
  }

  const order = permutation(keys, 7)
  for (let base = 0; base < keys; base += operations) {
    const count = Math.min(operations, keys - base)
    for (let i = 0; i < count; i++) place(i, order[base + i])
    runPass(OP_SET, count)
  }
  const rank = rankSource(keys, test.theta, 99)
  for (let i = 0; i < operations; i++) place(i, order[rank()])

  const opcode = test.operation === 'get' ? OP_GET : OP_SET
  runPass(opcode, operations)
  const before = partition.statistics()
  const rates: number[] = []
  for (let pass = 0; pass < test.passes; pass++) {
    const start = cpuMicroseconds()
    runPass(opcode, operations)
    rates.push(operations / (cpuMicroseconds() - start))
  }
  const after = partition.statistics()
  const hits = after.hits - before.hits
  rates.sort((a, b) => a - b)
  return {
    ...test,
    best: rates[rates.length - 1],
    median: rates[rates.length >> 1],
    hitRate: test.operation === 'get' ? hits / (test.passes * operations) : 1,
    kernelUsed: partition.kernel,
  }
}

console.log(JSON.stringify(run(JSON.parse(process.argv[2]) as StoreCase)))
