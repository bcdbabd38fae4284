import { afterEach, describe, expect, it } from 'vitest'
import { SECOND } from '../support/machines.ts'
import { addressBytes, concat, HOST, type Ipv6Fields, linkLayerOption, textAt, u16, u32 } from './support/frames6.ts'
import {
  advertisement,
  type Bench6,
  CLIENT_MAC,
  counter6,
  host6,
  icmpPacket,
  PEER_LOCAL,
  SERVER_MAC,
} from './support/host6.ts'

let bench: Bench6
afterEach(() => bench.machines.close())

const ALL_NODES_MAC = '33:33:00:00:00:01'
const FAR = '2001:db8:ffff::9'
const ROUTER_2 = 'fe80::22'
const FOREVER = 0xffffffff

interface RouterFields extends Ipv6Fields {
  readonly hopLimitToUse?: number
  readonly flags?: number
  readonly lifetime?: number
  readonly reachable?: number
  readonly retransmit?: number
}

/** A router advertisement by fe80::2. */
function router(options: readonly Uint8Array[] = [], fields: RouterFields = {}): Uint8Array {
  const { hopLimitToUse = 0, flags = 0, lifetime = 1800, reachable = 0, retransmit = 0 } = fields
  const body = concat([hopLimitToUse, flags], u16(lifetime), u32(reachable), u32(retransmit), ...options)
  return icmpPacket(134, 0, body, { source: PEER_LOCAL, destination: 'ff02::1', hopLimit: 255, ...fields })
}

const slla = linkLayerOption(1, CLIENT_MAC)
const prefix = (text: string, flags = 0xc0, valid = FOREVER, preferred = FOREVER, bits = 64) =>
  concat([3, 4, bits, flags], u32(valid), u32(preferred), u32(0), addressBytes(text))
const mtu = (value: number) => concat([5, 1, 0, 0], u32(value))
const hear = (options: readonly Uint8Array[], fields: RouterFields = {}) =>
  bench.exchange(router(options, fields), { to: ALL_NODES_MAC })
const addresses = () =>
  bench.libos.control
    .addresses()
    .filter(({ family, interface: name }) => family === 'ipv6' && name === 'net0')
    .map(({ address, state }) => `${state} ${address}`)
const routes = () =>
  bench.libos.control
    .routes()
    .filter(({ family, origin }) => family === 'ipv6' && origin === 'router')
    .map(({ destination, gateway }) => `${destination} ${gateway ?? 'on link'}`)

