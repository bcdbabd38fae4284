import { expect } from 'vitest'
import type { Section } from './section.ts'

/** An address for documentation (RFC 5737) that no machine has. */
const FOREIGN = '203.0.113.77'

const code = (value: string) => expect.objectContaining({ code: value })

export const binding: Section = {
  name: 'binding',
  cases(define) {
    define('gives an ephemeral port, and a different one to each socket', ({ a, fixture }) => {
      const ports = new Set<number>()
      for (let i = 0; i < 8; i++) {
        const qd = a.socket('datagram')
        a.bind(qd, { address: fixture.addressOfA, port: 0 })
        const { address, port } = a.getsockname(qd)
        expect(address).toBe(fixture.addressOfA)
        expect(port).toBeGreaterThanOrEqual(1024)
        ports.add(port)
      }
      expect(ports.size).toBe(8)
    })

    define('refuses a port that is taken, and gives it again after close', (pair) => {
      const { a } = pair
      const { qd, at } = pair.open(a)
      const second = a.socket('datagram')
      expect(() => a.bind(second, at)).toThrow(code('EADDRINUSE'))
      a.close(qd)
      a.bind(second, at)
      expect(a.getsockname(second)).toEqual(at)
    })

    define('counts the wildcard as every address', async (pair) => {
      const { a, b, fixture } = pair
      const { port } = pair.open(b).at
      const wildcard = b.socket('datagram')
      expect(() => b.bind(wildcard, { address: '0.0.0.0', port })).toThrow(code('EADDRINUSE'))
      b.bind(wildcard, { address: '0.0.0.0', port: 0 })
      const own = b.getsockname(wildcard)
      expect(own.address).toBe('0.0.0.0')
      expect(() => b.bind(b.socket('datagram'), { ...own, address: fixture.addressOfB })).toThrow(code('EADDRINUSE'))
      await pair.send(a, pair.open(a).qd, 'to the wildcard', { ...own, address: fixture.addressOfB })
      expect((await pair.receive(b, wildcard)).text).toBe('to the wildcard')
    })

    define('refuses an address that is not its own, a second bind, and a port out of range', (pair) => {
      const { a, fixture } = pair
      expect(() => a.bind(a.socket('datagram'), { address: FOREIGN, port: 0 })).toThrow(code('EADDRNOTAVAIL'))
      expect(() => a.bind(pair.open(a).qd, { address: fixture.addressOfA, port: 0 })).toThrow(code('EINVAL'))
      expect(() => a.bind(a.socket('datagram'), { address: fixture.addressOfA, port: 65_536 })).toThrow(code('EINVAL'))
      expect(() => a.bind(a.socket('datagram'), { address: 'nowhere', port: 0 })).toThrow(code('EINVAL'))
    })

    define('is undone by a failed bind: the socket can be bound elsewhere', async (pair) => {
      const { a, b, fixture } = pair
      const taken = pair.open(b).at
      const qd = b.socket('datagram')
      expect(() => b.bind(qd, taken)).toThrow(code('EADDRINUSE'))
      b.bind(qd, { address: fixture.addressOfB, port: 0 })
      await pair.send(a, pair.open(a).qd, 'second try', b.getsockname(qd))
      expect((await pair.receive(b, qd)).text).toBe('second try')
    })

    define('happens by itself when an unbound socket sends', async (pair) => {
      const { a, b } = pair
      const server = pair.open(b)
      const qd = a.socket('datagram')
      expect(a.getsockname(qd)).toEqual({ address: '0.0.0.0', port: 0 })
      await pair.send(a, qd, 'hello', server.at)
      const { source } = await pair.receive(b, server.qd)
      expect(source).toEqual({ address: pair.fixture.addressOfA, port: a.getsockname(qd).port })
    })
  },
}
