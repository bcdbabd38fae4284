import { type QueueToken, ScatterGatherArray, sgaFromBytes, sgaFromText } from '@parakernel/queue'
import { expect } from 'vitest'
import { pattern } from './pair.ts'
import type { Section } from './section.ts'

const LARGEST_IPV4 = 65_507

export const datagrams: Section = {
  name: 'datagrams',
  cases(define) {
    define('arrive whole, with the address of their sender, and are answered', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      await pair.send(a, client.qd, 'question', server.at)
      const question = await pair.receive(b, server.qd)
      expect(question).toMatchObject({ text: 'question', source: client.at })
      await pair.send(b, server.qd, 'answer', question.source ?? client.at)
      expect(await pair.receive(a, client.qd)).toMatchObject({ text: 'answer', source: server.at })
    })

    define('complete pops that were issued before they came, in order', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const pops = [0, 1, 2, 3].map(() => b.pop(server.qd))
      for (const i of pops.keys()) await pair.send(a, client.qd, `number ${i}`, server.at)
      for (const [i, token] of pops.entries()) {
        expect((await pair.receive(b, server.qd, token)).text).toBe(`number ${i}`)
      }
    })

    define('wait in order for pops that come later', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      b.setsockopt(server.qd, 'receiveQueue', 64)
      for (let i = 0; i < 48; i++) await pair.send(a, client.qd, pattern(i * 3, i), server.at)
      await pair.fixture.settle()
      for (let i = 0; i < 48; i++) {
        expect((await pair.receive(b, server.qd)).bytes).toEqual(pattern(i * 3, i))
      }
    })

    define('of length 0 are datagrams too', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      await pair.send(a, client.qd, '', server.at)
      await pair.send(a, client.qd, 'x', server.at)
      expect(await pair.receive(b, server.qd)).toMatchObject({ text: '', source: client.at })
      expect((await pair.receive(b, server.qd)).text).toBe('x')
    })

    define('go out of several segments and of parts of frames', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const whole = pattern(600)
      const parts = [whole.subarray(0, 1), whole.subarray(1, 100), whole.subarray(100)].map((part) =>
        sgaFromBytes(a.pool, part),
      )
      const segments = parts.flatMap((part) => part.segments)
      const sga = new ScatterGatherArray(a.pool, segments)
      const token = a.pushTo(client.qd, sga, server.at)
      sga.free()
      expect((await pair.done(a, token, 'push')).bytes).toBe(600)
      expect((await pair.receive(b, server.qd)).bytes).toEqual(whole)
    })

    define('may be freed, or pushed again, as soon as the push was issued', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const sga = sgaFromText(a.pool, 'twice')
      const tokens = [a.pushTo(client.qd, sga, server.at), a.pushTo(client.qd, sga, server.at)]
      sga.free()
      for (const token of tokens) await pair.done(a, token, 'push')
      expect((await pair.receive(b, server.qd)).text).toBe('twice')
      expect((await pair.receive(b, server.qd)).text).toBe('twice')
    })

    define('pass up to the largest size, and fail with EMSGSIZE beyond', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const largest = pair.suite.largestDatagram ?? LARGEST_IPV4
      for (const size of [1472, 1473, largest].filter((bytes) => bytes <= largest)) {
        await pair.send(a, client.qd, pattern(size), server.at)
        expect((await pair.receive(b, server.qd)).bytes).toEqual(pattern(size))
      }
      await pair.fails(a, pair.pushTo(a, client.qd, pattern(largest + 1), server.at), 'EMSGSIZE')
      await pair.fails(a, pair.pushTo(a, client.qd, pattern(LARGEST_IPV4 + 1), server.at), 'EMSGSIZE')
    })

    define('need a destination', async (pair) => {
      const { a } = pair
      await pair.fails(a, pair.push(a, pair.open(a).qd, 'whither?'), 'EDESTADDRREQ')
    })

    define('are dropped and counted when the receive queue is full; the oldest stay', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      await pair.send(a, client.qd, 'first of all', server.at)
      await pair.receive(b, server.qd)
      b.setsockopt(server.qd, 'receiveQueue', 4)
      const before = pair.counter(b, 'udp', 'udpInErrors')
      for (let i = 0; i < 20; i++) await pair.send(a, client.qd, `number ${i}`, server.at)
      await pair.fixture.settle()
      expect(pair.counter(b, 'udp', 'udpInErrors') - before).toBe(16)
      for (let i = 0; i < 4; i++) expect((await pair.receive(b, server.qd)).text).toBe(`number ${i}`)
      await pair.send(a, client.qd, 'again', server.at)
      expect((await pair.receive(b, server.qd)).text).toBe('again')
    })

    define('go both ways between many sockets at once, none to a wrong one', async (pair) => {
      const { a, b } = pair
      const servers = Array.from({ length: 8 }, () => pair.open(b))
      const clients = Array.from({ length: 8 }, () => pair.open(a))
      const pops: QueueToken[][] = servers.map(({ qd }) => clients.map(() => b.pop(qd)))
      for (const [c, client] of clients.entries()) {
        for (const [s, server] of servers.entries()) await pair.send(a, client.qd, `${c} to ${s}`, server.at)
      }
      // A NIC of several queues keeps the order of a flow, and no order among flows.
      for (const [s, server] of servers.entries()) {
        const heard = new Map<number, string>()
        for (const token of pops[s]) {
          const { text, source } = await pair.receive(b, server.qd, token)
          heard.set(source?.port ?? 0, text)
        }
        expect(heard).toEqual(new Map(clients.map(({ at }, c) => [at.port, `${c} to ${s}`])))
      }
    })
  },
}
