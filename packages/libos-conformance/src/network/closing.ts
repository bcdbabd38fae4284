import { DatagramBurst, type NetworkLibOS, type QueueDescriptor, sgaFromText } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'

const code = (value: string) => expect.objectContaining({ code: value })

export const closing: Section = {
  name: 'cancelling and closing',
  cases(define) {
    define('cancel ends a pop, and the next datagram goes to the next pop', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const [first, second] = [b.pop(server.qd), b.pop(server.qd)]
      expect(b.runtime.cancel(first)).toBe(true)
      await pair.fails(b, first, 'ECANCELED')
      await pair.send(a, client.qd, 'for the second', server.at)
      expect((await pair.receive(b, server.qd, second)).text).toBe('for the second')
      expect(b.runtime.cancel(second)).toBe(false)
    })

    define('close fails every pending token with ECANCELED, once', async (pair) => {
      const { a } = pair
      const { qd } = pair.open(a)
      const pops = [a.pop(qd), a.pop(qd), a.pop(qd)]
      a.close(qd)
      for (const token of pops) await pair.fails(a, token, 'ECANCELED')
      expect(a.runtime.outstanding).toBe(0)
    })

    define('asyncClose does too, and completes', async (pair) => {
      const { a } = pair
      const { qd, at } = pair.open(a)
      const pop = a.pop(qd)
      const close = a.asyncClose(qd)
      await pair.done(a, close, 'close')
      await pair.fails(a, pop, 'ECANCELED')
      expect(() => a.close(qd)).toThrow(code('EBADF'))
      a.bind(a.socket('datagram'), at)
    })

    define('a completed pop outlives its queue', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const pop = b.pop(server.qd)
      await pair.send(a, client.qd, 'still mine', server.at)
      await pair.fixture.settle()
      b.close(server.qd)
      expect((await pair.receive(b, server.qd, pop)).text).toBe('still mine')
    })

    define('close drops what waits in the receive queue', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      for (let i = 0; i < 5; i++) await pair.send(a, client.qd, 'unread', server.at)
      await pair.fixture.settle()
      b.close(server.qd)
    })

    define('a closed descriptor is refused by every call with EBADF', (pair) => {
      const { a, fixture } = pair
      const { qd } = pair.open(a)
      a.close(qd)
      const peer = { address: fixture.addressOfB, port: 9 }
      const sga = sgaFromText(a.pool, 'x')
      const calls: ((libos: NetworkLibOS, qd: QueueDescriptor) => unknown)[] = [
        (libos) => libos.bind(qd, { address: fixture.addressOfA, port: 0 }),
        (libos) => libos.connect(qd, peer),
        (libos) => libos.close(qd),
        (libos) => libos.asyncClose(qd),
        (libos) => libos.getsockname(qd),
        (libos) => libos.getpeername(qd),
        (libos) => libos.setsockopt(qd, 'ttl', 3),
        (libos) => libos.getsockopt(qd, 'ttl'),
        (libos) => libos.joinGroup(qd, '239.1.2.3'),
        (libos) => libos.leaveGroup(qd, '239.1.2.3'),
        (libos) => libos.push(qd, sga),
        (libos) => libos.pushTo(qd, sga, peer),
        (libos) => libos.pop(qd),
        (libos) => libos.serveDatagrams(qd, () => {}),
        (libos) => libos.sendDatagrams(qd, new DatagramBurst(1)),
      ]
      for (const call of calls) expect(() => call(a, qd), call.toString()).toThrow(code('EBADF'))
      sga.free()
      expect(a.runtime.outstanding).toBe(0)
    })

    define('shutdown closes everything, and again does nothing', async (pair) => {
      const { a, b } = pair
      const [client, server, unread] = [pair.open(a), pair.open(b), pair.open(b)]
      const pop = b.pop(server.qd)
      for (let i = 0; i < 3; i++) await pair.send(a, client.qd, 'x', unread.at)
      await pair.fixture.settle()
      await b.shutdown()
      await pair.fails(b, pop, 'ECANCELED')
      await b.shutdown()
      expect(() => b.pop(server.qd)).toThrow(code('EBADF'))
    })
  },
}
