import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { ReceiveTuning, SendTuning } from '../../src/tcp/buffer/auto-tuning.ts'
import { MemoryBudget } from '../../src/tcp/buffer/memory-budget.ts'
import { ReceiveQueue } from '../../src/tcp/buffer/receive-queue.ts'
import { SendQueue } from '../../src/tcp/buffer/send-queue.ts'
import { ACK, SYN } from '../../src/tcp/segment.ts'
import { counter, stackAndWire } from '../support/wire.ts'
import { memoryOf } from '../tcp/support.ts'
import { segmentsOf, tcpFrame } from './support/raw-peer.ts'

const CONNECTIONS = 10_000
const BATCH = 64

/** Bytes of heap, and of array buffers beside it, after everything that can be collected was. */
function memory(): { heap: number; buffers: number } {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, buffers: arrayBuffers }
}

/** Opens connections from as many ports of a peer that keeps nothing of them, so that what is left is the server's. */
async function servedBy(connections: number) {
  const bench = await stackAndWire({ tcpSynBacklog: 1024 }, { debug: false, frames: 1024 })
  const { libos, wire, machines } = bench
  const listener = libos.socket('stream')
  libos.bind(listener, { address: '0.0.0.0', port: 80 })
  libos.listen(listener, 1024)
  libos.serveStreams(listener, () => {})
  const open = (from: number, to: number) => {
    for (let first = from; first < to; first += BATCH) {
      const last = Math.min(first + BATCH, to)
      const options = { mss: 1460, windowScale: 7, sackPermitted: true, hasTimestamp: true, timestampValue: 1 }
      for (let i = first; i < last; i++) {
        wire.send(tcpFrame({ sourcePort: 1024 + i, sequence: i, flags: SYN, ...options }))
      }
      machines.run(1e6)
      for (const { segment, destinationPort } of segmentsOf(wire.receive())) {
        const acknowledgment = (segment.sequence + 1) | 0
        const stamps = { hasTimestamp: true, timestampValue: 2, timestampEcho: segment.timestampValue }
        wire.send(
          tcpFrame({
            sourcePort: destinationPort,
            sequence: destinationPort - 1023,
            flags: ACK,
            acknowledgment,
            ...stamps,
          }),
        )
      }
      machines.run(1e6)
      wire.receive()
    }
    machines.run(1e9)
  }
  // Code, tables and pools are there before anything is measured.
  open(0, 500)
  const before = memory()
  open(500, 500 + connections)
  const after = memory()
  const open_ = counter(libos, 'tcp.tcpCurrEstab')
  await machines.close()
  return {
    established: open_,
    heap: (after.heap - before.heap) / connections,
    buffers: (after.buffers - before.buffers) / connections,
  }
}

/** Heap of the buffers of a connection while they are empty: both queues, their bounds and what they are paid from. */
function emptyBuffers(count: number): number {
  const { pool, memory: shared } = memoryOf(16)
  const make = () => {
    const budget = new MemoryBudget(shared, 65_536)
    const send = new SendQueue(pool, 512, budget)
    const receive = new ReceiveQueue(pool, budget)
    return [send, receive, new SendTuning(1, 2, shared), new ReceiveTuning(1, 2, budget)]
  }
  const kept: unknown[] = new Array(count).fill(undefined)
  for (let i = 0; i < 100; i++) make()
  const before = memory()
  for (let i = 0; i < count; i++) kept[i] = make()
  const { heap } = memory()
  // The array that holds the four of them is the test's: a header, a length, and its elements.
  const test = 32 + 16 + 4 * 8
  return (heap - before.heap) / kept.length - test
}

describe('idle connections', { timeout: 120_000 }, () => {
  it(`${CONNECTIONS} of them take at most 2 KiB of heap each beside their buffers, and half a KiB of tables outside it`, async () => {
    const queues = emptyBuffers(CONNECTIONS)
    const { established, heap, buffers } = await servedBy(CONNECTIONS)
    const all = `${heap.toFixed(0)} B of heap, ${queues.toFixed(0)} of them empty buffers, ${buffers.toFixed(0)} B of tables`
    console.log(`a connection: ${all}`)
    expect(established).toBe(CONNECTIONS + 500)
    expect(queues).toBeLessThan(512)
    expect(heap - queues, all).toBeLessThanOrEqual(2048)
    expect(buffers, all).toBeLessThanOrEqual(512)
  })
})
