// Round trips of 64 bytes on a TCP connection over the loopback interface, one at a time: through each face of this libOS, at
// both ends, and through node:net bare. The difference is what the libOS and its faces cost.
import { once } from 'node:events'
import net from 'node:net'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import {
  connectStream,
  createQueueRuntime,
  listenStream,
  type NetworkLibOS,
  type QueueDescriptor,
  STREAM_DATA,
  STREAM_ECHO,
  type StreamHandler,
  sgaFromBytes,
} from '@parakernel/queue'
import { benchCases } from '@parakernel/tool-bench'
import { libos } from '../src/index.ts'

const ROUND_TRIPS = 3_000
const RUNS = 7
const payload = new Uint8Array(64).fill(7)

/** A libOS, its round trips timed by `body`, in microseconds each. */
async function onLibos(body: (host: NetworkLibOS) => Promise<number>): Promise<number> {
  const loop = new RunLoop()
  const runtime = createQueueRuntime(loop)
  const pool = new FramePool(createPlainWindow(256))
  const context = { loop, runtime, clock: loop.clock, pool, queues: [], partition: 0, partitions: 1 }
  const host = await libos.create({ address: '127.0.0.1' }, context)
  const elapsed = await body(host)
  await host.shutdown()
  return (elapsed / ROUND_TRIPS) * 1000
}

const echo: StreamHandler = (burst) => {
  for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
}

const fastFace = () =>
  onLibos(async (host) => {
    const [server, client] = [host.socket('stream'), host.socket('stream')]
    host.bind(server, { address: '127.0.0.1', port: 0 })
    host.listen(server)
    host.setsockopt(server, 'noDelay', true)
    host.setsockopt(client, 'noDelay', true)
    host.serveStreams(server, echo)
    await host.runtime.completion(host.connect(client, host.getsockname(server)))
    const frame = host.pool.allocate()
    const at = host.pool.address(frame) + host.pool.headroom
    const send = () => {
      host.pool.retain(frame)
      host.sendStream(client, frame, at, payload.byteLength)
    }
    let left = ROUND_TRIPS
    const done = new Promise<void>((resolve) => {
      let bytes = 0
      host.serveStreams(client, (burst) => {
        for (let i = 0; i < burst.count; i++) bytes += burst.length[i]
        for (; bytes >= payload.byteLength; bytes -= payload.byteLength) {
          if (--left === 0) resolve()
          else send()
        }
      })
    })
    const start = performance.now()
    send()
    await done
    const elapsed = performance.now() - start
    host.pool.release(frame)
    return elapsed
  })

async function tokenEcho(host: NetworkLibOS, qd: QueueDescriptor): Promise<void> {
  for (;;) {
    const popped = await host.runtime.completion(host.pop(qd))
    if (popped.kind !== 'pop') return
    void host.runtime.completion(host.push(qd, popped.sga))
    popped.sga.free()
  }
}

const tokens = () =>
  onLibos(async (host) => {
    const [server, client] = [host.socket('stream'), host.socket('stream')]
    host.bind(server, { address: '127.0.0.1', port: 0 })
    host.listen(server)
    host.setsockopt(server, 'noDelay', true)
    host.setsockopt(client, 'noDelay', true)
    const accept = host.runtime.completion(host.accept(server))
    await host.runtime.completion(host.connect(client, host.getsockname(server)))
    const accepted = await accept
    if (accepted.kind === 'accept') void tokenEcho(host, accepted.accepted)
    const sga = sgaFromBytes(host.pool, payload)
    const start = performance.now()
    for (let i = 0; i < ROUND_TRIPS; i++) {
      const pop = host.runtime.completion(host.pop(client))
      void host.runtime.completion(host.push(client, sga))
      const answer = await pop
      if (answer.kind === 'pop') answer.sga.free()
    }
    const elapsed = performance.now() - start
    sga.free()
    return elapsed
  })

const promises = () =>
  onLibos(async (host) => {
    const listener = listenStream(host, '127.0.0.1:0', { options: { noDelay: true } })
    const serving = (async () => {
      const stream = await listener.accept()
      for await (const bytes of stream) await stream.write(bytes)
    })()
    const client = await connectStream(host, listener.address, { options: { noDelay: true } })
    const start = performance.now()
    for (let i = 0; i < ROUND_TRIPS; i++) {
      const answer = client.read()
      void client.write(payload)
      await answer
    }
    const elapsed = performance.now() - start
    await client.end()
    await serving
    return elapsed
  })

async function bare(): Promise<number> {
  const server = net.createServer({ noDelay: true }, (socket) => socket.on('data', (bytes) => socket.write(bytes)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const client = net.connect({ port, host: '127.0.0.1', noDelay: true })
  await once(client, 'connect')
  const start = performance.now()
  await new Promise<void>((resolve) => {
    let left = ROUND_TRIPS
    client.on('data', () => {
      if (--left === 0) resolve()
      else client.write(payload)
    })
    client.write(payload)
  })
  const elapsed = performance.now() - start
  client.destroy()
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
  { title: "TCP echo on the host's sockets", unit: 'us per round trip', better: 'less', baseline: 'node:net' },
  {
    'node:net': () => medianOfRuns(bare),
    'fast face': () => medianOfRuns(fastFace),
    tokens: () => medianOfRuns(tokens),
    promises: () => medianOfRuns(promises),
  },
)
