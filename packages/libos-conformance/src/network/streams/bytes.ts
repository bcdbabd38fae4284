import {
  type NetworkLibOS,
  type QueueDescriptor,
  ScatterGatherArray,
  sgaFromBytes,
  sgaFromText,
} from '@parakernel/queue'
import { expect } from 'vitest'
import { expectPattern, type Pair, pattern } from '../pair.ts'
import type { Section } from '../section.ts'

const SIZES = [1, 2, 3, 100, 536, 1447, 1448, 1449, 1460, 1461, 2048, 4095, 8192, 65_535, 65_537, 200_001]
const MIBIBYTE = 1 << 20

async function sendPattern(pair: Pair, libos: NetworkLibOS, qd: QueueDescriptor, seed: number, total: number) {
  for (let at = 0; at < total; at += 65_536) {
    await pair.write(libos, qd, pattern(Math.min(65_536, total - at), seed, at))
  }
  libos.halfClose(qd)
}

export const bytes: Section = {
  name: 'streams: bytes',
  needs: ['streams'],
  cases(define) {
    define('of any number arrive as they were sent, and are answered', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      for (const [seed, size] of SIZES.entries()) {
        const written = pair.write(a, client, pattern(size, seed))
        expectPattern(await pair.read(b, server, size), seed)
        await written
        const answered = pair.write(b, server, pattern(size, seed + 100))
        expectPattern(await pair.read(a, client, size), seed + 100)
        await answered
      }
    })

    define('go many MiB both ways at once', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const [up, down] = await Promise.all([
        pair.readPattern(b, server, 3),
        pair.readPattern(a, client, 4),
        sendPattern(pair, a, client, 3, 4 * MIBIBYTE),
        sendPattern(pair, b, server, 4, 3 * MIBIBYTE + 1),
      ])
      expect(up).toBe(4 * MIBIBYTE)
      expect(down).toBe(3 * MIBIBYTE + 1)
    })

    define('of many pushes keep the order of the calls', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      let total = 0
      const pushes = Array.from({ length: 80 }, (_, i) => {
        const size = 1 + ((i * 37) % 700)
        const token = pair.push(a, client, pattern(size, 9, total))
        total += size
        return { token, size }
      })
      expectPattern(await pair.read(b, server, total), 9)
      for (const { token, size } of pushes) expect((await pair.done(a, token, 'push')).bytes).toBe(size)
    })

    define('go out of several segments and of parts of frames', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const whole = pattern(5000)
      const parts = [whole.subarray(0, 1), whole.subarray(1, 1700), whole.subarray(1700)].map((part) =>
        sgaFromBytes(a.pool, part),
      )
      const sga = new ScatterGatherArray(
        a.pool,
        parts.flatMap((part) => part.segments),
      )
      const token = a.push(client, sga)
      sga.free()
      expectPattern(await pair.read(b, server, 5000), 1)
      expect((await pair.done(a, token, 'push')).bytes).toBe(5000)
    })

    define('may be freed, or pushed again, as soon as the push was issued', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const sga = sgaFromText(a.pool, 'twice')
      const tokens = [a.push(client, sga), a.push(client, sga)]
      sga.free()
      for (const token of tokens) await pair.done(a, token, 'push')
      expect(await pair.readText(b, server, 10)).toBe('twicetwice')
    })

    define('may be none: the push completes, and nothing comes of it', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      expect((await pair.done(a, pair.push(a, client, ''), 'push')).bytes).toBe(0)
      const pop = b.pop(server)
      await pair.fixture.settle()
      expect(b.runtime.isPending(pop)).toBe(true)
      await pair.write(a, client, 'x')
      expect((await pair.receive(b, server, pop)).text).toBe('x')
    })

    define('are popped up to a limit; the rest stays', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      await pair.write(a, client, pattern(100))
      await pair.fixture.settle()
      let at = 0
      for (const limit of [1, 2, 10, 37]) {
        const { bytes } = await pair.receive(b, server, b.pop(server, limit))
        expect(bytes.byteLength).toBe(limit)
        expectPattern(bytes, 1, at)
        at += limit
      }
      expectPattern((await pair.receive(b, server)).bytes, 1, at)
    })

    define('complete pops that were issued before they came, in order', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const pops = [b.pop(server, 3), b.pop(server, 4), b.pop(server)]
      await pair.fixture.settle()
      for (const token of pops) expect(b.runtime.isPending(token)).toBe(true)
      await pair.write(a, client, 'onetworest')
      expect((await pair.receive(b, server, pops[0])).text).toBe('one')
      expect((await pair.receive(b, server, pops[1])).text).toBe('twor')
      expect((await pair.receive(b, server, pops[2])).text).toBe('est')
    })

    define('are not lost with a pop that was cancelled', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const [first, second] = [b.pop(server), b.pop(server)]
      expect(b.runtime.cancel(first)).toBe(true)
      await pair.fails(b, first, 'ECANCELED')
      await pair.write(a, client, 'for the second')
      expect((await pair.receive(b, server, second)).text).toBe('for the second')
    })

    define('that were popped outlive their queue', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const pop = b.pop(server)
      await pair.write(a, client, 'still mine')
      await pair.until('the pop is complete', () => !b.runtime.isPending(pop))
      b.close(server)
      expect((await pair.receive(b, server, pop)).text).toBe('still mine')
    })
  },
}
