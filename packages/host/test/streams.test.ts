import { createHook } from 'node:async_hooks'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPlainWindow, DebugFramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import {
  createQueueRuntime,
  type QueueDescriptor,
  type SocketAddress,
  STREAM_DATA,
  STREAM_ECHO,
  Stream,
  sgaFromBytes,
  sgaFromText,
} from '@parakernel/queue'
import { afterEach, describe, expect, it } from 'vitest'
import { type HostLibOS, libos } from '../src/index.ts'

const opened: HostLibOS[] = []

async function host(frames = 64): Promise<HostLibOS> {
  const loop = new RunLoop()
  const pool = new DebugFramePool(createPlainWindow(frames))
  const runtime = createQueueRuntime(loop)
  const context = { loop, runtime, clock: loop.clock, pool, queues: [], partition: 0, partitions: 1 }
  const created = (await libos.create({ address: '127.0.0.1' }, context)) as HostLibOS
  opened.push(created)
  return created
}

afterEach(async () => {
  for (const libos of opened.splice(0)) {
    await libos.shutdown()
    expect((libos.pool as DebugFramePool).report()).toBe('')
  }
})

function listen(os: HostLibOS, backlog?: number): { qd: QueueDescriptor; at: SocketAddress } {
  const qd = os.socket('stream')
  os.bind(qd, { address: '127.0.0.1', port: 0 })
  os.listen(qd, backlog)
  return { qd, at: os.getsockname(qd) }
}

async function connected(os: HostLibOS) {
  const listener = listen(os)
  const client = os.socket('stream')
  const accept = os.accept(listener.qd)
  expect(await os.runtime.completion(os.connect(client, listener.at))).toMatchObject({ kind: 'connect' })
  const completion = await os.runtime.completion(accept)
  if (completion.kind !== 'accept') throw new Error(completion.kind)
  return { client, server: completion.accepted, listener }
}

