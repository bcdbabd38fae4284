import { describe, expect, it } from 'vitest'
import { formatIp, parseIpv6 } from '../../src/ipv6/address.ts'
import { Ipv6PathMtu } from '../../src/ipv6/path-mtu.ts'
import { PrefixList } from '../../src/ndp/prefix-list.ts'
import { Redirects } from '../../src/ndp/redirects.ts'
import { RouterList } from '../../src/ndp/router-list.ts'
import { RouterSolicitation } from '../../src/ndp/router-solicitation.ts'
import { PREFERENCE_HIGH, PREFERENCE_LOW, PREFERENCE_RESERVED, preference } from '../../src/ndp/wire.ts'
import { seededRandom } from '../../src/random.ts'

const SECOND = 1e9
const NEVER = Number.POSITIVE_INFINITY
const [R1, R2, R3] = ['fe80::1', 'fe80::2', 'fe80::3'].map(parseIpv6)
const FAR = parseIpv6('2001:db8:ffff::1')
const all = () => true

function start() {
  const routers = new RouterList()
  return {
    prefixes: new PrefixList(),
    routers,
    redirects: new Redirects(1),
    /** Prefixes and routers of the routes that are to be used, in order. */
    routes: (reachable: (router: Int32Array) => boolean = all) =>
      routers.usable(reachable).map(({ prefix, length, router }) => `${formatIp(prefix)}/${length} ${router[3]}`),
  }
}

describe('prefixes on the link (RFC 4861 section 6.3.4)', () => {
  it('live as long as they are advertised, and can be taken back', () => {
    const { prefixes } = start()
    const texts = () => prefixes.list.map(({ prefix, length }) => `${formatIp(prefix)}/${length}`)
    prefixes.advertised(parseIpv6('2001:db8:1::77'), 64, 10 * SECOND, 0)
    prefixes.advertised(FAR, 48, NEVER, 0)
    expect([texts(), prefixes.nextEvent()]).toEqual([['2001:db8:1::/64', '2001:db8:ffff::/48'], 10 * SECOND])
    prefixes.advertised(parseIpv6('2001:db8:1::'), 64, 10 * SECOND, 5 * SECOND)
    prefixes.poll(10 * SECOND)
    expect(texts()).toHaveLength(2)
    prefixes.poll(15 * SECOND)
    expect(texts()).toEqual(['2001:db8:ffff::/48'])
    prefixes.advertised(FAR, 48, 0, 15 * SECOND)
    expect(texts()).toEqual([])
  })

  it('are not the link-local one, which nobody can take away', () => {
    const { prefixes } = start()
    prefixes.advertised(parseIpv6('fe80::'), 64, SECOND, 0)
    prefixes.advertised(FAR, 129, SECOND, 0)
    expect(prefixes.list).toEqual([])
  })

  it('and routers change their generation when something changes, and not when it is renewed', () => {
    const { prefixes, routers } = start()
    const seen: number[] = []
    const note = () => seen.push(prefixes.generation + routers.generation)
    note()
    for (const lifetime of [SECOND, 2 * SECOND]) {
      prefixes.advertised(FAR, 64, lifetime, 0)
      note()
      routers.advertised(R1, lifetime, 0, 0)
      note()
    }
    prefixes.poll(2 * SECOND)
    routers.poll(2 * SECOND)
    note()
    expect(seen).toEqual([0, 1, 2, 2, 2, 4])
  })
})

describe('routers', () => {
  it('that answer come before those that do not, and the silent take turns (RFC 4861 section 6.3.6)', () => {
    const { routers, routes } = start()
    for (const router of [R1, R2, R3]) routers.advertised(router, NEVER, 0, 0)
    expect(routes((router) => router[3] === 2)).toEqual(['::/0 2'])
    const turns = [0, 1, 2, 3].map(() => routes(() => false)[0])
    expect(new Set(turns.slice(0, 3)).size).toBe(3)
    expect(turns[3]).toBe(turns[0])
  })

  it('are chosen by preference, and the reserved one is medium (RFC 4191 sections 2.2 and 3.2)', () => {
    const { routers, routes } = start()
    routers.advertised(R1, NEVER, PREFERENCE_LOW, 0)
    routers.advertised(R2, NEVER, PREFERENCE_RESERVED, 0)
    expect(routes()[0]).toBe('::/0 2')
    routers.advertised(R3, NEVER, PREFERENCE_HIGH, 0)
    expect(routes()).toEqual(['::/0 3', '::/0 2', '::/0 1'])
    routers.advertised(R3, NEVER, PREFERENCE_LOW, 0)
    expect(routes()[0]).toBe('::/0 2')
    expect([0x00, 0x08, 0x10, 0x18].map(preference)).toEqual([0, 1, -2, -1])
  })

  it('offer more specific routes, which win by length as long as their router answers (RFC 4191 section 3.2)', () => {
    const { routers, routes } = start()
    routers.advertised(R1, NEVER, PREFERENCE_HIGH, 0)
    routers.offered(R2, parseIpv6('2001:db8:9::'), 48, 60 * SECOND, PREFERENCE_LOW, 0)
    expect(routes()).toEqual(['2001:db8:9::/48 2', '::/0 1'])
    expect(routes((router) => router[3] !== 2)).toEqual(['::/0 1'])
    expect(routes((router) => router[3] !== 1)).toEqual(['2001:db8:9::/48 2', '::/0 1'])
    routers.poll(60 * SECOND)
    expect(routes()).toEqual(['::/0 1'])
    routers.remove(R1)
    expect([routers.routes, routers.hasDefault]).toEqual([[], false])
  })

  it('end with their lifetime, or when they say so', () => {
    const { routers } = start()
    routers.advertised(R1, 5 * SECOND, 0, 0)
    expect([routers.nextEvent(), routers.hasDefault]).toEqual([5 * SECOND, true])
    routers.advertised(R1, 0, 0, SECOND)
    expect(routers.hasDefault).toBe(false)
  })

  it('are bounded in number', () => {
    const { routers, prefixes } = start()
    for (let i = 0; i < 100; i++) {
      routers.advertised(parseIpv6(`fe80::${i}`), NEVER, 0, 0)
      prefixes.advertised(parseIpv6(`2001:db8:${i}::`), 64, NEVER, 0)
    }
    expect([routers.routes.length, prefixes.list.length]).toEqual([32, 32])
  })
})