describe('router discovery (RFC 4861 section 6.3)', () => {
  it('asks for routers, at doubling intervals, until one answers (RFC 7559)', async () => {
    bench = await host6({ ipv6: 'auto', addresses: [] }, {}, 0)
    const asked: { source: string; message: Uint8Array }[] = []
    const times: number[] = []
    for (let t = 0; t < 300; t++) {
      bench.run(0.1 * SECOND)
      for (const seen of bench.taken()) {
        if (seen.type !== 133) continue
        asked.push(seen)
        times.push(t / 10)
        expect(seen).toMatchObject({ to: '33:33:00:00:00:02', destination: 'ff02::2', hopLimit: 255 })
      }
    }
    expect(asked.length).toBe(4)
    expect(times[0]).toBeLessThan(1.1)
    expect(times[2] - times[1]).toBeGreaterThan(1.5 * (times[1] - times[0]))
    // From an address of ours, with its MAC address; from nobody without.
    const named = asked.filter(({ source }) => source !== '::')
    expect(named.every(({ message }) => textOf(message.slice(8)) === textOf(linkLayerOption(1, SERVER_MAC)))).toBe(true)
    hear([slla])
    bench.run(60 * SECOND)
    expect(bench.taken().filter(({ type }) => type === 133)).toEqual([])
  })

  it('makes an address of a prefix, stable from start to start (RFC 4862, RFC 7217)', async () => {
    const made: string[] = []
    for (const addressSecret of ['one', 'one', 'two']) {
      bench = await host6({ ipv6: 'auto', addresses: [], addressSecret })
      hear([slla, prefix('2001:db8:1::')])
      bench.run(2 * SECOND)
      const own = addresses().filter((text) => text.startsWith('preferred 2001:db8:1:'))
      expect(own).toHaveLength(1)
      made.push(own[0])
      await bench.machines.close()
    }
    expect(made[1]).toBe(made[0])
    expect(made[2]).not.toBe(made[0])
    expect(made[0]).not.toMatch(/ff:fe/)
    bench = await host6()
  })

  it('learns routers and prefixes on the link, and sends accordingly (section 5.2)', async () => {
    bench = await host6({ ipv6: 'auto', addresses: [] })
    hear([slla, prefix('2001:db8:1::'), prefix('2001:db8:2::', 0x40)])
    bench.run(2 * SECOND)
    bench.taken()
    expect(routes()).toEqual(['2001:db8:1::/64 on link', '::/0 fe80::2'])
    void bench.libos.ping(FAR, { timeout: 1 })
    bench.run(1e6)
    expect(bench.taken()).toMatchObject([{ type: 128, to: CLIENT_MAC, destination: FAR }])
    // The second prefix is not on the link, though an address of ours is in it (RFC 5942): by the router.
    void bench.libos.ping('2001:db8:2::9', { timeout: 1 })
    void bench.libos.ping('2001:db8:1::9', { timeout: 1 })
    bench.run(1e6)
    const seen = bench.taken()
    expect(seen.map(({ type, to }) => [type, to])).toContainEqual([128, CLIENT_MAC])
    expect(seen.find(({ type }) => type === 135)).toMatchObject({ destination: 'ff02::1:ff00:9' })
    // From an address of the same prefix (RFC 6724 rule 8).
    expect(seen.find(({ destination }) => destination === '2001:db8:2::9')?.source).toMatch(/^2001:db8:2:/)
  })

  it('forgets what is withdrawn, and what has ended', async () => {
    bench = await host6({ ipv6: 'auto', addresses: [] })
    hear([slla, prefix('2001:db8:1::', 0xc0, 7300, 60)])
    bench.run(2 * SECOND)
    expect(routes()).toHaveLength(2)
    hear([], { lifetime: 0 })
    expect(routes()).toEqual(['2001:db8:1::/64 on link'])
    bench.run(60 * SECOND)
    expect(addresses().filter((text) => text.includes('2001:db8:1:'))[0]).toMatch(/^deprecated/)
    bench.run(7300 * SECOND)
    expect([routes(), addresses().filter((text) => text.includes('2001:db8:1:'))]).toEqual([[], []])
  })

  it('takes MTU, hop limit and times of the link (section 6.3.4)', async () => {
    bench = await host6({ ipv6: 'auto' })
    hear([slla, mtu(1280)], { hopLimitToUse: 99, retransmit: 200 })
    void bench.libos.ping('fe80::99', { timeout: 1 })
    bench.run(0.5 * SECOND)
    expect(bench.taken().filter(({ type }) => type === 135)).toHaveLength(3)
    const echo = icmpPacket(128, 0, new Uint8Array(1300), { source: PEER_LOCAL, destination: HOST })
    const pieces = bench.exchange(echo)
    expect(pieces.map(({ next, hopLimit }) => [next, hopLimit])).toEqual([
      [44, 99],
      [44, 99],
    ])
    // Less than IPv6 needs is not believed.
    hear([mtu(600)])
    expect(bench.exchange(echo)).toHaveLength(2)
  })

  it('uses another router when one does not answer (section 6.3.6)', async () => {
    bench = await host6({ ipv6: 'auto' })
    hear([slla])
    const mac = '02:00:00:00:00:22'
    hear([linkLayerOption(1, mac)], { source: ROUTER_2 })
    const hop = () => {
      bench.run(1e6)
      bench.taken()
      void bench.libos.ping(FAR, { timeout: 1 })
      bench.run(1e6)
      return bench.taken().find(({ type }) => type === 128)?.to
    }
    const first = hop()
    // Nobody answers the probes of the first: after them the second one is used.
    bench.run(9 * SECOND)
    const second = hop()
    expect([first, second].sort()).toEqual([CLIENT_MAC, mac].sort())
    // It is heard from time to time, the first one is not: nobody goes back to that one to find out.
    const [alive, address] = second === mac ? [mac, ROUTER_2] : [CLIENT_MAC, PEER_LOCAL]
    for (let i = 0; i < 10; i++) {
      bench.exchange(advertisement(address, 0xe000_0000, { destination: HOST }, linkLayerOption(2, alive)))
      expect(hop()).toBe(alive)
      bench.run(4 * SECOND)
    }
  })

  it('is not done where addresses are static', async () => {
    bench = await host6({ ipv6: 'static' })
    hear([slla, prefix('2001:db8:1::')])
    expect(routes()).toEqual([])
    expect(addresses().filter((text) => text.includes('2001:db8:1:'))).toEqual([])
    bench.run(30 * SECOND)
    expect(bench.taken().filter(({ type }) => type === 133)).toEqual([])
  })

  it('does not believe advertisements from afar', async () => {
    bench = await host6({ ipv6: 'auto' })
    hear([slla, prefix('2001:db8:1::')], { hopLimit: 254 })
    hear([slla, prefix('2001:db8:1::')], { source: '2001:db8::2' })
    expect(routes()).toEqual([])
    expect(counter6(bench.libos, 'drop.ndBadHopLimit')).toBe(1)
    expect(counter6(bench.libos, 'drop.ndBadSource')).toBe(1)
  })
})

