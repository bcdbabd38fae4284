// Round trips of a 64-byte datagram over the loopback interface, one at a time: through this libOS, and through node:dgram
// bare. The difference is what the libOS costs.
import dgram from 'node:dgram'
import { once } from 'node:events'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, sgaFromBytes } from '@parakernel/queue'
import { benchCases } from '@parakernel/tool-bench'
import { libos } from '../src/index.ts'

const ROUND_TRIPS = 5_000
const RUNS = 7
const payload = new Uint8Array(64).fill(7)

async function throughLibos(): Promise<number> {
  const loop = new RunLoop()
  const runtime = createQueueRuntime(loop)
  const pool = new FramePool(createPlainWindow(256))
  const context = { loop, runtime, clock: loop.clock, pool, queues: [], partition: 0, partitions: 1 }
  const host = await libos.create({ address: '127.0.0.1' }, context)
  const [server, client] = [host.socket('datagram'), host.socket('datagram')]
  host.bind(server, { address: '127.0.0.1', port: 0 })
  host.serveDatagrams(server, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  await runtime.completion(host.connect(client, host.getsockname(server)))
  const sga = sgaFromBytes(pool, payload)
  const start = performance.now()
  for (let i = 0; i < ROUND_TRIPS; i++) {
    const pop = runtime.completion(host.pop(client))
    void runtime.completion(host.push(client, sga))
    const answer = await pop
    if (answer.kind === 'pop') answer.sga.free()
  }
  const elapsed = performance.now() - start
  sga.free()
  await host.shutdown()
  return (elapsed / ROUND_TRIPS) * 1000
}

async function bare(): Promise<number> {
  const [server, client] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')]
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  server.on('message', (bytes, { port, address }) => server.send(bytes, port, address))
  client.connect(server.address().port, '127.0.0.1')
  await once(client, 'connect')
  const start = performance.now()
  await new Promise<void>((resolve) => {
    let left = ROUND_TRIPS
    client.on('message', () => {
      if (--left === 0) resolve()
      else client.send(payload)
    })
    client.send(payload)
  })
  const elapsed = performance.now() - start
  client.close()
  server.close()
  return (elapsed / ROUND_TRIPS) * 1000
}

async function medianOfRuns(run: () => Promise<number>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < RUNS; i++) times.push(await run())
  return times.sort((a, b) => a - b)[RUNS >> 1]
}

await benchCases(
  import.meta,
  { title: "UDP echo on the host's sockets", unit: 'us per round trip', better: 'less', baseline: 'node:dgram' },
  { 'node:dgram': () => medianOfRuns(bare), 'host libOS': () => medianOfRuns(throughLibos) },
)
