import { expect } from 'vitest'
import type { Section } from './section.ts'

const code = (value: string) => expect.objectContaining({ code: value })

export const options: Section = {
  name: 'options',
  cases(define) {
    define('have the defaults of the contract, and keep what they are set to', (pair) => {
      const { a } = pair
      for (const qd of [a.socket('datagram'), pair.open(a).qd]) {
        expect(a.getsockopt(qd, 'broadcast')).toBe(false)
        expect(a.getsockopt(qd, 'ttl')).toBe(64)
        expect(a.getsockopt(qd, 'multicastTtl')).toBe(1)
        expect(a.getsockopt(qd, 'multicastLoop')).toBe(true)
        expect(a.getsockopt(qd, 'receiveQueue')).toBeGreaterThan(0)
        a.setsockopt(qd, 'broadcast', true)
        a.setsockopt(qd, 'ttl', 9)
        a.setsockopt(qd, 'multicastTtl', 7)
        a.setsockopt(qd, 'multicastLoop', false)
        a.setsockopt(qd, 'receiveQueue', 17)
        expect(a.getsockopt(qd, 'broadcast')).toBe(true)
        expect(a.getsockopt(qd, 'ttl')).toBe(9)
        expect(a.getsockopt(qd, 'multicastTtl')).toBe(7)
        expect(a.getsockopt(qd, 'multicastLoop')).toBe(false)
        expect(a.getsockopt(qd, 'receiveQueue')).toBe(17)
      }
    })

    define('refuse values out of range and names that are none', (pair) => {
      const { a } = pair
      const { qd } = pair.open(a)
      expect(() => a.setsockopt(qd, 'ttl', 0)).toThrow(code('EINVAL'))
      expect(() => a.setsockopt(qd, 'ttl', 256)).toThrow(code('EINVAL'))
      expect(() => a.setsockopt(qd, 'multicastTtl', -1)).toThrow(code('EINVAL'))
      expect(() => a.setsockopt(qd, 'receiveQueue', 0)).toThrow(code('EINVAL'))
      expect(() => a.setsockopt(qd, 'nagle' as 'ttl', 1)).toThrow(code('ENOPROTOOPT'))
      expect(() => a.getsockopt(qd, 'nagle' as 'ttl')).toThrow(code('ENOPROTOOPT'))
    })

    define('a broadcast needs leave', async (pair) => {
      const { a } = pair
      const { qd } = pair.open(a)
      await pair.fails(a, pair.pushTo(a, qd, 'all', { address: '255.255.255.255', port: 9 }), 'EACCES')
    })

    define(
      'a broadcast with leave arrives',
      async (pair) => {
        const { a, b } = pair
        const address = pair.suite.broadcastAddress ?? '255.255.255.255'
        const qd = b.socket('datagram')
        b.bind(qd, { address: '0.0.0.0', port: 0 })
        const client = pair.open(a)
        a.setsockopt(client.qd, 'broadcast', true)
        await pair.send(a, client.qd, 'to all', { address, port: b.getsockname(qd).port })
        expect(await pair.receive(b, qd)).toMatchObject({ text: 'to all', source: client.at })
      },
      'broadcast',
    )
  },
}
