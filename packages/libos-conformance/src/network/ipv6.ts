import { expect } from 'vitest'
import { expectPattern, pattern } from './pair.ts'
import type { Section } from './section.ts'

const mapped = (address: string) => `::ffff:${address}`

/** Datagrams over IPv6, and over IPv4 through sockets of IPv6 (RFC 3493 section 3.7). */
export const ipv6: Section = {
  name: 'IPv6',
  needs: ['ipv6'],
  cases(define) {
    define('carries datagrams, whole and with their source', async (pair) => {
      const { a, b } = pair
      const [client, server] = [pair.open(a, 'ipv6'), pair.open(b, 'ipv6')]
      for (const size of [0, 1, 1452, 1453, 9000]) {
        await pair.send(a, client.qd, pattern(size), server.at)
        const { bytes, source } = await pair.receive(b, server.qd)
        expect(bytes.byteLength).toBe(size)
        expectPattern(bytes, 1)
        expect(source).toEqual(client.at)
      }
    })

    define('connects datagram sockets', async (pair) => {
      const { a, b } = pair
      const [client, server, stranger] = [pair.open(a, 'ipv6'), pair.open(b, 'ipv6'), pair.open(b, 'ipv6')]
      await pair.connect(a, client.qd, server.at)
      expect(a.getpeername(client.qd)).toEqual(server.at)
      await pair.send(b, stranger.qd, 'from a stranger', client.at)
      await pair.fixture.settle()
      await pair.send(b, server.qd, 'from the peer', client.at)
      expect((await pair.receive(a, client.qd)).text).toBe('from the peer')
    })

    define('has addresses of its own, and one socket at the wildcard hears both families', async (pair) => {
      const { a, b, fixture } = pair
      expect(a.addresses).toContain(pair.addressOf(a, 'ipv6'))
      const both = b.socket('datagram', 'ipv6')
      b.bind(both, { address: '::', port: 0 })
      const { port } = b.getsockname(both)
      const [four, six] = [pair.open(a), pair.open(a, 'ipv6')]
      await pair.send(a, four.qd, 'four', { address: fixture.addressOfB, port })
      const from = { address: mapped(fixture.addressOfA), port: four.at.port }
      expect(await pair.receive(b, both)).toMatchObject({ text: 'four', source: from })
      await pair.send(b, both, 'back', from)
      expect((await pair.receive(a, four.qd)).text).toBe('back')
      await pair.send(a, six.qd, 'six', { address: pair.addressOf(b, 'ipv6'), port })
      expect(await pair.receive(b, both)).toMatchObject({ text: 'six', source: six.at })
    })

    define('alone, where ipv6Only says so: the port of IPv4 stays free', async (pair) => {
      const { a, b, fixture } = pair
      const six = b.socket('datagram', 'ipv6')
      b.setsockopt(six, 'ipv6Only', true)
      expect(b.getsockopt(six, 'ipv6Only')).toBe(true)
      b.bind(six, { address: '::', port: 0 })
      const { port } = b.getsockname(six)
      const four = b.socket('datagram')
      b.bind(four, { address: '0.0.0.0', port })
      await pair.send(a, pair.open(a).qd, 'four', { address: fixture.addressOfB, port })
      expect((await pair.receive(b, four)).text).toBe('four')
    })

    define('refuses addresses of the other family', async (pair) => {
      const { a, fixture } = pair
      const code = (value: string) => expect.objectContaining({ code: value })
      expect(() => a.bind(a.socket('datagram'), { address: '::', port: 0 })).toThrow(code('EINVAL'))
      expect(() => a.bind(a.socket('datagram', 'ipv6'), { address: '0.0.0.0', port: 0 })).toThrow(code('EINVAL'))
      const six = { address: pair.addressOf(pair.b, 'ipv6'), port: 9 }
      await pair.fails(a, pair.pushTo(a, pair.open(a).qd, 'x', six), 'EINVAL')
      await pair.fails(
        a,
        pair.pushTo(a, pair.open(a, 'ipv6').qd, 'x', { address: fixture.addressOfB, port: 9 }),
        'EINVAL',
      )
    })
  },
}
