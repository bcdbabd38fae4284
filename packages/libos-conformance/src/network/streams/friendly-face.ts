import { connectStream, listenStream, type Stream } from '@parakernel/queue'
import { expect } from 'vitest'
import { expectPattern, pattern } from '../pair.ts'
import type { Section } from '../section.ts'
import { code, nothingLeft, open, readAll, text } from './streams-opened.ts'

export const friendlyFace: Section = {
  name: 'streams: promises and iterators',
  needs: ['streams'],
  cases(define) {
    define('connect, accept, write, read and close in order', async (pair) => {
      const { a, b } = pair
      const { listener, client, server } = await open(pair)
      expect(client.peer).toEqual(listener.address)
      expect(server.peer).toEqual(client.local)
      const heard: string[] = []
      for (const event of ['end', 'error', 'close'] as const) server.on(event, () => heard.push(event))
      await client.write('question')
      expect(text(await server.read())).toBe('question')
      await server.write(new TextEncoder().encode('answer'))
      expect(text(await client.read(3))).toBe('ans')
      expect(text(await client.read())).toBe('wer')
      await client.end('bye')
      expect(text(await server.read())).toBe('bye')
      expect(await server.read()).toBeUndefined()
      expect(await server.read()).toBeUndefined()
      expect(heard).toEqual(['end'])
      await server.end()
      expect(await client.read()).toBeUndefined()
      listener.close()
      await nothingLeft(pair, a, b)
      expect(heard).toEqual(['end', 'close'])
      expect([client.closed, server.closed]).toEqual([true, true])
      await expect(client.write('x')).rejects.toThrow(code('EPIPE'))
      await expect(client.end('x')).rejects.toThrow(code('EPIPE'))
    })

    define('iterate over connections, and over the bytes of each', async (pair) => {
      const { a, b, fixture } = pair
      const listener = listenStream(b, { address: fixture.addressOfB, port: 0 })
      const serving = (async () => {
        const echoes: Promise<void>[] = []
        for await (const stream of listener) {
          echoes.push(
            (async () => {
              for await (const bytes of stream) await stream.write(bytes)
              await stream.end()
            })(),
          )
        }
        await Promise.all(echoes)
        return echoes.length
      })()
      const all = Array.from({ length: 5 }, async (_, seed) => {
        const stream = await connectStream(a, listener.address)
        const content = pattern(50_000, seed)
        const [echoed] = await Promise.all([readAll(stream), stream.write(content).then(() => stream.end())])
        expect(echoed.byteLength).toBe(50_000)
        expectPattern(echoed, seed)
      })
      await Promise.all(all)
      listener.close()
      expect(await serving).toBe(5)
      await nothingLeft(pair, a, b)
    })

    define('write what is larger than the pool, in one call', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await open(pair)
      const content = pattern(3_000_000, 13)
      const [received] = await Promise.all([readAll(server), client.write(content).then(() => client.end())])
      expect(received.byteLength).toBe(3_000_000)
      expectPattern(received, 13)
      await server.end()
      expect(await client.read()).toBeUndefined()
      listener.close()
      await nothingLeft(pair, a, b)
    })

    define('let a writer wait for its reader', async (pair) => {
      const { client, server } = await open(pair)
      let written = 0
      const writing = (async () => {
        for (; written < 32 << 20; written += 65_536) await client.write(pattern(65_536, 1, written))
      })()
      writing.catch(() => {})
      let before = -1
      while (written !== before) {
        before = written
        for (let i = 0; i < 10; i++) await pair.fixture.settle()
      }
      expect(written).toBeLessThan(32 << 20)
      let at = 0
      while (at <= written) {
        const bytes = (await server.read()) as Uint8Array
        expectPattern(bytes, 1, at)
        at += bytes.byteLength
        if (written > before) break
      }
      expect(written).toBeGreaterThan(before)
      client.abort()
      await expect(writing).rejects.toThrow(code('ECANCELED'))
      server.abort()
    })

    define('reject with what ended the connection, and close by themselves', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await open(pair)
      const heard: unknown[] = []
      server.on('error', (error) => heard.push(error.code))
      server.on('close', () => heard.push('close'))
      const reads = [server.read(), server.read()]
      client.abort()
      for (const read of reads) await expect(read).rejects.toThrow(code('ECONNRESET'))
      await pair.until('it is closed', () => server.closed)
      expect(heard).toEqual(['ECONNRESET', 'close'])
      await expect(server.read()).rejects.toThrow(code('ECONNRESET'))
      await expect(server.write('x')).rejects.toThrow(code('ECONNRESET'))
      await expect(client.read()).rejects.toThrow(code('ECANCELED'))
      await server.close()
      listener.close()
      await nothingLeft(pair, a, b)
    })

    define('tell a writer that does not read of the reset', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await open(pair)
      let closed = false
      client.on('close', () => {
        closed = true
      })
      server.abort()
      await pair.fixture.settle()
      const writes = Array.from({ length: 5 }, () => client.write(pattern(1000)))
      const outcomes = await Promise.allSettled(writes)
      expect(outcomes.some(({ status }) => status === 'rejected')).toBe(true)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ECONNRESET' })
      }
      await pair.until('it is closed', () => closed)
      await expect(client.end()).rejects.toThrow(code('ECONNRESET'))
      await client.close()
      listener.close()
      await nothingLeft(pair, a, b)
    })

    define('close in order with words on their way', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await open(pair)
      const written = client.write(pattern(400_000, 3))
      const closed = client.close()
      const received = await readAll(server)
      expect(received.byteLength).toBe(400_000)
      expectPattern(received, 3)
      await Promise.all([written, closed, server.close()])
      await expect(client.read()).rejects.toThrow(code('ECANCELED'))
      listener.close()
      await nothingLeft(pair, a, b)
    })

    define('give up a connection when a signal says so', async (pair) => {
      const { a, b, fixture } = pair
      const listener = listenStream(b, { address: fixture.addressOfB, port: 0 })
      const controller = new AbortController()
      const connecting = connectStream(a, listener.address, { signal: controller.signal })
      controller.abort(new Error('enough'))
      await expect(connecting).rejects.toThrow('enough')
      await expect(connectStream(a, listener.address, { signal: controller.signal })).rejects.toThrow('enough')
      const other = await connectStream(a, listener.address, { signal: new AbortController().signal })
      other.abort()
      listener.close()
      await nothingLeft(pair, a, b)
    })

    define('refuse to connect where nobody listens, and bad arguments at once', async (pair) => {
      const { a, b, fixture } = pair
      const listener = listenStream(b, { address: fixture.addressOfB, port: 0 })
      listener.close()
      listener.close()
      await expect(listener.accept()).rejects.toThrow(code('EBADF'))
      await expect(connectStream(a, listener.address)).rejects.toThrow(code('ECONNREFUSED'))
      expect(() => connectStream(a, 'nonsense')).toThrow(code('EINVAL'))
      expect(() => listenStream(b, '203.0.113.77:0')).toThrow(code('EADDRNOTAVAIL'))
      expect(() => connectStream(a, listener.address, { options: { linger: -7 } })).toThrow(code('EINVAL'))
      await nothingLeft(pair, a, b)
    })

    define('set options before the connection is opened', async (pair) => {
      const { a, b, fixture } = pair
      const listener = listenStream(b, { address: fixture.addressOfB, port: 0 }, { options: { noDelay: true } })
      const accepted = listener.accept()
      const local = { address: fixture.addressOfA, port: 0 }
      const client = await connectStream(a, listener.address, { local, options: { noDelay: true } })
      const server = await accepted
      expect(client.getOption('noDelay')).toBe(true)
      expect(server.getOption('noDelay')).toBe(true)
      server.setOption('noDelay', false)
      expect(server.getOption('noDelay')).toBe(false)
    })

    define('end with their libOS', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await open(pair)
      const idle = await (async () => {
        const accepted = listener.accept()
        await connectStream(a, listener.address)
        return accepted
      })()
      let closed = 0
      server.on('close', () => closed++)
      const reads = [server.read(), server.read()]
      const connections = (async () => {
        for await (const stream of listener) stream.abort()
      })()
      await b.shutdown()
      for (const read of reads) await expect(read).rejects.toThrow(code('ECANCELED'))
      await connections
      expect([server.closed, closed]).toEqual([true, 1])
      for (const stream of [server, idle]) {
        await expect(stream.write('x')).rejects.toThrow(code(stream === server ? 'ECANCELED' : 'EBADF'))
        await expect(stream.read()).rejects.toThrow(code(stream === server ? 'ECANCELED' : 'EBADF'))
        stream.abort()
        await stream.close()
      }
      expect(b.runtime.outstanding).toBe(0)
      client.abort()
      const connecting = connectStream(a, listener.address)
      await a.shutdown()
      await expect(connecting).rejects.toThrow(code('ECANCELED'))
      expect(a.runtime.outstanding).toBe(0)
    })

    define('cost a disposed scope nothing but its end', async (pair) => {
      const { a, b, fixture } = pair
      let kept: Stream | undefined
      {
        await using listener = listenStream(b, { address: fixture.addressOfB, port: 0 })
        const accepted = listener.accept()
        await using client = await connectStream(a, listener.address)
        kept = await accepted
        await client.write('before the end')
      }
      expect(text(await kept.read())).toBe('before the end')
      expect(await kept.read()).toBeUndefined()
      await kept.close()
      await nothingLeft(pair, a, b)
    })
  },
}
