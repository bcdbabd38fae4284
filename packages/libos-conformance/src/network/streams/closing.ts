import type { NetworkLibOS, QueueDescriptor } from '@parakernel/queue'
import { expect } from 'vitest'
import { expectPattern, pattern } from '../pair.ts'
import type { Section } from '../section.ts'
import { fill } from './backpressure.ts'

const code = (value: string) => expect.objectContaining({ code: value })

export const closingStreams: Section = {
  name: 'streams: closing',
  needs: ['streams'],
  cases(define) {
    define('close fails every pending pop with ECANCELED, once', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const pops = [a.pop(client), a.pop(client), a.pop(client)]
      a.close(client)
      for (const token of pops) await pair.fails(a, token, 'ECANCELED')
      await pair.ended(b, server)
      expect(a.runtime.outstanding).toBe(0)
    })

    define('close delivers what was taken', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      await pair.write(a, client, pattern(50_000, 8))
      a.close(client)
      expect(await pair.readPattern(b, server, 8)).toBe(50_000)
      await pair.ended(b, server)
    })

    define('close with bytes that were never popped resets the connection', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      await pair.write(b, server, 'unread')
      await pair.until('it has arrived', () => a.sockets().some((s) => s.qd === client && s.receiveQueue === 6))
      a.close(client)
      await pair.fails(b, b.pop(server), 'ECONNRESET')
    })

    define('close with linger 0 resets the connection, whatever is on its way', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      a.setsockopt(client, 'linger', 0)
      const pop = b.pop(server)
      a.close(client)
      await pair.fails(b, pop, 'ECONNRESET')
      const stuck = await pair.connected()
      const { waits } = await fill(pair, stuck.client)
      a.setsockopt(stuck.client, 'linger', 0)
      a.close(stuck.client)
      await pair.fails(a, waits, 'ECANCELED')
      let end = await b.runtime.completion(b.pop(stuck.server))
      while (end.kind === 'pop') {
        expect(end.sga.byteLength, 'a reset is no end of the stream').toBeGreaterThan(0)
        end.sga.free()
        end = await b.runtime.completion(b.pop(stuck.server))
      }
      expect(end).toMatchObject({ kind: 'failed', code: 'ECONNRESET' })
    })

    define('a reset fails what is pending, and every call that follows', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const pops = [a.pop(client), a.pop(client)]
      b.setsockopt(server, 'linger', 0)
      b.close(server)
      for (const token of pops) await pair.fails(a, token, 'ECONNRESET')
      await pair.fails(a, a.pop(client), 'ECONNRESET')
      await pair.fails(a, pair.push(a, client, 'x'), 'ECONNRESET')
      await pair.fails(a, a.pop(client), 'ECONNRESET')
      a.close(client)
    })

    define('a push to a peer that is gone fails after the first at the latest', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      b.close(server)
      await pair.ended(a, client)
      let completion = await a.runtime.completion(pair.push(a, client, 'anybody there?'))
      for (let i = 0; i < 50 && completion.kind === 'push'; i++) {
        await pair.fixture.settle()
        completion = await a.runtime.completion(pair.push(a, client, 'still not?'))
      }
      expect(completion).toMatchObject({ kind: 'failed', code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) })
    })

    define('asyncClose completes when all is said, and takes the descriptor', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const pop = a.pop(client)
      const push = pair.push(a, client, pattern(100_000, 2))
      const close = a.asyncClose(client)
      await pair.fails(a, pop, 'ECANCELED')
      expect(await pair.readPattern(b, server, 2)).toBe(100_000)
      await pair.done(a, push, 'push')
      await pair.done(a, close, 'close')
      expect(() => a.close(client)).toThrow(code('EBADF'))
      expect(a.runtime.outstanding).toBe(0)
    })

    define('asyncClose waits for a peer that does not read', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const { taken, waits } = await fill(pair, client)
      const close = a.asyncClose(client)
      await pair.fixture.settle()
      expect(a.runtime.isPending(waits)).toBe(true)
      expect(a.runtime.isPending(close)).toBe(true)
      expect(await pair.readPattern(b, server, 5)).toBe(taken + 8192)
      await pair.done(a, waits, 'push')
      await pair.done(a, close, 'close')
    })

    define(
      'asyncClose waits until the peer has acknowledged',
      async (pair) => {
        const { a, b } = pair
        const { client, server } = await pair.connected()
        const { waits } = await fill(pair, client)
        // Little by little, as one pop of all that has arrived may make room for all that is left.
        let at = 0
        for (; a.runtime.isPending(waits); await pair.fixture.settle()) {
          const { bytes } = await pair.receive(b, server, b.pop(server, 16_384))
          expectPattern(bytes, 5, at)
          at += bytes.byteLength
        }
        await pair.done(a, waits, 'push')
        const close = a.asyncClose(client)
        for (let i = 0; i < 5; i++) await pair.fixture.settle()
        expect(a.runtime.isPending(close)).toBe(true)
        await pair.readPattern(b, server, 5, at)
        await pair.done(a, close, 'close')
      },
      'acknowledgedClose',
    )

    define('asyncClose fails with the reset that came instead of the end', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const { waits } = await fill(pair, client)
      const close = a.asyncClose(client)
      b.setsockopt(server, 'linger', 0)
      b.close(server)
      await pair.fails(a, waits, 'ECONNRESET')
      await pair.fails(a, close, 'ECONNRESET')
      expect(() => a.close(client)).toThrow(code('EBADF'))
    })

    define('asyncClose with a time to linger gives up when it is over', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const { waits } = await fill(pair, client)
      a.setsockopt(client, 'linger', 50)
      const close = a.asyncClose(client)
      await pair.fails(a, close, 'ETIMEDOUT')
      expect(await a.runtime.completion(waits)).toMatchObject({ kind: 'failed' })
      let end = await b.runtime.completion(b.pop(server))
      while (end.kind === 'pop' && end.sga.byteLength > 0) {
        end.sga.free()
        end = await b.runtime.completion(b.pop(server))
      }
      expect(end).toMatchObject({ kind: 'failed', code: 'ECONNRESET' })
    })

    define('asyncClose of what was never connected, and of a listener, completes', async (pair) => {
      const { a } = pair
      await pair.done(a, a.asyncClose(a.socket('stream')), 'close')
      const { qd, at } = pair.listen(a)
      const accept = a.accept(qd)
      const close = a.asyncClose(qd)
      await pair.fails(a, accept, 'ECANCELED')
      await pair.done(a, close, 'close')
      a.bind(a.socket('stream'), at)
    })

    define('both ends at once leaves nothing behind', async (pair) => {
      const { a, b } = pair
      const listener = pair.listen(b)
      for (let i = 0; i < 10; i++) {
        const { client, server } = await pair.connected({ listener })
        a.close(client)
        b.close(server)
      }
      const { client, server } = await pair.connected({ listener })
      await Promise.all([pair.done(a, a.asyncClose(client), 'close'), pair.done(b, b.asyncClose(server), 'close')])
      b.close(listener.qd)
      const open = (libos: NetworkLibOS) => libos.sockets().filter(({ qd }) => qd !== undefined)
      expect(open(a)).toEqual([])
      expect(open(b)).toEqual([])
    })

    define('a closed descriptor is refused by every call with EBADF', async (pair) => {
      const { a } = pair
      const { client, listener } = await pair.connected()
      a.close(client)
      const sga = a.sgaAlloc(1)
      const calls: ((libos: NetworkLibOS, qd: QueueDescriptor) => unknown)[] = [
        (libos, qd) => libos.listen(qd),
        (libos, qd) => libos.accept(qd),
        (libos, qd) => libos.connect(qd, listener.at),
        (libos, qd) => libos.halfClose(qd),
        (libos, qd) => libos.close(qd),
        (libos, qd) => libos.asyncClose(qd),
        (libos, qd) => libos.push(qd, sga),
        (libos, qd) => libos.pop(qd),
        (libos, qd) => libos.getsockname(qd),
        (libos, qd) => libos.setsockopt(qd, 'noDelay', true),
        (libos, qd) => libos.serveStreams(qd, () => {}),
      ]
      for (const call of calls) expect(() => call(a, client), call.toString()).toThrow(code('EBADF'))
      sga.free()
      expect(a.runtime.outstanding).toBe(0)
    })

    define('shutdown ends everything: tokens, connections, listeners', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await pair.connected()
      const idle = await pair.connected({ listener })
      const unaccepted = a.socket('stream')
      await pair.connect(a, unaccepted, listener.at)
      const tokens = [b.pop(idle.server), b.accept(pair.listen(b).qd)]
      const { waits } = await fill(pair, client)
      await b.shutdown()
      for (const token of tokens) await pair.fails(b, token, 'ECANCELED')
      expect(() => b.pop(server)).toThrow(code('EBADF'))
      await pair.fails(a, waits, 'ECONNRESET')
      await b.shutdown()
      expect(b.runtime.outstanding).toBe(0)
    })
  },
}
