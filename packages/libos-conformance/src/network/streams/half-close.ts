import { expect } from 'vitest'
import { expectPattern, pattern } from '../pair.ts'
import type { Section } from '../section.ts'

export const halfClose: Section = {
  name: 'streams: half close',
  needs: ['streams'],
  cases(define) {
    define('ends one half, after its bytes; the other goes on', async (pair) => {
      const { a, b } = pair
      for (const acceptorFirst of [false, true]) {
        const { client, server } = await pair.connected()
        const [first, one] = acceptorFirst ? [b, server] : [a, client]
        const [second, other] = acceptorFirst ? [a, client] : [b, server]
        await pair.write(first, one, 'last words')
        first.halfClose(one)
        expect(await pair.readText(second, other, 10)).toBe('last words')
        await pair.ended(second, other)
        const written = pair.write(second, other, pattern(100_000, 6))
        expectPattern(await pair.read(first, one, 100_000), 6)
        await written
        second.halfClose(other)
        await pair.ended(first, one)
      }
    })

    define('waits for pushes that were issued before it', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const pushes = [0, 1, 2, 3, 4, 5].map((i) => pair.push(a, client, pattern(20_000, 7, i * 20_000)))
      a.halfClose(client)
      expect(await pair.readPattern(b, server, 7)).toBe(120_000)
      for (const token of pushes) await pair.done(a, token, 'push')
    })

    define('refuses further pushes with EPIPE, and does nothing when repeated', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      a.halfClose(client)
      a.halfClose(client)
      await pair.fails(a, pair.push(a, client, 'too late'), 'EPIPE')
      await pair.ended(b, server)
      await pair.write(b, server, 'heard')
      expect(await pair.readText(a, client, 5)).toBe('heard')
    })

    define('is seen by every pop from then on', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const waiting = [b.pop(server), b.pop(server)]
      a.halfClose(client)
      for (const token of waiting) expect((await pair.receive(b, server, token)).bytes.byteLength).toBe(0)
      for (let i = 0; i < 3; i++) await pair.ended(b, server)
    })

    define('by both at once ends both halves', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      a.halfClose(client)
      b.halfClose(server)
      await Promise.all([pair.ended(a, client), pair.ended(b, server)])
      await pair.fails(a, pair.push(a, client, 'x'), 'EPIPE')
      await pair.fails(b, pair.push(b, server, 'x'), 'EPIPE')
      await pair.ended(a, client)
    })
  },
}
