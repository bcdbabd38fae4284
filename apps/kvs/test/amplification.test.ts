import { OP_GET, OP_SET } from '@parakernel/mica'
import { parseIpv4 } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { KvsClient } from '../src/client/kvs-client.ts'
import { LibOSTransport } from '../src/client/libos-transport.ts'
import { CookieJar } from '../src/guard/cookie.ts'
import { isPrivateAddress } from '../src/guard/private-networks.ts'
import { SipHash } from '../src/guard/siphash.ts'
import { MEMCACHED_PORT, PORT, startCluster } from './support/cluster.ts'
import { request, responses } from './support/native.ts'
import { Peer } from './support/peer.ts'
import { TestNetwork } from './support/test-network.ts'

describe('SipHash', () => {
  it('gives the reference vector of the paper for eight bytes', () => {
    // vectors[8] of the reference implementation: key 00..0f, message 00..07.
    const sip = new SipHash(Uint8Array.from({ length: 16 }, (_, i) => i))
    sip.hash(0x03020100, 0x07060504)
    const bytes = new Uint8Array(sip.out.buffer)
    expect(Buffer.from(bytes).toString('hex')).toBe('6224939a79f5f593')
  })
})

describe('cookies', () => {
  const jar = new CookieJar(new Uint8Array(16).fill(3))

  it('hold for one peer and a bounded time', () => {
    jar.mint(1, 2, 100e9)
    const { lo, hi } = jar
    expect(jar.verify(1, 2, 100e9, lo, hi)).toBe(true)
    expect(jar.verify(1, 2, 164e9, lo, hi)).toBe(true)
    expect(jar.verify(1, 2, 260e9, lo, hi)).toBe(false)
    expect(jar.verify(2, 2, 100e9, lo, hi)).toBe(false)
    expect(jar.verify(1, 3, 100e9, lo, hi)).toBe(false)
    expect(jar.verify(1, 2, 100e9, lo ^ 1, hi)).toBe(false)
  })
})

describe('private networks', () => {
  it('are those of RFC 1918, loopback and link-local', () => {
    for (const address of ['10.1.2.3', '127.0.0.1', '192.168.7.7', '172.16.0.1', '172.31.255.255', '169.254.1.1']) {
      expect([address, isPrivateAddress(parseIpv4(address))]).toEqual([address, true])
    }
    for (const address of [
      '8.8.8.8',
      '172.15.0.1',
      '172.32.0.1',
      '192.169.0.1',
      '169.253.0.1',
      '11.0.0.1',
      '224.0.0.1',
    ]) {
      expect([address, isPrivateAddress(parseIpv4(address))]).toEqual([address, false])
    }
  })
})

describe('the guard', () => {
  it('never sends an unproven address more than it sent', () => {
    const network = new TestNetwork()
    const [{ server }] = startCluster(network)
    const inside = new Peer(network, '10.0.0.7')
    const outside = new Peer(network, '203.0.113.7')
    for (let i = 0; i < 10; i++) {
      inside.exchange(request([{ opcode: OP_SET, key: `k${i}`, value: 'v'.repeat(1000) }]), PORT)
    }
    for (let count = 0; count <= 10; count++) {
      const operations = Array.from({ length: count }, (_, i) => ({ opcode: OP_GET, key: `k${i}` }))
      const asked = request(operations)
      const answers = outside.exchange(asked, PORT)
      expect(answers.reduce((sum, answer) => sum + answer.length, 0)).toBeLessThanOrEqual(asked.length)
      const [answer] = responses(answers)
      expect(answer.cookie).not.toBe(0n)
      expect(answer.status).toBe(count === 0 ? 0 : 3)
      expect(answer.operations.every((operation) => operation.result === 32)).toBe(true)
      // With the cookie the same question is answered in full.
      const proven = responses(outside.exchange(request(operations, { cookie: answer.cookie }), PORT))
      const values = proven.flatMap((packet) => packet.operations.map((operation) => operation.value.length))
      expect(values).toEqual(operations.map(() => 1000))
    }
    // Somebody else's cookie does not help.
    const stolen = responses(outside.exchange(request([]), PORT))[0].cookie
    const thief = new Peer(network, '203.0.113.8')
    const denied = responses(thief.exchange(request([{ opcode: OP_GET, key: 'k1' }], { cookie: stolen }), PORT))
    expect(denied[0].operations[0].result).toBe(32)
    expect(server.state.counters.get('cookieRequired')).toBe(11)
    // A private address needs none, unless the guard wants one of everybody.
    expect(responses(inside.exchange(request([{ opcode: OP_GET, key: 'k1' }]), PORT))[0].operations[0].result).toBe(0)
  })

  it('lets the client prove itself without being told', async () => {
    const network = new TestNetwork()
    startCluster(network, 2, { guard: 'cookie' })
    new Peer(network).exchange(request([{ opcode: OP_SET, key: 'a', value: 'x'.repeat(900) }]), PORT)
    const host = network.host('10.0.0.9')
    const client = new KvsClient(new LibOSTransport(host.libos, { address: '10.0.0.1', port: PORT }))
    let value: unknown
    void (async () => {
      value = (await client.get('a'))?.value.length
    })()
    await network.run(3000, () => value !== undefined)
    expect(value).toBe(900)
    expect(client.statistics().cookieRetries).toBeGreaterThan(0)
    await client.close()
  })

  it('keeps large text replies from public addresses', () => {
    const network = new TestNetwork()
    const [{ server }] = startCluster(network)
    const inside = new Peer(network, '10.0.0.7')
    const outside = new Peer(network, '203.0.113.7')
    inside.text(`set a 0 0 900\r\n${'x'.repeat(900)}\r\n`, MEMCACHED_PORT)
    expect(outside.text('get a\r\n', MEMCACHED_PORT)).toBe('SERVER_ERROR denied\r\n')
    expect(outside.text('set b 0 0 1\r\nx\r\n', MEMCACHED_PORT)).toBe('STORED\r\n')
    expect(inside.text('get a\r\n', MEMCACHED_PORT).length).toBeGreaterThan(900)
    expect(server.state.counters.get('cookieRequired')).toBe(1)
  })

  it('does not talk to other servers', () => {
    const network = new TestNetwork()
    const [{ server }] = startCluster(network)
    const spoofed = new Peer(network, '10.0.0.5', MEMCACHED_PORT)
    expect(spoofed.exchange(Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 0x78, 0x0a]), MEMCACHED_PORT)).toEqual([])
    expect(spoofed.exchange(request([{ opcode: OP_GET, key: 'a' }]), PORT)).toEqual([])
    expect(server.state.counters.get('fromServerPort')).toBe(2)
  })
})
