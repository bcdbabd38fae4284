import { afterEach, describe, expect, it } from 'vitest'
import { Resolver, type ResolverOptions } from '../../src/dns/resolver.ts'
import { seededRandom } from '../../src/random.ts'
import { Machines, SECOND } from '../support/machines.ts'
import { name, type ZoneRecord, ZoneServer } from './support/zone-server.ts'

const ZONE: ZoneRecord[] = [
  ['www.test', 'A', 300, [10, 0, 0, 80]],
  ['www.test', 'A', 100, [10, 0, 0, 81]],
  ['www.test', 'AAAA', 300, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
  ['four.test', 'A', 300, [10, 0, 0, 44]],
  ['alias.test', 'CNAME', 50, name('www.test')],
  ['circle.test', 'CNAME', 50, name('round.test')],
  ['round.test', 'CNAME', 50, name('circle.test')],
  ['7.0.0.10.in-addr.arpa', 'PTR', 60, name('seven.test')],
  ['test', 'MX', 60, [0, 10, ...name('mail.test')]],
  ['test', 'TXT', 60, [2, 104, 105, 3, 97, 32, 98]],
  ['_http._tcp.test', 'SRV', 60, [0, 1, 0, 2, 0, 80, ...name('www.test')]],
]

let machines: Machines | undefined
afterEach(async () => {
  await machines?.close()
  machines = undefined
})

/** A resolver, and servers at 10.0.0.53 and 10.0.0.54, on virtual time. */
async function setup(options: Partial<ResolverOptions> = {}) {
  const world = new Machines()
  machines = world
  const { libos } = await world.add({ options: { address: '10.0.0.1/24', seed: 1 } })
  const servers = [new ZoneServer(ZONE), new ZoneServer(ZONE)]
  for (const [i, server] of servers.entries()) {
    const address = `10.0.0.${53 + i}`
    server.serve((await world.add({ options: { address: `${address}/24`, seed: 2 + i } })).libos, { address, port: 53 })
  }
  const resolver = new Resolver(libos, { servers: ['10.0.0.53', '10.0.0.54'], random: seededRandom(3), ...options })
  /** Runs virtual time until a promise settles. */
  const settled = async <T>(promise: Promise<T>): Promise<T> => {
    let done = false
    const watch = promise.finally(() => {
      done = true
    })
    watch.catch(() => {})
    for (let i = 0; i < 10_000 && !done; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (!done) world.run(10_000_000)
    }
    return watch
  }
  return { world, resolver, servers, settled }
}

const code = (value: string) => expect.objectContaining({ code: value })

describe('resolver', () => {
  it('finds the addresses of a host, of both families', async () => {
    const { resolver, settled } = await setup()
    expect(await settled(resolver.lookup('WWW.test'))).toEqual([
      { address: '2001:db8::1', family: 6 },
      { address: '10.0.0.80', family: 4 },
      { address: '10.0.0.81', family: 4 },
    ])
    expect(await settled(resolver.lookup('four.test'))).toEqual([{ address: '10.0.0.44', family: 4 }])
    await expect(settled(resolver.lookup('four.test', 6))).rejects.toThrow(code('ENOENT'))
  })

  it('orders them by what can be reached, if it is told how (RFC 6724 section 6)', async () => {
    let order = (addresses: readonly string[]) => addresses
    const { resolver, settled, world } = await setup({ order: (addresses) => order(addresses) })
    const { control } = world.all[0].libos
    order = (addresses) => control.orderAddresses(addresses)
    const texts = async () => (await settled(resolver.lookup('www.test'))).map(({ address }) => address)
    // No route leads to 2001:db8::1, and then one does.
    expect(await texts()).toEqual(['10.0.0.80', '10.0.0.81', '2001:db8::1'])
    control.addAddress('net0', '2001:db8::77/64')
    world.run(3e9)
    expect(await texts()).toEqual(['2001:db8::1', '10.0.0.80', '10.0.0.81'])
  })

  it('reads every type of record, and addresses backwards', async () => {
    const { resolver, settled } = await setup()
    expect(await settled(resolver.resolve('test', 'MX'))).toMatchObject([{ preference: 10, name: 'mail.test' }])
    expect(await settled(resolver.resolve('test', 'TXT'))).toMatchObject([{ texts: ['hi', 'a b'] }])
    expect(await settled(resolver.resolve('_http._tcp.test', 'SRV'))).toMatchObject([
      { priority: 1, weight: 2, port: 80, name: 'www.test' },
    ])
    expect(await settled(resolver.reverse('10.0.0.7'))).toEqual(['seven.test'])
  })

  it('follows aliases, and tells a circle', async () => {
    const { resolver, settled } = await setup()
    expect(await settled(resolver.resolve('alias.test', 'A'))).toHaveLength(2)
    await expect(settled(resolver.resolve('circle.test', 'A'))).rejects.toThrow(code('EPROTO'))
  })

  it('needs no server for addresses and for this host (RFC 6761)', async () => {
    const { resolver, servers } = await setup()
    expect(await resolver.lookup('10.1.2.3')).toEqual([{ address: '10.1.2.3', family: 4 }])
    expect(await resolver.lookup('2001:DB8::0:1')).toEqual([{ address: '2001:db8::1', family: 6 }])
    expect(await resolver.lookup('localhost', 4)).toEqual([{ address: '127.0.0.1', family: 4 }])
    expect(servers[0].asked).toEqual([])
  })

  it('remembers answers for the shortest of their lives, aliases included', async () => {
    const { world, resolver, servers, settled } = await setup()
    await settled(resolver.resolve('alias.test', 'A'))
    world.run(49 * SECOND)
    await settled(resolver.resolve('alias.test', 'A'))
    expect(servers[0].asked).toHaveLength(1)
    world.run(2 * SECOND)
    await settled(resolver.resolve('alias.test', 'A'))
    expect(servers[0].asked).toHaveLength(2)
  })

  it('remembers that a name does not exist for as long as its zone says (RFC 2308)', async () => {
    const { world, resolver, servers, settled } = await setup()
    await expect(settled(resolver.resolve('nobody.test', 'A'))).rejects.toThrow(code('ENOENT'))
    await expect(settled(resolver.resolve('nobody.test', 'A'))).rejects.toThrow('does not exist')
    expect(servers[0].asked).toHaveLength(1)
    world.run(61 * SECOND)
    await expect(settled(resolver.resolve('nobody.test', 'A'))).rejects.toThrow(code('ENOENT'))
    expect(servers[0].asked).toHaveLength(2)
  })

  it('asks once what many wait for', async () => {
    const { resolver, servers, settled } = await setup()
    await settled(Promise.all(Array.from({ length: 20 }, () => resolver.resolve('www.test', 'A'))))
    expect(servers[0].asked).toEqual(['udp A www.test'])
  })

  it('tries names with few dots in the search list first, others as they are', async () => {
    const { resolver, servers, settled } = await setup({ search: ['elsewhere.test', 'test'] })
    expect(await settled(resolver.lookup('four', 4))).toHaveLength(1)
    expect(servers[0].asked).toEqual(['udp A four.elsewhere.test', 'udp A four.test'])
    servers[0].asked.length = 0
    expect(await settled(resolver.lookup('www.test', 4))).toHaveLength(2)
    expect(servers[0].asked).toEqual(['udp A www.test'])
    await expect(settled(resolver.lookup('four.', 4))).rejects.toThrow(code('ENOENT'))
  })

  it('goes to the next server when one is silent or fails', async () => {
    const { resolver, servers, settled } = await setup()
    servers[0].behaviour.silent = true
    expect(await settled(resolver.resolve('www.test', 'A'))).toHaveLength(2)
    expect(resolver.statistics).toMatchObject({ timeouts: 1, answers: 1 })
    servers[0].behaviour.silent = false
    servers[0].behaviour.code = 2
    expect(await settled(resolver.resolve('test', 'MX'))).toHaveLength(1)
    servers[1].behaviour.code = 5
    await expect(settled(resolver.resolve('test', 'TXT'))).rejects.toThrow(code('EAGAIN'))
  })

  it('gives up with ETIMEDOUT after its rounds, each twice as long', async () => {
    const { world, resolver, servers, settled } = await setup({ servers: ['10.0.0.53'], timeout: 1000, attempts: 3 })
    servers[0].behaviour.silent = true
    const start = world.now
    await expect(settled(resolver.resolve('www.test', 'A'))).rejects.toThrow(code('ETIMEDOUT'))
    expect((world.now - start) / SECOND).toBeCloseTo(7, 1)
    expect(servers[0].asked).toHaveLength(3)
  })

  it('asks a server that refuses EDNS without it (RFC 6891 section 7)', async () => {
    const { resolver, servers, settled } = await setup()
    servers[0].behaviour.noEdns = true
    expect(await settled(resolver.resolve('www.test', 'A'))).toHaveLength(2)
    expect(servers[0].asked).toHaveLength(2)
  })

  it('passes over answers with another identifier or question, and over rubbish (RFC 5452)', async () => {
    const { resolver, servers, settled } = await setup()
    servers[0].behaviour.forge = (right) => [
      right.with(0, right[0] ^ 1),
      right.with(13, right[13] ^ 2),
      right.with(right.length - 1, 66).slice(0, -1),
      Uint8Array.of(1, 2, 3),
    ]
    const records = await settled(resolver.resolve('four.test', 'A'))
    expect(records).toMatchObject([{ address: '10.0.0.44' }])
    expect(resolver.statistics.ignored).toBe(4)
  })

  it('refuses bad names and bad servers with EINVAL', async () => {
    const { resolver, world } = await setup()
    for (const bad of ['', 'a..b', `${'x'.repeat(64)}.test`, 'a b', 'ü.test', `${'abcdefg.'.repeat(40)}test`]) {
      if (bad !== '') await expect(resolver.resolve(bad, 'A')).rejects.toThrow(code('EINVAL'))
    }
    const { libos } = world.all[0]
    expect(() => new Resolver(libos, { servers: [] })).toThrow(code('EINVAL'))
    expect(() => new Resolver(libos, { servers: ['ns.test'] })).toThrow(code('EINVAL'))
  })
})
