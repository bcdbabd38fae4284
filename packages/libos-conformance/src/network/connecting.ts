import { expect } from 'vitest'
import type { Section } from './section.ts'

const code = (value: string) => expect.objectContaining({ code: value })

export const connecting: Section = {
  name: 'connecting',
  cases(define) {
    define('sets the peer for push, and lets in nobody else', async (pair) => {
      const { a, b } = pair
      const [client, server, other] = [pair.open(a), pair.open(b), pair.open(b)]
      expect(() => a.getpeername(client.qd)).toThrow(code('ENOTCONN'))
      await pair.connect(a, client.qd, server.at)
      expect(a.getpeername(client.qd)).toEqual(server.at)
      expect((await pair.done(a, pair.push(a, client.qd, 'hello'), 'push')).bytes).toBe(5)
      expect(await pair.receive(b, server.qd)).toMatchObject({ text: 'hello', source: client.at })
      await pair.send(b, other.qd, 'from a stranger', client.at)
      await pair.fixture.settle()
      await pair.send(b, server.qd, 'from the peer', client.at)
      expect(await pair.receive(a, client.qd)).toMatchObject({ text: 'from the peer', source: server.at })
    })

    define('refuses another destination with EISCONN', async (pair) => {
      const { a, b } = pair
      const [client, server, other] = [pair.open(a), pair.open(b), pair.open(b)]
      await pair.connect(a, client.qd, server.at)
      await pair.fails(a, pair.pushTo(a, client.qd, 'x', other.at), 'EISCONN')
    })

    define('may be repeated, with another peer', async (pair) => {
      const { a, b } = pair
      const [client, first, second] = [pair.open(a), pair.open(b), pair.open(b)]
      await pair.connect(a, client.qd, first.at)
      await pair.connect(a, client.qd, second.at)
      expect(a.getpeername(client.qd)).toEqual(second.at)
      expect(a.getsockname(client.qd)).toEqual(client.at)
      await pair.done(a, pair.push(a, client.qd, 'to the second'), 'push')
      expect((await pair.receive(b, second.qd)).text).toBe('to the second')
    })

    define('is dissolved by port 0', async (pair) => {
      const { a, b } = pair
      const [client, server, other] = [pair.open(a), pair.open(b), pair.open(b)]
      await pair.connect(a, client.qd, server.at)
      await pair.connect(a, client.qd, { address: '0.0.0.0', port: 0 })
      expect(() => a.getpeername(client.qd)).toThrow(code('ENOTCONN'))
      await pair.fails(a, pair.push(a, client.qd, 'x'), 'EDESTADDRREQ')
      await pair.send(b, other.qd, 'anybody may', client.at)
      expect(await pair.receive(a, client.qd)).toMatchObject({ text: 'anybody may', source: other.at })
      await pair.send(a, client.qd, 'anywhere', other.at)
      expect((await pair.receive(b, other.qd)).text).toBe('anywhere')
    })

    define('binds an unbound socket', async (pair) => {
      const { a, b } = pair
      const server = pair.open(b)
      const qd = a.socket('datagram')
      await pair.connect(a, qd, server.at)
      const { port } = a.getsockname(qd)
      expect(port).toBeGreaterThan(0)
      await pair.done(a, pair.push(a, qd, 'hello'), 'push')
      expect((await pair.receive(b, server.qd)).source).toEqual({ address: pair.fixture.addressOfA, port })
    })

    define(
      'tells a pending pop of a closed port: ECONNREFUSED',
      async (pair) => {
        const { a, b } = pair
        const [client, gone] = [pair.open(a), pair.open(b)]
        await pair.connect(a, client.qd, gone.at)
        b.close(gone.qd)
        const pop = a.pop(client.qd)
        await pair.done(a, pair.push(a, client.qd, 'anybody there?'), 'push')
        await pair.fails(a, pop, 'ECONNREFUSED')
      },
      'portUnreachable',
    )

    define(
      'tells the next call when nothing was pending, once',
      async (pair) => {
        const { a, b } = pair
        const [client, gone] = [pair.open(a), pair.open(b)]
        await pair.connect(a, client.qd, gone.at)
        b.close(gone.qd)
        await pair.done(a, pair.push(a, client.qd, 'anybody there?'), 'push')
        await pair.fixture.settle()
        await pair.fails(a, a.pop(client.qd), 'ECONNREFUSED')
        const again = a.pop(client.qd)
        await pair.fixture.settle()
        expect(a.runtime.isPending(again)).toBe(true)
        a.runtime.cancel(again)
        await pair.fails(a, again, 'ECANCELED')
      },
      'portUnreachable',
    )

    define('does not trouble an unconnected socket with a closed port', async (pair) => {
      const { a, b } = pair
      const [client, gone, server] = [pair.open(a), pair.open(b), pair.open(b)]
      b.close(gone.qd)
      const pop = a.pop(client.qd)
      await pair.send(a, client.qd, 'anybody there?', gone.at)
      await pair.fixture.settle()
      expect(a.runtime.isPending(pop)).toBe(true)
      await pair.send(b, server.qd, 'here', client.at)
      expect((await pair.receive(a, client.qd, pop)).text).toBe('here')
    })
  },
}