describe('redirects (RFC 4861 section 8)', () => {
  const redirect = (
    to: string,
    about: string,
    fields: Ipv6Fields = {},
    options = [linkLayerOption(2, '02:00:00:00:00:33')],
  ) =>
    icmpPacket(137, 0, concat(u32(0), addressBytes(to), addressBytes(about), ...options), {
      source: PEER_LOCAL,
      destination: HOST,
      hopLimit: 255,
      ...fields,
    })

  it('from the router in use lead to another first hop', async () => {
    bench = await host6({ ipv6: 'auto' })
    hear([slla])
    bench.exchange(redirect('fe80::33', FAR))
    expect(routes()).toEqual([`${FAR}/128 fe80::33`, '::/0 fe80::2'])
    void bench.libos.ping(FAR, { timeout: 1 })
    bench.run(1e6)
    expect(bench.taken()).toMatchObject([{ type: 128, to: '02:00:00:00:00:33', destination: FAR }])
    // That neighbour says that it is no router: the redirect is forgotten (section 7.2.5).
    const notRouter = advertisement(
      'fe80::33',
      0x6000_0000,
      { destination: HOST },
      linkLayerOption(2, '02:00:00:00:00:33'),
    )
    bench.exchange(notRouter)
    expect(routes()).toEqual(['::/0 fe80::2'])
  })

  it('that say that the destination is a neighbour', async () => {
    bench = await host6({ ipv6: 'auto' })
    hear([slla])
    bench.exchange(redirect(FAR, FAR))
    expect(routes()[0]).toBe(`${FAR}/128 on link`)
  })

  it('from others are dropped', async () => {
    bench = await host6({ ipv6: 'auto' })
    hear([slla])
    bench.exchange(redirect('fe80::33', FAR, { source: ROUTER_2 }))
    bench.exchange(redirect('fe80::33', '2001:db8::77'))
    expect(routes()).toEqual(['::/0 fe80::2'])
    expect(counter6(bench.libos, 'drop.ndBadRedirect')).toBe(2)
  })
})

function textOf(bytes: Uint8Array): string {
  return textAt(concat(bytes, new Uint8Array(16)), 0)
}
