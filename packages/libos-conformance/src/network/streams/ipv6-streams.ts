import { expect } from 'vitest'
import { expectPattern, pattern } from '../pair.ts'
import type { Section } from '../section.ts'

const mapped = (address: string) => `::ffff:${address}`
const code = (value: string) => expect.objectContaining({ code: value })

export const ipv6Streams: Section = {
  name: 'streams: IPv6',
  needs: ['streams', 'ipv6'],
  cases(define) {
    define('carries connections, both ways', async (pair) => {
      const { a, b } = pair
      const { client, server, listener, peer } = await pair.connected({ family: 'ipv6' })
      expect(listener.at.address).toBe(pair.addressOf(b, 'ipv6'))
      expect(peer).toEqual(a.getsockname(client))
      expect(peer.address).toBe(pair.addressOf(a, 'ipv6'))
      expect(a.getpeername(client)).toEqual(listener.at)
      expect(b.sockets().find(({ qd }) => qd === server)).toMatchObject({ family: 'ipv6', state: 'established' })
      const written = pair.write(a, client, pattern(300_000, 21))
      expectPattern(await pair.read(b, server, 300_000), 21)
      await written
      a.halfClose(client)
      await pair.ended(b, server)
      await pair.write(b, server, 'to the end')
      b.halfClose(server)
      expect(await pair.readText(a, client, 10)).toBe('to the end')
      await pair.ended(a, client)
    })

    define('refuses where nobody listens', async (pair) => {
      const { a, b } = pair
      const { qd, at } = pair.listen(b, { family: 'ipv6' })
      b.close(qd)
      await pair.fails(a, a.connect(a.socket('stream', 'ipv6'), at), 'ECONNREFUSED')
    })

    define('at the wildcard takes connections of both families', async (pair) => {
      const { a, b, fixture } = pair
      const { qd, at } = pair.listen(b, { family: 'ipv6', address: '::' })
      expect(at.address).toBe('::')
      const four = { qd, at: { address: fixture.addressOfB, port: at.port } }
      const old = await pair.connected({ listener: four })
      expect(old.peer).toEqual({ address: mapped(fixture.addressOfA), port: a.getsockname(old.client).port })
      expect(b.getsockname(old.server)).toEqual({ address: mapped(fixture.addressOfB), port: at.port })
      await pair.write(a, old.client, 'four')
      expect(await pair.readText(b, old.server, 4)).toBe('four')
      const six = { qd, at: { address: pair.addressOf(b, 'ipv6'), port: at.port } }
      const fresh = await pair.connected({ family: 'ipv6', listener: six })
      expect(fresh.peer).toEqual(a.getsockname(fresh.client))
    })

    define('reaches IPv4 from a socket of IPv6', async (pair) => {
      const { a, b, fixture } = pair
      const { qd, at } = pair.listen(b)
      const client = a.socket('stream', 'ipv6')
      const accept = b.accept(qd)
      await pair.connect(a, client, { address: mapped(at.address), port: at.port })
      const { peer } = await pair.done(b, accept, 'accept')
      expect(peer.address).toBe(fixture.addressOfA)
      expect(a.getpeername(client)).toEqual({ address: mapped(at.address), port: at.port })
    })

    define('alone, where ipv6Only says so', async (pair) => {
      const { a, b, fixture } = pair
      const six = b.socket('stream', 'ipv6')
      expect(b.getsockopt(six, 'ipv6Only')).toBe(false)
      b.setsockopt(six, 'ipv6Only', true)
      b.bind(six, { address: '::', port: 0 })
      b.listen(six)
      expect(() => b.setsockopt(six, 'ipv6Only', false)).toThrow(code('EINVAL'))
      const { port } = b.getsockname(six)
      const here = { address: fixture.addressOfB, port }
      await pair.fails(a, a.connect(a.socket('stream'), here), 'ECONNREFUSED')
      const four = b.socket('stream')
      b.bind(four, { address: '0.0.0.0', port })
      b.listen(four)
      await pair.connected({ listener: { qd: four, at: here } })
    })

    define('refuses addresses of the other family', async (pair) => {
      const { a, b } = pair
      expect(() => a.bind(a.socket('stream'), { address: '::', port: 0 })).toThrow(code('EINVAL'))
      expect(() => a.bind(a.socket('stream', 'ipv6'), { address: '0.0.0.0', port: 0 })).toThrow(code('EINVAL'))
      await pair.fails(a, a.connect(a.socket('stream'), pair.listen(b, { family: 'ipv6' }).at), 'EINVAL')
      await pair.fails(a, a.connect(a.socket('stream', 'ipv6'), pair.listen(b).at), 'EINVAL')
      expect(() => a.setsockopt(a.socket('stream'), 'ipv6Only', true)).toThrow(code('ENOPROTOOPT'))
    })
  },
}
