import { Pdpix, type QueueDescriptor, sgaFromText } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'

const code = (value: string) => expect.objectContaining({ code: value })

/** Every call in one place, dispatched by descriptor. */
export const pdpix: Section = {
  name: 'through Pdpix',
  cases(define) {
    define('datagrams, and queues above a socket by its descriptor alone', async (pair) => {
      const { a, b } = pair
      const [here, there] = [a, b].map(
        (libos) => new Pdpix({ runtime: libos.runtime, pool: libos.pool, network: libos }),
      )
      const client = here.socket('datagram')
      const server = there.socket('datagram')
      here.bind(client, { address: pair.addressOf(a), port: 0 })
      there.bind(server, { address: pair.addressOf(b), port: 0 })
      const send = (text: string) => {
        const sga = sgaFromText(a.pool, text)
        const token = here.pushTo(client, sga, there.getsockname(server))
        here.sgaFree(sga)
        return pair.done(a, token, 'push')
      }
      const loud = there.filter(server, (sga) => sga.toBytes()[0] === 0x21)
      for (const text of ['one', '!two', 'three']) await send(text)
      expect((await pair.receive(b, loud, there.pop(loud))).text).toBe('!two')
      expect((await pair.receive(b, server, there.pop(server))).text).toBe('one')
      expect((await pair.receive(b, server, there.pop(server))).text).toBe('three')
      expect(there.explain(loud).map(({ operation }) => operation)).toEqual(['filter', 'socket or file'])
      const waiting = there.pop(loud)
      there.close(server)
      await pair.fails(b, waiting, 'ECANCELED')
      there.close(loud)
      here.close(client)
      expect(() => there.pop(server)).toThrow(code('EBADF'))
      expect(b.runtime.outstanding).toBe(0)
    })

    define(
      'a stream, from socket to asyncClose',
      async (pair) => {
        const { a, b } = pair
        const here = new Pdpix({ runtime: a.runtime, pool: a.pool, network: a })
        const there = new Pdpix({ runtime: b.runtime, pool: b.pool, network: b })
        const listener = there.socket('stream')
        there.bind(listener, { address: pair.addressOf(b), port: 0 })
        there.listen(listener, 4)
        const accept = there.accept(listener)
        const client = here.socket('stream')
        here.setsockopt(client, 'noDelay', true)
        expect(here.getsockopt(client, 'noDelay')).toBe(true)
        await pair.done(a, here.connect(client, there.getsockname(listener)), 'connect')
        const { accepted } = await pair.done(b, accept, 'accept')
        expect(here.getpeername(client)).toEqual(there.getsockname(listener))
        const sga = here.sgaAlloc(5000)
        const push = here.push(client, sga)
        here.sgaFree(sga)
        await pair.done(a, push, 'push')
        for (let at = 0; at < 5000; ) {
          const { bytes } = await pair.receive(b, accepted, there.pop(accepted, 5000 - at))
          at += bytes.byteLength
        }
        const close = here.asyncClose(client)
        expect((await pair.receive(b, accepted, there.pop(accepted))).bytes.byteLength).toBe(0)
        there.close(accepted)
        await pair.done(a, close, 'close')
        there.close(listener)
        expect(() => here.seek(listener as QueueDescriptor, 0)).toThrow(code('EBADF'))
      },
      'streams',
    )
  },
}
