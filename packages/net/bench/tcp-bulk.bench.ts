/**
 * One TCP flow between two stacks on the emulated NIC, both in one thread: what a core moves when it does the work of both
 * ends, the wire included. Handlers send from one frame and release what they get, so that the application costs nothing.
 */
import type { NicOptions } from '@parakernel/emulated'
import { STREAM_WRITABLE } from '@parakernel/queue'
import { type BenchCase, benchCases, collectionsDuring } from '@parakernel/tool-bench'
import type { NetOptions } from '../src/index.ts'
import { streamPair } from './stream-pair.ts'

const WARM_UP = 1 << 28
const BYTES = 1 << 29

async function bulk(nic: NicOptions, options: Partial<NetOptions> = {}) {
  const pair = await streamPair(nic, options)
  const { client, server } = pair
  let received = 0
  const listener = pair.listen()
  server.serveStreams(listener, (burst) => {
    for (let i = 0; i < burst.count; i++) received += burst.length[i]
  })
  const qd = pair.connect()
  const { pool } = client
  const frame = pool.allocate()
  const address = pool.address(frame) + pool.headroom
  const length = pool.frameSize - pool.headroom
  const fill = () => {
    for (;;) {
      pool.retain(frame)
      if (client.sendStream(qd, frame, address, length)) continue
      pool.release(frame)
      return
    }
  }
  client.serveStreams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_WRITABLE) fill()
  })
  fill()
  const move = (bytes: number) => {
    const end = received + bytes
    while (received < end) pair.poll()
  }
  move(WARM_UP)
  const before = received
  const start = performance.now()
  const cpu = process.cpuUsage()
  move(BYTES)
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - start) / 1e3
  const gigabits = ((received - before) * 8) / 1e9
  const collections = await collectionsDuring(() => move(BYTES))
  const { tcpExt, tcp } = client.statistics()
  // On a machine with other work a second of the wall is not a second of a core.
  const perCore = gigabits / ((user + system) / 1e6)
  return {
    value: gigabits / seconds,
    'Gb per second of CPU': perCore,
    collections,
    retransmissions: tcp['tcpRetransSegs'],
    timeouts: tcpExt['Timeouts'],
  }
}

const offloads = { checksumVerify: true, checksumCompute: true }
const cases: Record<string, BenchCase> = {
  'segmentation and checksums by the device': () => bulk({ ...offloads, transmitSegmentation: true }),
  'checksums by the device': () => bulk({ ...offloads, transmitSegmentation: false }),
  'checksums in software': () => bulk({ checksumVerify: false, checksumCompute: false, transmitSegmentation: false }),
}
await benchCases(
  import.meta,
  { title: 'TCP bulk transfer, two stacks in one thread', unit: 'Gb/s', better: 'more' },
  cases,
)
