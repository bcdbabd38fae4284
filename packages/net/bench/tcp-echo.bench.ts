/**
 * TCP echo of 64 bytes between two stacks on the emulated NIC, both in one thread: every connection sends a request, waits
 * for its answer, and sends the next. The server's handler sends the bytes back from where they stand.
 */
import { STREAM_DATA, STREAM_ECHO } from '@parakernel/queue'
import { type BenchCase, benchCases, collectionsDuring } from '@parakernel/tool-bench'
import { streamPair } from './stream-pair.ts'

const PAYLOAD = 64
const WARM_UP = 300_000
const REQUESTS = 300_000

async function echo(connections: number) {
  const pair = await streamPair({}, { tcpNagle: 'off' })
  const { client, server } = pair
  const listener = pair.listen()
  server.serveStreams(listener, (burst) => {
    for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
  })
  const { pool } = client
  const frame = pool.allocate()
  const address = pool.address(frame) + pool.headroom
  let answered = 0
  // An answer may come in pieces, of which a request is made again when it is complete.
  const missing = new Int32Array(65_536)
  const ask = (qd: number) => {
    pool.retain(frame)
    missing[qd] = PAYLOAD
    if (!client.sendStream(qd as Parameters<typeof client.sendStream>[0], frame, address, PAYLOAD)) pool.release(frame)
  }
  const handler = (burst: { count: number; event: Int32Array; qd: Int32Array; length: Int32Array }) => {
    for (let i = 0; i < burst.count; i++) {
      if (burst.event[i] !== STREAM_DATA) continue
      const qd = burst.qd[i]
      missing[qd] -= burst.length[i]
      if (missing[qd] > 0) continue
      answered++
      ask(qd)
    }
  }
  for (let i = 0; i < connections; i++) {
    const qd = pair.connect()
    client.serveStreams(qd, handler)
    ask(qd)
  }
  const run = (requests: number) => {
    const end = answered + requests
    while (answered < end) pair.poll()
  }
  run(WARM_UP)
  const before = answered
  const start = performance.now()
  run(REQUESTS)
  const microseconds = (performance.now() - start) * 1e3
  const value = microseconds / (answered - before)
  const collections = await collectionsDuring(() => run(REQUESTS))
  const { tcp } = client.statistics()
  return { value, 'requests/s': 1e6 / value, collections, retransmissions: tcp['tcpRetransSegs'] }
}

const cases: Record<string, BenchCase> = {}
for (const connections of [1, 16, 256, 4096]) {
  cases[`${connections} connection${connections === 1 ? '' : 's'}`] = () => echo(connections)
}
await benchCases(
  import.meta,
  { title: 'TCP echo of 64 B, two stacks in one thread', unit: 'us per request', better: 'less' },
  cases,
)
