import { createPlainRegion } from '@parakernel/hal'
import { adviseHugePages } from '@parakernel/linux'
import { threadCpuNanoseconds } from '@parakernel/tool-bench'
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
  /** Requests per `prepare`: a received burst. */
  readonly burst: number
  /** Requests per `execute`: a packet. */
  readonly packet: number
  /** Length of the prepared sequence, which is run again and again. */
  readonly operations: number
  readonly samples: number
}

/** 8-byte keys and values, uniform, by the WASM kernel. */
export const BASE: StoreCase = {
  kernel: 'wasm',
  mode: 'cache',
  operation: 'get',
  keyBytes: 8,
  valueBytes: 8,
  theta: 0,
  keys: 1 << 20,
  burst: 128,
  packet: 16,
  operations: 1 << 20,
  samples: 3,
}

const SAMPLE_NANOSECONDS = 150e6

const align = (value: number, to: number) => Math.ceil(value / to) * to

/**
 * Fills a partition, then runs one operation over a prepared sequence of requests: million operations per second of
 * thread CPU time. Timed: filling the batch's columns, `prepare`, `execute` with copying to an output area. The value is
 * the best of the samples.
 */
export function runStoreCase(test: StoreCase): { value: number; median: number; hits: number } {
  const { keys, keyBytes, valueBytes, operations, burst, packet } = test
  const item = itemBytes(keyBytes, valueBytes)
  const live = item * keys
  const dataBytes = test.mode === 'cache' ? 2 ** Math.ceil(Math.log2(live * 1.25)) : align(live * 1.25, 64)
  const indexBytes = 2 ** Math.ceil(Math.log2(keys / 3.5)) * 64 * 1.2
  const windowBytes = align(dataBytes + indexBytes + (4 << 20), 65536)
  const keyStride = align(keyBytes, 8)
  const valueStride = align(valueBytes, 8)
  const keyTable = windowBytes
  const requestArea = keyTable + keys * keyStride
  const batchOffset = align(requestArea + operations * (keyStride + valueStride), 64)
  const out = align(batchOffset + RequestBatch.byteLength(burst), 64)
  const limit = out + packet * (align(valueBytes, 8) + 24)
  const region = createPlainRegion(align(limit, 65536))
  // As for a partition of a composed machine.
  if (process.platform === 'linux') adviseHugePages(region)
  const { memory } = region

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
  const batch = new RequestBatch(memory, batchOffset, burst)
  const bytes = new Uint8Array(memory.buffer)
  const view = new DataView(memory.buffer)
  const hashes = new Int32Array(keys * 2)
  const lanes = new Int32Array(2)
  for (let key = 0; key < keys; key++) {
    const address = keyTable + key * keyStride
    view.setUint32(address, key, true)
    for (let i = 4; i < keyBytes; i++) bytes[address + i] = (key * 31 + i) & 0xff
    keyhash(bytes, address, keyBytes, lanes)
    hashes[2 * key] = lanes[0]
    hashes[2 * key + 1] = lanes[1]
  }

  // The requests of one pass, one behind the other as they would lie in received frames. A GET carries no value.
  const lo = new Int32Array(operations)
  const hi = new Int32Array(operations)
  const place = (opcode: number, index: number, key: number) => {
    const address = requestArea + index * (opcode === OP_SET ? keyStride + valueStride : keyStride)
    const from = keyTable + key * keyStride
    bytes.copyWithin(address, from, from + keyBytes)
    if (opcode === OP_SET) bytes.fill(key & 0xff, address + keyStride, address + keyStride + valueBytes)
    lo[index] = hashes[2 * key]
    hi[index] = hashes[2 * key + 1]
  }
  const runPass = (opcode: number, count: number) => {
    const { hashLo, hashHi, keyAddress, keyLength, valueAddress, valueLength, flags, expiresAt } = batch
    const opcodes = batch.opcode
    const stride = opcode === OP_SET ? keyStride + valueStride : keyStride
    for (let base = 0; base < count; base += burst) {
      const n = Math.min(burst, count - base)
      // What a codec writes: nothing about values where there are none.
      for (let i = 0; i < n; i++) {
        const address = requestArea + (base + i) * stride
        opcodes[i] = opcode
        hashLo[i] = lo[base + i]
        hashHi[i] = hi[base + i]
        keyAddress[i] = address
        keyLength[i] = keyBytes
        if (opcode === OP_SET) {
          valueAddress[i] = address + keyStride
          valueLength[i] = valueBytes
          flags[i] = 0
          expiresAt[i] = 0
        }
      }
      batch.count = n
      partition.prepare(batch, 0)
      for (let from = 0; from < n; from += packet) {
        partition.execute(batch, from, Math.min(from + packet, n), out, limit, 24)
      }
    }
  }

  const order = permutation(keys, 7)
  for (let base = 0; base < keys; base += operations) {
    const count = Math.min(operations, keys - base)
    for (let i = 0; i < count; i++) place(OP_SET, i, order[base + i])
    runPass(OP_SET, count)
  }
  const opcode = test.operation === 'get' ? OP_GET : OP_SET
  const rank = rankSource(keys, test.theta, 99)
  for (let i = 0; i < operations; i++) place(opcode, i, order[rank()])

  const warmUp = threadCpuNanoseconds()
  let repeat = 0
  for (; repeat < 3 || threadCpuNanoseconds() - warmUp < SAMPLE_NANOSECONDS; repeat++) runPass(opcode, operations)
  const before = partition.statistics()
  const rates: number[] = []
  for (let sample = 0; sample < test.samples; sample++) {
    const start = threadCpuNanoseconds()
    for (let pass = 0; pass < repeat; pass++) runPass(opcode, operations)
    rates.push((1000 * repeat * operations) / (threadCpuNanoseconds() - start))
  }
  const after = partition.statistics()
  const hits = after.hits - before.hits
  rates.sort((a, b) => a - b)
  if (partition.kernel !== test.kernel) throw new Error(`ran the ${partition.kernel} kernel, not ${test.kernel}`)
  return {
    value: rates[rates.length - 1],
    median: rates[rates.length >> 1],
    hits: test.operation === 'get' ? hits / (test.samples * repeat * operations) : 1,
  }
}
