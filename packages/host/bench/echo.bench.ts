// Round trips of a 64-byte datagram over the loopback interface, one at a time: through this libOS, and through node:dgram
// bare. The difference is what the libOS costs. Microseconds, medians of alternating runs.
import dgram from 'node:dgram'
import { once } from 'node:events'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, sgaFromBytes } from '@parakernel/queue'
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

const results: { libos: number; bare: number }[] = []
for (let i = 0; i < RUNS; i++) results.push({ libos: await throughLibos(), bare: await bare() })

function median(values: number[]): string {
  return values.sort((a, b) => a - b)[values.length >> 1].toFixed(1)
}

console.log(`host libOS   ${median(results.map((each) => each.libos))} us a round trip`)
console.log(`node:dgram   ${median(results.map((each) => each.bare))} us a round trip`)
console.log(`ratio        ${median(results.map((each) => each.libos / each.bare))}`)
