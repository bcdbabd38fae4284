import { ParakernelError } from '@parakernel/hal'
import { expect } from 'vitest'
import type { Section } from './section.ts'

export const accounting: Section = {
  name: 'accounting',
  cases(define) {
    define('counts datagrams in and out under their MIB names', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      const [out, into] = [pair.counter(a, 'udp', 'udpOutDatagrams'), pair.counter(b, 'udp', 'udpInDatagrams')]
      for (let i = 0; i < 7; i++) {
        await pair.send(a, client.qd, 'x', server.at)
        await pair.receive(b, server.qd)
      }
      expect(pair.counter(a, 'udp', 'udpOutDatagrams') - out).toBe(7)
      expect(pair.counter(b, 'udp', 'udpInDatagrams') - into).toBe(7)
    })

    define('names its addresses and itself', ({ a, b, fixture }) => {
      expect(a.addresses).toContain(fixture.addressOfA)
      expect(b.addresses).toContain(fixture.addressOfB)
      expect(a.name).not.toBe('')
    })

    define('allocates arrays of many segments, and runs out with ENOBUFS without keeping any', ({ a }) => {
      const sga = a.sgaAlloc(10_000)
      expect(sga.byteLength).toBe(10_000)
      expect(sga.slice(0).byteLength).toBeGreaterThan(0)
      sga.free()
      const free = a.pool.available
      let error: unknown
      try {
        a.sgaAlloc(a.pool.frameCount * a.pool.frameSize)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(ParakernelError)
      expect(error).toMatchObject({ code: 'ENOBUFS' })
      expect(a.pool.available).toBe(free)
    })

    define('keeps no token after all were redeemed', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a), pair.open(b)]
      for (let i = 0; i < 5; i++) await pair.send(a, client.qd, 'x', server.at)
      for (let i = 0; i < 5; i++) await pair.receive(b, server.qd)
      expect(a.runtime.outstanding).toBe(0)
      expect(b.runtime.outstanding).toBe(0)
    })
  },
}
