import { expect } from 'vitest'
import type { Section } from '../section.ts'

const code = (value: string) => expect.objectContaining({ code: value })

export const opening: Section = {
  name: 'streams: connecting',
  needs: ['streams'],
  cases(define) {
    define('fails with ECONNREFUSED where nobody listens', async (pair) => {
      const { a, b } = pair
      const { qd, at } = pair.listen(b)
      b.close(qd)
      for (let i = 0; i < 3; i++) await pair.fails(a, a.connect(a.socket('stream'), at), 'ECONNREFUSED')
    })

    define('happens once: EALREADY while it goes on, EISCONN afterwards', async (pair) => {
      const { a, b } = pair
      const { at, qd } = pair.listen(b)
      const client = a.socket('stream')
      const first = a.connect(client, at)
      await pair.fails(a, a.connect(client, at), 'EALREADY')
      await pair.done(a, first, 'connect')
      await pair.fails(a, a.connect(client, at), 'EISCONN')
      const { accepted, peer } = await pair.done(b, b.accept(qd), 'accept')
      await pair.fails(b, b.connect(accepted, peer), 'EISCONN')
      await pair.write(a, client, 'unharmed')
      expect(await pair.readText(b, accepted, 8)).toBe('unharmed')
    })

    define('fails with EINVAL for what is no address, in the token', async (pair) => {
      const { a, fixture } = pair
      await pair.fails(a, a.connect(a.socket('stream'), { address: 'nowhere', port: 7 }), 'EINVAL')
      await pair.fails(a, a.connect(a.socket('stream'), { address: fixture.addressOfB, port: 65_536 }), 'EINVAL')
    })

    define('keeps the address that the socket was bound to', async (pair) => {
      const { a, fixture } = pair
      let bound = { address: '', port: 0 }
      const { client, peer } = await pair.connected({
        prepare: (qd) => {
          a.bind(qd, { address: fixture.addressOfA, port: 0 })
          bound = a.getsockname(qd)
          expect(bound.port).toBeGreaterThanOrEqual(1024)
        },
      })
      expect(a.getsockname(client)).toEqual(bound)
      expect(peer).toEqual(bound)
      expect(() => a.bind(client, { address: fixture.addressOfA, port: 0 })).toThrow(code('EINVAL'))
    })

    define('comes before everything else: ENOTCONN', async (pair) => {
      const { a } = pair
      const { qd } = pair.listen(a)
      for (const socket of [a.socket('stream'), qd]) {
        await pair.fails(a, pair.push(a, socket, 'x'), 'ENOTCONN')
        await pair.fails(a, a.pop(socket), 'ENOTCONN')
        expect(() => a.halfClose(socket)).toThrow(code('ENOTCONN'))
        expect(() => a.getpeername(socket)).toThrow(code('ENOTCONN'))
      }
      expect(() => a.halfClose(pair.open(a).qd)).toThrow(code('ENOTSUP'))
    })

    define(
      'to the wildcard address reaches the libOS itself',
      async (pair) => {
        const { a } = pair
        const { qd, at } = pair.listen(a, { address: '0.0.0.0' })
        const client = a.socket('stream')
        const accept = a.accept(qd)
        await pair.connect(a, client, { address: '0.0.0.0', port: at.port })
        const { accepted } = await pair.done(a, accept, 'accept')
        await pair.write(a, client, 'to myself')
        expect(await pair.readText(a, accepted, 9)).toBe('to myself')
      },
      'ownAddress',
    )

    define(
      'to its own address reaches the libOS itself',
      async (pair) => {
        const { a } = pair
        const { qd, at } = pair.listen(a)
        const client = a.socket('stream')
        const accept = a.accept(qd)
        await pair.connect(a, client, at)
        const { accepted } = await pair.done(a, accept, 'accept')
        await pair.write(a, accepted, 'to myself')
        expect(await pair.readText(a, client, 9)).toBe('to myself')
      },
      'ownAddress',
    )

    define('can be cancelled, and leaves the listener at work', async (pair) => {
      const { a, b } = pair
      const { qd, at } = pair.listen(b)
      const client = a.socket('stream')
      const connect = a.connect(client, at)
      expect(a.runtime.cancel(connect)).toBe(true)
      await pair.fails(a, connect, 'ECANCELED')
      expect(() => a.getpeername(client)).toThrow(code('ENOTCONN'))
      a.close(client)
      const next = a.socket('stream')
      await pair.connect(a, next, at)
      for (let port = 0; port !== a.getsockname(next).port; ) {
        port = (await pair.done(b, b.accept(qd), 'accept')).peer.port
      }
    })

    define('ends with ECANCELED when the socket is closed meanwhile', async (pair) => {
      const { a, b } = pair
      const { qd, at } = pair.listen(b)
      for (let i = 0; i < 5; i++) {
        const client = a.socket('stream')
        const connect = a.connect(client, at)
        a.close(client)
        await pair.fails(a, connect, 'ECANCELED')
      }
      const orderly = a.socket('stream')
      const connect = a.connect(orderly, at)
      const close = a.asyncClose(orderly)
      await pair.fails(a, connect, 'ECANCELED')
      await pair.done(a, close, 'close')
      expect(a.runtime.outstanding).toBe(0)
      b.close(qd)
    })

    define('races with the close of the listener to one outcome', async (pair) => {
      const { a, b } = pair
      for (let i = 0; i < 8; i++) {
        const { qd, at } = pair.listen(b)
        const client = a.socket('stream')
        const connect = a.connect(client, at)
        if (i % 2 === 1) await pair.fixture.settle()
        b.close(qd)
        const completion = await a.runtime.completion(connect)
        if (completion.kind === 'connect') await pair.fails(a, a.pop(client), 'ECONNRESET')
        else expect(completion).toMatchObject({ kind: 'failed', code: expect.stringMatching(/^ECONN(REFUSED|RESET)$/) })
      }
    })
  },
}
