import type { QueueDescriptor, QueueToken } from '@parakernel/queue'
import { expect } from 'vitest'
import { expectPattern, type Pair, pattern } from '../pair.ts'
import type { Section } from '../section.ts'

const PUSH = 8192
/** More than any sane pair of buffers; whoever takes this much without a pop has no bound. */
const TOO_MUCH = 64 << 20

/** Pushes until a push waits: the peer does not pop. Bytes that were taken, and the token that waits for room. */
export async function fill(pair: Pair, client: QueueDescriptor): Promise<{ taken: number; waits: QueueToken }> {
  const { a } = pair
  for (let taken = 0; taken < TOO_MUCH; ) {
    const token = pair.push(a, client, pattern(PUSH, 5, taken))
    for (let i = 0; i < 5 && a.runtime.isPending(token); i++) await pair.fixture.settle()
    if (a.runtime.isPending(token)) return { taken, waits: token }
    await pair.done(a, token, 'push')
    taken += PUSH
  }
  throw new Error(`${TOO_MUCH} bytes were taken that nobody popped`)
}

export const backpressure: Section = {
  name: 'streams: backpressure',
  needs: ['streams'],
  cases(define) {
    define('lets pushes wait while the peer does not pop, and go on as it does', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const { taken, waits } = await fill(pair, client)
      expect(taken).toBeGreaterThan(0)
      const last = pair.push(a, client, pattern(PUSH, 5, taken + PUSH))
      await pair.fixture.settle()
      expect(a.runtime.isPending(waits)).toBe(true)
      expect(a.runtime.isPending(last)).toBe(true)
      for (let at = 0; at < taken + 2 * PUSH; ) {
        const { bytes } = await pair.receive(b, server)
        expectPattern(bytes, 5, at)
        at += bytes.byteLength
      }
      await pair.done(a, waits, 'push')
      await pair.done(a, last, 'push')
    })

    define('leaves other connections alone', async (pair) => {
      const { a, b } = pair
      const stuck = await pair.connected()
      const other = await pair.connected({ listener: stuck.listener })
      const { waits } = await fill(pair, stuck.client)
      for (let i = 0; i < 20; i++) {
        await pair.write(a, other.client, pattern(1000, i))
        expectPattern(await pair.read(b, other.server, 1000), i)
      }
      expect(a.runtime.isPending(waits)).toBe(true)
    })

    define('ends with the socket: every push that waits fails once', async (pair) => {
      const { a } = pair
      const { client } = await pair.connected()
      const { waits } = await fill(pair, client)
      const more = [1, 2, 3].map((i) => pair.push(a, client, pattern(PUSH, i)))
      a.close(client)
      for (const token of [waits, ...more]) await pair.fails(a, token, 'ECANCELED')
      expect(a.runtime.outstanding).toBe(0)
    })

    define('lets go of a push that is cancelled while it waits', async (pair) => {
      const { a } = pair
      const { client } = await pair.connected()
      const { waits } = await fill(pair, client)
      const behind = pair.push(a, client, pattern(PUSH))
      expect(a.runtime.cancel(behind)).toBe(true)
      await pair.fails(a, behind, 'ECANCELED')
      expect(a.runtime.isPending(waits)).toBe(true)
    })

    define(
      'begins where the two buffers end',
      async (pair) => {
        const { a, b } = pair
        const listener = pair.listen(b)
        b.setsockopt(listener.qd, 'receiveBuffer', 32_768)
        const { client } = await pair.connected({
          listener,
          prepare: (qd) => a.setsockopt(qd, 'sendBuffer', 32_768),
        })
        const { taken } = await fill(pair, client)
        expect(taken).toBeGreaterThanOrEqual(32_768)
        expect(taken).toBeLessThanOrEqual(4 * 32_768)
      },
      'exactBuffers',
    )
  },
}
