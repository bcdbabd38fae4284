/**
 * Runs the batch path for a million requests and prints how many garbage collections that took. In a process of its
 * own, because a test runner allocates.
 */
import { constants, PerformanceObserver } from 'node:perf_hooks'
import { createPlainRegion } from '@parakernel/hal'
import { type KernelChoice, keyhash, MicaPartition, OP_GET, OP_SET, RequestBatch } from '../../src/index.ts'

const kernel = process.argv[2] as KernelChoice
const valueBytes = Number(process.argv[3])
const { memory } = createPlainRegion(24 << 20)
const keys = 20_000
const partition = new MicaPartition({ memory, byteLength: 16 << 20, kernel, dataBytes: 4 << 20, maxValueBytes: 4096 })
const batch = new RequestBatch(memory, 16 << 20, 512)
const bytes = new Uint8Array(memory.buffer)
const view = new DataView(memory.buffer)
const lanes = new Int32Array(2)
const requests = (16 << 20) + RequestBatch.byteLength(512)
const stride = 16 + ((valueBytes + 7) & ~7)
const out = 22 << 20
let state = 1

/** One burst: 32 packets of 16 requests, half of them GETs; keys beyond what the log holds, so that it evicts. */
function burst(): void {
  for (let i = 0; i < 512; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0
    const address = requests + i * stride
    view.setInt32(address, ((state >>> 8) & 0xffff) % keys, true)
    keyhash(bytes, address, 8, lanes)
    batch.opcode[i] = (state & 0x10000) === 0 ? OP_GET : OP_SET
    batch.hashLo[i] = lanes[0]
    batch.hashHi[i] = lanes[1]
    batch.keyAddress[i] = address
    batch.keyLength[i] = 8
    batch.valueAddress[i] = address + 8
    batch.valueLength[i] = valueBytes
    batch.flags[i] = 0
    batch.expiresAt[i] = 0
  }
  batch.count = 512
  partition.prepare(batch, 0)
  for (let from = 0; from < 512; from += 16) partition.execute(batch, from, from + 16, out, out + (1 << 20), 24)
}

// Warm-up until the optimising compiler is done; what it allocates is not ours.
for (let i = 0; i < 4000; i++) burst()
await new Promise((resolve) => setTimeout(resolve, 200))
globalThis.gc?.()
await new Promise((resolve) => setTimeout(resolve, 50))

let collections = 0
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const kind = (entry as unknown as { detail: { kind: number } }).detail.kind
    if (kind !== constants.NODE_PERFORMANCE_GC_WEAKCB) collections++
  }
})
observer.observe({ entryTypes: ['gc'] })

/** A million requests: collections during them, and bytes that the heap grew by. */
async function measure(): Promise<{ collections: number; grown: number }> {
  collections = 0
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 2000; i++) burst()
  const grown = process.memoryUsage().heapUsed - before
  await new Promise((resolve) => setTimeout(resolve, 50))
  return { collections, grown }
}

// The engine itself may still allocate once (a late recompilation); the batch path would do so every time.
let result = await measure()
for (let again = 0; again < 3 && (result.collections > 0 || result.grown > 50_000); again++) result = await measure()
console.log(JSON.stringify({ ...result, statistics: partition.statistics() }))
