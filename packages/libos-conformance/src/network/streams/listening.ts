import { expect } from 'vitest'
import type { Section } from '../section.ts'

const code = (value: string) => expect.objectContaining({ code: value })

export const listening: Section = {
  name: 'streams: listening',
  needs: ['streams'],
  cases(define) {
    define('needs a stream socket that is bound and not connected', async (pair) => {
      const { a } = pair
      expect(() => a.listen(a.socket('stream'))).toThrow(code('EINVAL'))
      expect(() => a.listen(pair.open(a).qd)).toThrow(code('ENOTSUP'))
      const { client } = await pair.connected()
      expect(() => a.listen(client)).toThrow(code('EINVAL'))
    })

    define('is needed to accept', async (pair) => {
      const { a } = pair
      await pair.fails(a, a.accept(pair.open(a).qd), 'ENOTSUP')
      await pair.fails(a, a.accept(a.socket('stream')), 'EINVAL')
      const { client } = await pair.connected()
      await pair.fails(a, a.accept(client), 'EINVAL')
    })

    define('names both ends alike on either side', async (pair) => {
      const { a, b } = pair
      const { client, server, listener, peer } = await pair.connected()
      expect(a.getpeername(client)).toEqual(listener.at)
      expect(b.getsockname(server)).toEqual(listener.at)
      expect(a.getsockname(client)).toEqual(peer)
      expect(b.getpeername(server)).toEqual(peer)
      expect(peer.address).toBe(pair.fixture.addressOfA)
      expect(() => b.getpeername(listener.qd)).toThrow(code('ENOTCONN'))
    })

    define('gives connections to accepts in the order in which they came', async (pair) => {
      const { a, b } = pair
      const listener = pair.listen(b)
      const clients = []
      for (let i = 0; i < 5; i++) {
        const client = a.socket('stream')
        await pair.connect(a, client, listener.at)
        clients.push(a.getsockname(client))
        await pair.fixture.settle()
      }
      for (const client of clients) {
        expect((await pair.done(b, b.accept(listener.qd), 'accept')).peer).toEqual(client)
      }
    })

    define('completes accepts that wait, in their order', async (pair) => {
      const { a, b } = pair
      const listener = pair.listen(b)
      const accepts = [0, 1, 2].map(() => b.accept(listener.qd))
      for (const accept of accepts) {
        const client = a.socket('stream')
        await pair.connect(a, client, listener.at)
        expect((await pair.done(b, accept, 'accept')).peer).toEqual(a.getsockname(client))
      }
    })

    define('goes on after an accept was cancelled: the connection is for the next one', async (pair) => {
      const { a, b } = pair
      const listener = pair.listen(b)
      const [first, second] = [b.accept(listener.qd), b.accept(listener.qd)]
      expect(b.runtime.cancel(first)).toBe(true)
      await pair.fails(b, first, 'ECANCELED')
      const client = a.socket('stream')
      await pair.connect(a, client, listener.at)
      expect((await pair.done(b, second, 'accept')).peer).toEqual(a.getsockname(client))
    })

    define('at the wildcard hears every address, and tells which it was', async (pair) => {
      const { b, fixture } = pair
      const wildcard = pair.listen(b, { address: '0.0.0.0' })
      expect(wildcard.at.address).toBe('0.0.0.0')
      const at = { address: fixture.addressOfB, port: wildcard.at.port }
      const { server } = await pair.connected({ listener: { qd: wildcard.qd, at } })
      expect(b.getsockname(server)).toEqual(at)
    })

    define('refuses a port that is taken, and gives it again after close', (pair) => {
      const { b } = pair
      const { qd, at } = pair.listen(b)
      const second = b.socket('stream')
      expect(() => b.bind(second, at)).toThrow(code('EADDRINUSE'))
      expect(() => b.bind(b.socket('stream'), { ...at, address: '0.0.0.0' })).toThrow(code('EADDRINUSE'))
      b.close(qd)
      b.bind(second, at)
      b.listen(second)
      expect(b.getsockname(second)).toEqual(at)
    })

    define('shares its port number with a datagram socket', (pair) => {
      const { b } = pair
      const { at } = pair.listen(b)
      const datagrams = b.socket('datagram')
      b.bind(datagrams, at)
      expect(b.getsockname(datagrams)).toEqual(at)
    })

    define('gets its port back at once, though connections of it live on', async (pair) => {
      const { b } = pair
      const { server, listener } = await pair.connected()
      b.close(server)
      b.close(listener.qd)
      const next = b.socket('stream')
      b.bind(next, listener.at)
      b.listen(next)
      await pair.connected({ listener: { qd: next, at: listener.at } })
    })

    define('holds at most its backlog of connections that nobody accepts, and goes on when they are', async (pair) => {
      const { a, b } = pair
      const listener = pair.listen(b, { backlog: 2 })
      const waiting = () => {
        const line = b.sockets().find(({ qd }) => qd === listener.qd)
        expect(line).toMatchObject({ state: 'listen', sendQueue: 2 })
        expect(line?.receiveQueue).toBeLessThanOrEqual(2)
        return line?.receiveQueue
      }
      // Those beyond the backlog may wait for room, or be refused: that is the network's choice.
      const clients = Array.from({ length: 6 }, () => a.socket('stream'))
      const connects = clients.map((qd) => a.runtime.completion(a.connect(qd, listener.at)))
      await pair.until('two connections wait', () => waiting() === 2)
      for (let i = 0; i < 10; i++) {
        await pair.fixture.settle()
        waiting()
      }
      for (let i = 0; i < 2; i++) await pair.done(b, b.accept(listener.qd), 'accept')
      for (const client of clients) a.close(client)
      await Promise.all(connects)
      // Some of the clients that are gone may hold the room that was made, so the last one may wait for accepts.
      const late = a.socket('stream')
      a.bind(late, { address: pair.addressOf(a), port: 0 })
      const { port } = a.getsockname(late)
      const connect = a.connect(late, listener.at)
      for (let peer = 0; peer !== port; ) {
        const accept = b.accept(listener.qd)
        await pair.until('a connection comes', () => !b.runtime.isPending(accept))
        peer = (await pair.done(b, accept, 'accept')).peer.port
      }
      await pair.done(a, connect, 'connect')
    })

    define('again changes the backlog', (pair) => {
      const { b } = pair
      const { qd } = pair.listen(b, { backlog: 3 })
      const backlog = () => b.sockets().find((line) => line.qd === qd)?.sendQueue
      expect(backlog()).toBe(3)
      b.listen(qd, 7)
      expect(backlog()).toBe(7)
      expect(() => b.listen(qd, -1)).toThrow(code('EINVAL'))
      expect(backlog()).toBe(7)
    })

    define(
      'ends with close: accepts are cancelled, connections that wait are reset, new ones refused',
      async (pair) => {
        const { a, b } = pair
        const listener = pair.listen(b)
        const waits = a.socket('stream')
        await pair.connect(a, waits, listener.at)
        await pair.until('it waits', () =>
          b.sockets().some((line) => line.qd === listener.qd && line.receiveQueue === 1),
        )
        b.close(listener.qd)
        await pair.fails(a, a.pop(waits), 'ECONNRESET')
        await pair.fails(a, a.connect(a.socket('stream'), listener.at), 'ECONNREFUSED')

        const idle = pair.listen(b)
        const accepts = [b.accept(idle.qd), b.accept(idle.qd)]
        b.close(idle.qd)
        for (const accept of accepts) await pair.fails(b, accept, 'ECANCELED')
      },
    )

    define('may end while its connections go on', async (pair) => {
      const { a, b } = pair
      const { client, server, listener } = await pair.connected()
      b.close(listener.qd)
      await pair.write(a, client, 'still here?')
      expect(await pair.readText(b, server, 11)).toBe('still here?')
      await pair.write(b, server, 'yes')
      expect(await pair.readText(a, client, 3)).toBe('yes')
    })
  },
}
