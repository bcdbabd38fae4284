import { expect } from 'vitest'
import type { Section } from '../section.ts'
import { fill } from './backpressure.ts'

export const listing: Section = {
  name: 'streams: listing and accounting',
  needs: ['streams'],
  cases(define) {
    define('every open socket has a line', async (pair) => {
      const { a, b } = pair
      const { client, server, listener, peer } = await pair.connected()
      const unbound = a.socket('stream')
      const datagrams = pair.open(a)
      const line = (libos: typeof a, of: number) => libos.sockets().find(({ qd }) => qd === of)
      expect(line(a, client)).toMatchObject({
        type: 'stream',
        family: 'ipv4',
        local: peer,
        peer: listener.at,
        state: 'established',
      })
      expect(line(b, server)).toMatchObject({ local: listener.at, peer, state: 'established' })
      expect(line(b, listener.qd)).toMatchObject({ local: listener.at, peer: undefined, state: 'listen' })
      expect(line(a, unbound)).toMatchObject({ type: 'stream', peer: undefined, state: 'closed' })
      expect(line(a, datagrams.qd)).toMatchObject({ type: 'datagram', local: datagrams.at, state: 'bound' })
      expect(line(a, a.socket('datagram'))).toMatchObject({ type: 'datagram', state: 'unbound' })
      const peers = pair.open(b)
      await pair.connect(a, datagrams.qd, peers.at)
      expect(line(a, datagrams.qd)).toMatchObject({ state: 'connected', peer: peers.at })
      a.close(client)
      expect(line(a, client)).toBeUndefined()
    })

    define('with what waits in it, either way', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const line = (libos: typeof a, of: number) => libos.sockets().find(({ qd }) => qd === of)
      await pair.write(a, client, 'five!')
      await pair.until('five bytes wait', () => line(b, server)?.receiveQueue === 5)
      expect(await pair.readText(b, server, 5)).toBe('five!')
      expect(line(b, server)?.receiveQueue).toBe(0)
      await fill(pair, client)
      expect(line(a, client)?.sendQueue).toBeGreaterThan(0)
      expect(line(b, server)?.receiveQueue).toBeGreaterThan(0)
    })

    define('with the state of its half close', async (pair) => {
      const { a, b } = pair
      const { client, server } = await pair.connected()
      const state = (libos: typeof a, of: number) => libos.sockets().find(({ qd }) => qd === of)?.state
      a.halfClose(client)
      await pair.ended(b, server)
      expect(state(b, server)).toBe('close-wait')
      await pair.until('the end is acknowledged', () => /^fin-wait-[12]$/.test(state(a, client) ?? ''))
    })

    define('connections are counted under their MIB names', async (pair) => {
      const { a, b } = pair
      const tcp = (libos: typeof a, name: string) => pair.counter(libos, 'tcp', name)
      const before = {
        active: tcp(a, 'tcpActiveOpens'),
        passive: tcp(b, 'tcpPassiveOpens'),
        fails: tcp(a, 'tcpAttemptFails'),
        resets: tcp(a, 'tcpEstabResets'),
      }
      const listener = pair.listen(b)
      const first = await pair.connected({ listener })
      const second = await pair.connected({ listener })
      expect(tcp(a, 'tcpActiveOpens') - before.active).toBe(2)
      expect(tcp(b, 'tcpPassiveOpens') - before.passive).toBe(2)
      expect(tcp(a, 'tcpCurrEstab')).toBe(2)
      expect(tcp(b, 'tcpCurrEstab')).toBe(2)
      b.setsockopt(first.server, 'linger', 0)
      b.close(first.server)
      await pair.fails(a, a.pop(first.client), 'ECONNRESET')
      expect(tcp(a, 'tcpEstabResets') - before.resets).toBe(1)
      expect(tcp(a, 'tcpCurrEstab')).toBe(1)
      a.close(first.client)
      a.close(second.client)
      await pair.ended(b, second.server)
      b.close(second.server)
      await pair.until('none is left', () => tcp(a, 'tcpCurrEstab') === 0 && tcp(b, 'tcpCurrEstab') === 0)
      b.close(listener.qd)
      await pair.fails(a, a.connect(a.socket('stream'), listener.at), 'ECONNREFUSED')
      expect(tcp(a, 'tcpAttemptFails') - before.fails).toBe(1)
    })
  },
}