describe('streams over node:net', () => {
  it('resets connections beyond the backlog that the kernel let in, and counts them', async () => {
    const os = await host()
    const { at } = listen(os, 1)
    const clients = Array.from({ length: 4 }, () => net.connect(at.port, at.address))
    const closed = clients.map((client) => new Promise((resolve) => client.once('error', resolve)))
    await expect(Promise.race(closed)).resolves.toMatchObject({ code: 'ECONNRESET' })
    expect(os.statistics()['drop']['tcpBacklogFull']).toBeGreaterThanOrEqual(1)
    expect(os.statistics()['tcp']['tcpPassiveOpens']).toBe(1)
    for (const client of clients) client.destroy()
  })

  it('pops what the pool has frames for, and waits for a frame when it has none', async () => {
    const os = await host(8)
    const { client, server } = await connected(os)
    const bytes = new Uint8Array(5000).fill(7)
    const sga = sgaFromBytes(os.pool, bytes)
    await os.runtime.completion(os.push(client, sga))
    sga.free()
    await sleep(20)
    const hoard = os.sgaAlloc((os.pool.available - 1) * 1024)
    const held: ReturnType<HostLibOS['sgaAlloc']>[] = []
    while (os.pool.available > 1) held.push(os.sgaAlloc(1))
    const first = await os.runtime.completion(os.pop(server))
    if (first.kind !== 'pop') throw new Error(first.kind)
    expect(first.sga.segments.length).toBe(1)
    const second = os.pop(server)
    await sleep(10)
    expect(os.runtime.isPending(second)).toBe(true)
    for (const array of [first.sga, hoard, ...held]) array.free()
    const rest = await os.runtime.completion(second)
    if (rest.kind === 'pop') {
      expect(rest.sga.byteLength + first.sga.byteLength).toBe(5000)
      rest.sga.free()
    }
  })

  it('serves a handler with whatever frames there are', async () => {
    const os = await host(4)
    const { qd, at } = listen(os)
    os.serveStreams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) if (burst.event[i] === STREAM_DATA) burst.verdict[i] = STREAM_ECHO
    })
    const client = net.connect(at.port, at.address)
    client.end(Buffer.alloc(300_000, 'x'))
    let echoed = 0
    client.on('data', (chunk) => {
      echoed += chunk.length
    })
    await expect.poll(() => echoed, { timeout: 20_000 }).toBe(300_000)
    client.destroy()
  })

  it('talks to a program of Node as any other, with half a close', async () => {
    const os = await host()
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('end', () => socket.end(`heard: ${text}`))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as net.AddressInfo
    const client = os.socket('stream')
    await os.runtime.completion(os.connect(client, { address: '127.0.0.1', port }))
    const sga = sgaFromText(os.pool, 'hello')
    await os.runtime.completion(os.push(client, sga))
    sga.free()
    os.halfClose(client)
    const answer = await os.runtime.completion(os.pop(client))
    if (answer.kind === 'pop') {
      expect(new TextDecoder().decode(answer.sga.toBytes())).toBe('heard: hello')
      answer.sga.free()
    }
    expect(await os.runtime.completion(os.asyncClose(client))).toMatchObject({ kind: 'close' })
    server.close()
  })

  it('may be connected again after it was refused, from another port', async () => {
    const os = await host()
    const { qd, at } = listen(os)
    const refusing = listen(os)
    os.close(refusing.qd)
    const client = os.socket('stream')
    os.bind(client, { address: '127.0.0.1', port: 0 })
    const refused = await os.runtime.completion(os.connect(client, refusing.at))
    expect(refused).toMatchObject({ kind: 'failed', code: 'ECONNREFUSED' })
    const cancelled = os.connect(client, at)
    os.runtime.cancel(cancelled)
    expect(await os.runtime.completion(cancelled)).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
    expect(await os.runtime.completion(os.connect(client, at))).toMatchObject({ kind: 'connect' })
    for (let port = 0; port !== os.getsockname(client).port; ) {
      const accepted = await os.runtime.completion(os.accept(qd))
      if (accepted.kind === 'accept') port = accepted.peer.port
    }
  })

  it('costs one promise an operation on the friendly face', async () => {
    const os = await host()
    const { client, server } = await connected(os)
    const [writer, reader] = [new Stream(os, client), new Stream(os, server)]
    let promises = 0
    const hook = createHook({ init: (_id, type) => type === 'PROMISE' && promises++ })
    hook.enable()
    const operations: Promise<unknown>[] = []
    for (let i = 0; i < 1000; i++) operations.push(reader.read(1), writer.write('x'))
    for (let i = 0; i < 200; i++) await new Promise(setImmediate)
    const counted = promises
    hook.disable()
    expect(operations.length).toBe(2000)
    // The 200 of this test, with as many that await makes, on top.
    expect(counted).toBeLessThanOrEqual(2000 + 2 * 200 + 200)
    expect(counted).toBeGreaterThanOrEqual(2000)
    await Promise.all(operations)
    writer.abort()
    reader.abort()
  })

  it('binds in the call also where Node has no BoundSocket', async () => {
    const internals = net as { BoundSocket?: unknown }
    const { BoundSocket } = internals
    delete internals.BoundSocket
    try {
      const os = await host()
      const { qd, at } = listen(os)
      expect(() => os.bind(os.socket('stream'), at)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
      expect(() => os.bind(os.socket('stream'), { address: '127.0.0.1', port: 80_000 })).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      )
      const client = os.socket('stream')
      os.bind(client, { address: '127.0.0.1', port: 0 })
      const accept = os.accept(qd)
      const connect = await os.runtime.completion(os.connect(client, at))
      expect(connect).toMatchObject({ kind: 'connect' })
      expect(await os.runtime.completion(accept)).toMatchObject({ kind: 'accept', peer: os.getsockname(client) })
    } finally {
      internals.BoundSocket = BoundSocket
    }
  })
})
