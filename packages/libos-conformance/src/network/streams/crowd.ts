import type { QueueDescriptor } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Bound, Pair } from '../pair.ts'
import type { Section } from '../section.ts'

const CONNECTIONS = 1000
/** Connections that are opened at the same time: their segments fit the pools that the suite asks for. */
const WAVE = 50

interface Ends {
  readonly client: QueueDescriptor
  readonly server: QueueDescriptor
}

/** Opens a wave at once. Accepts come in an order of their own, so the ends are matched by the client's port. */
async function wave(pair: Pair, listener: Bound): Promise<Ends[]> {
  const { a, b } = pair
  const accepts = Array.from({ length: WAVE }, () => b.accept(listener.qd))
  const clients = Array.from({ length: WAVE }, () => a.socket('stream'))
  await Promise.all(clients.map((qd) => pair.connect(a, qd, listener.at)))
  const servers = new Map<number, QueueDescriptor>()
  for (const token of accepts) {
    const { accepted, peer } = await pair.done(b, token, 'accept')
    servers.set(peer.port, accepted)
  }
  return clients.map((client) => ({
    client,
    server: servers.get(a.getsockname(client).port) as QueueDescriptor,
  }))
}

/** Every way in which two ends can part. */
const PARTINGS: Readonly<Record<string, (pair: Pair, ends: Ends) => Promise<void>>> = {
  'the client first': async (pair, { client, server }) => {
    pair.a.close(client)
    await pair.ended(pair.b, server)
    pair.b.close(server)
  },
  'the server first': async (pair, { client, server }) => {
    pair.b.close(server)
    await pair.ended(pair.a, client)
    pair.a.close(client)
  },
  'both at once': async ({ a, b }, { client, server }) => {
    a.close(client)
    b.close(server)
  },
  'half by half': async (pair, { client, server }) => {
    const { a, b } = pair
    a.halfClose(client)
    await pair.ended(b, server)
    b.halfClose(server)
    await pair.ended(a, client)
    a.close(client)
    b.close(server)
  },
  'with a reset': async (pair, { client, server }) => {
    const { a, b } = pair
    const pop = b.pop(server)
    a.setsockopt(client, 'linger', 0)
    a.close(client)
    await pair.fails(b, pop, 'ECONNRESET')
    b.close(server)
  },
}

export const crowd: Section = {
  name: 'streams: many connections',
  needs: ['streams'],
  cases(define) {
    define(`${CONNECTIONS} at once, each with bytes of its own`, async (pair) => {
      const { a, b } = pair
      const listener = pair.listen(b, { backlog: WAVE })
      const all: Ends[] = []
      while (all.length < CONNECTIONS) all.push(...(await wave(pair, listener)))
      expect(a.sockets().filter(({ state }) => state === 'established').length).toBe(CONNECTIONS)
      for (let from = 0; from < CONNECTIONS; from += WAVE) {
        await Promise.all(
          all.slice(from, from + WAVE).map(async ({ client, server }, i) => {
            const question = `question ${from + i}`
            await pair.write(a, client, question)
            expect(await pair.readText(b, server, question.length)).toBe(question)
            await pair.write(b, server, `answer ${from + i}`)
            expect(await pair.readText(a, client, question.length - 2)).toBe(`answer ${from + i}`)
          }),
        )
      }
      for (const { client } of all) a.close(client)
      for (const { server } of all) {
        await pair.ended(b, server)
        b.close(server)
      }
      await pair.until('none is left', () => pair.counter(a, 'tcp', 'tcpCurrEstab') === 0)
    })

    for (const [how, part] of Object.entries(PARTINGS)) {
      define(`opened and parted over and over, ${how}`, async (pair) => {
        const { a, b } = pair
        const listener = pair.listen(b, { backlog: WAVE })
        for (let round = 0; round < 3; round++) {
          const ends = await wave(pair, listener)
          await Promise.all(ends.map((end) => part(pair, end)))
        }
        await pair.until('none is left', () =>
          [a, b].every((libos) => pair.counter(libos, 'tcp', 'tcpCurrEstab') === 0),
        )
        expect(a.sockets().filter(({ qd }) => qd !== undefined)).toEqual([])
        expect(b.sockets().filter(({ qd }) => qd !== undefined).length).toBe(1)
      })
    }
  },
}