describe('redirects (RFC 4861 section 8.3)', () => {
  it('lead to another first hop until that is forgotten', () => {
    const { redirects } = start()
    redirects.set(FAR, R2)
    expect(redirects.get(FAR)).toEqual(R2)
    redirects.set(FAR, R3)
    expect([redirects.get(FAR), redirects.size]).toEqual([R3, 1])
    expect(redirects.list).toEqual([{ destination: FAR, nextHop: R3 }])
    redirects.forget(R3)
    expect([redirects.get(FAR), redirects.size]).toEqual([undefined, 0])
  })

  it('are bounded: the oldest gives way', () => {
    const { redirects } = start()
    for (let i = 1; i <= 65; i++) redirects.set(Int32Array.of(1, 2, 3, i), R1)
    expect(redirects.size).toBe(64)
    expect(redirects.get(Int32Array.of(1, 2, 3, 1))).toBeUndefined()
    expect(redirects.get(Int32Array.of(1, 2, 3, 2))).toEqual(R1)
  })
})

describe('router solicitations', () => {
  it('go after a random delay, at doubling intervals, until a router answers (RFC 7559 section 2)', () => {
    const core = new RouterSolicitation(seededRandom(2))
    expect(core.poll(1e18)).toBe(false)
    core.start(0)
    const times: number[] = []
    for (let i = 0; i < 14; i++) {
      times.push(core.nextEvent() / SECOND)
      expect(core.poll(core.nextEvent())).toBe(true)
    }
    expect(times[0]).toBeLessThan(1)
    const gaps = times.slice(1).map((time, i) => time - times[i])
    gaps.forEach((gap, i) => {
      const mean = Math.min(4 * 2 ** i, 3600)
      expect(gap).toBeGreaterThanOrEqual(mean * 0.9)
      expect(gap).toBeLessThanOrEqual(mean * 1.1)
    })
    core.answered()
    expect([core.isRunning, core.nextEvent()]).toEqual([false, NEVER])
  })
})

describe('path MTUs (RFC 8201)', () => {
  it('narrow, never below 1280, and widen again after ten minutes (sections 4 and 5.3)', () => {
    const core = new Ipv6PathMtu(9)
    expect(core.get(FAR, 1500, 0)).toBe(1500)
    expect(core.reported(FAR, 1400, 1500, 0)).toBe(true)
    expect(core.get(FAR, 1500, 1)).toBe(1400)
    // A longer one than is known narrows nothing, and one below the least is taken for the least (RFC 8021).
    expect(core.reported(FAR, 1450, 1500, 1)).toBe(false)
    expect(core.reported(FAR, 9000, 1500, 1)).toBe(false)
    expect(core.reported(FAR, 600, 1500, 2)).toBe(true)
    expect(core.get(FAR, 1500, 3)).toBe(1280)
    expect(core.reported(FAR, 68, 1500, 4)).toBe(false)
    expect(core.nextEvent()).toBe(600 * SECOND + 2)
    const { generation } = core
    core.poll(600 * SECOND + 2)
    expect([core.size, core.get(FAR, 1500, 601 * SECOND)]).toEqual([0, 1500])
    expect(core.generation).toBeGreaterThan(generation)
  })

  it('are bounded: the oldest report gives way', () => {
    const core = new Ipv6PathMtu(9)
    for (let i = 0; i < 300; i++) core.reported(Int32Array.of(1, 2, 3, i), 1300, 1500, i)
    expect(core.size).toBe(256)
    expect(core.get(Int32Array.of(1, 2, 3, 43), 1500, 300)).toBe(1500)
    expect(core.get(Int32Array.of(1, 2, 3, 44), 1500, 300)).toBe(1300)
  })
})
