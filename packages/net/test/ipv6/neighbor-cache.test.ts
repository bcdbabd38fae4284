import { describe, expect, it } from 'vitest'
import { formatIp, parseIpv6 } from '../../src/ipv6/address.ts'
import type { Neighbor6Limits } from '../../src/ndp/neighbor.ts'
import { NeighborCache6 } from '../../src/ndp/neighbor-cache.ts'
import { seededRandom } from '../../src/random.ts'

const SECOND = 1e9
const A = parseIpv6('fe80::a')
const limits: Neighbor6Limits = {
  capacity: 4,
  waiting: 2,
  retransmission: SECOND,
  multicastTries: 3,
  unicastTries: 3,
  reachable: 30 * SECOND,
  delay: 5 * SECOND,
  failed: 3 * SECOND,
}

function start(over: Partial<Neighbor6Limits> = {}, progress = false) {
  const log: string[] = []
  const name = (n: { address: Int32Array }) => formatIp(n.address)
  const cache = new NeighborCache6<string>({ ...limits, ...over }, seededRandom(1), {
    solicit: (n) => log.push(`solicit ${name(n)}${n.usable ? ' by unicast' : ''}`),
    resolved: (n, packets) => log.push(`resolved ${name(n)} [${packets}]`),
    unreachable: (n, packets) => log.push(`unreachable ${name(n)} [${packets}]`),
    evicted: (n) => log.push(`evicted ${name(n)}`),
    isConfirmed: (_n, within) => progress && within === limits.delay,
    routerLost: (n) => log.push(`no router ${name(n)}`),
  })
  const advertise = (
    now: number,
    { mac = 0x0a, has = true, router = false, solicited = true, override = true, address = A } = {},
  ) => cache.advertised(address, has, 0x0200_0000, mac, router, solicited, override, now)
  return {
    cache,
    advertise,
    taken: () => log.splice(0),
    text: () => cache.get(A)?.text,
    runTo(now: number) {
      for (let next = cache.nextEvent(); next <= now; next = cache.nextEvent()) cache.poll(next)
    },
    /** An entry that was asked for and answered at time 0. */
    reachable() {
      cache.use(A, 0)
      advertise(0)
      log.length = 0
    },
  }
}

describe('neighbour unreachability detection (RFC 4861 section 7.3)', () => {
  it('asks by multicast, lets packets wait, and sends them when it is answered (section 7.2.2)', () => {
    const { cache, taken, advertise, text } = start()
    const neighbor = cache.use(A, 0)
    expect(cache.wait(neighbor, 'one')).toBeUndefined()
    expect(cache.wait(neighbor, 'two')).toBeUndefined()
    expect(cache.isFull(A)).toBe(true)
    expect(cache.wait(neighbor, 'three')).toBe('one')
    expect([text(), cache.unresolved]).toEqual(['fe80::a INCOMPLETE', 1])
    expect(advertise(0, { router: true })).toBe(true)
    expect(taken()).toEqual(['solicit fe80::a', 'resolved fe80::a [two,three]'])
    expect([text(), cache.unresolved]).toEqual(['fe80::a REACHABLE router', 0])
  })

  it('gives up after three, remembers it for a while, and then asks again', () => {
    const { cache, taken, runTo, text } = start()
    cache.wait(cache.use(A, 0), 'one')
    runTo(2.9 * SECOND)
    expect(taken()).toEqual(['solicit fe80::a', 'solicit fe80::a', 'solicit fe80::a'])
    runTo(3 * SECOND)
    expect(taken()).toEqual(['unreachable fe80::a [one]'])
    expect(cache.use(A, 4 * SECOND).usable).toBe(false)
    expect([taken(), text()]).toEqual([[], 'fe80::a FAILED'])
    runTo(6 * SECOND)
    expect(cache.size).toBe(0)
    cache.use(A, 6 * SECOND)
    expect(taken()).toEqual(['solicit fe80::a'])
  })

  it('goes from REACHABLE over STALE and DELAY to PROBE, and back when it is answered', () => {
    const { cache, taken, runTo, reachable, text, advertise } = start()
    reachable()
    cache.use(A, 14 * SECOND)
    expect(text()).toBe('fe80::a REACHABLE')
    // The reachable time is random, but never above 1.5 times its base (section 6.3.2).
    const neighbor = cache.use(A, 45 * SECOND)
    expect([text(), neighbor.usable]).toEqual(['fe80::a DELAY', true])
    runTo(49.9 * SECOND)
    expect(taken()).toEqual([])
    runTo(50 * SECOND)
    expect([text(), taken()]).toEqual(['fe80::a PROBE', ['solicit fe80::a by unicast']])
    expect(neighbor.usable).toBe(true)
    advertise(50.1 * SECOND)
    expect(text()).toBe('fe80::a REACHABLE')
    expect(cache.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('drops a neighbour that does not answer three probes', () => {
    const { cache, taken, runTo, reachable } = start()
    reachable()
    cache.use(A, 100 * SECOND)
    runTo(108 * SECOND)
    expect(taken()).toEqual([
      'solicit fe80::a by unicast',
      'solicit fe80::a by unicast',
      'solicit fe80::a by unicast',
      'unreachable fe80::a []',
    ])
    expect(cache.get(A)?.usable).toBe(false)
  })

  it('need not be asked for every packet: only when it is old, unknown or gone', () => {
    const { cache, reachable, runTo } = start()
    const now = Float64Array.of(SECOND)
    expect(cache.use(A, 0).isFresh(now)).toBe(false)
    reachable()
    const neighbor = cache.use(A, SECOND)
    expect(neighbor.isFresh(now)).toBe(true)
    now[0] = 100 * SECOND
    expect(neighbor.isFresh(now)).toBe(false)
    cache.use(A, now[0])
    expect(neighbor.isFresh(now)).toBe(true)
    runTo(106 * SECOND)
    expect(neighbor.isFresh(now)).toBe(true)
    runTo(200 * SECOND)
    expect(neighbor.isFresh(now)).toBe(false)
    expect(neighbor.evicted).toBe(true)
  })

  it('needs no probe where the upper layer makes progress (section 7.3.1)', () => {
    const { cache, taken, runTo, reachable, text } = start({}, true)
    reachable()
    cache.use(A, 100 * SECOND)
    expect(text()).toBe('fe80::a DELAY')
    runTo(105 * SECOND)
    expect([text(), taken()]).toEqual(['fe80::a REACHABLE', []])
  })

  it('has a reachable time between half and one and a half of its base, anew when the base changes', () => {
    const ends = new Set<number>()
    for (let seed = 0; seed < 50; seed++) {
      const cache = new NeighborCache6<string>(limits, seededRandom(seed), {
        solicit() {},
        resolved() {},
        unreachable() {},
        evicted() {},
        isConfirmed: () => false,
        routerLost() {},
      })
      cache.setReachableTime(10 * SECOND)
      const neighbor = cache.use(A, 0)
      cache.advertised(A, true, 1, 1, false, true, true, 0)
      expect(neighbor.expires).toBeGreaterThanOrEqual(5 * SECOND)
      expect(neighbor.expires).toBeLessThanOrEqual(15 * SECOND)
      ends.add(neighbor.expires)
    }
    expect(ends.size).toBeGreaterThan(40)
  })
})

describe('neighbour advertisements (RFC 4861 section 7.2.5)', () => {
  it('that nobody asked for create no entry', () => {
    const { cache, advertise } = start()
    expect(advertise(0)).toBe(false)
    expect(cache.size).toBe(0)
  })

  it('teach an INCOMPLETE entry nothing without an address, and make it STALE when they were not solicited', () => {
    const { cache, advertise, text } = start()
    cache.use(A, 0)
    advertise(0, { has: false })
    expect(text()).toBe('fe80::a INCOMPLETE')
    advertise(0, { solicited: false, override: false })
    expect(text()).toBe('fe80::a STALE')
  })

  it('confirm, or refresh, by the table of appendix C', () => {
    // [solicited, override, other MAC] -> state afterwards, from REACHABLE and from STALE; whether the MAC is taken.
    const rows: [boolean, boolean, boolean, string, string, boolean][] = [
      [true, false, false, 'REACHABLE', 'REACHABLE', false],
      [true, false, true, 'STALE', 'STALE', false],
      [true, true, false, 'REACHABLE', 'REACHABLE', false],
      [true, true, true, 'REACHABLE', 'REACHABLE', true],
      [false, false, false, 'REACHABLE', 'STALE', false],
      [false, false, true, 'STALE', 'STALE', false],
      [false, true, false, 'REACHABLE', 'STALE', false],
      [false, true, true, 'STALE', 'STALE', true],
    ]
    for (const [solicited, override, other, fromReachable, fromStale, taken] of rows) {
      for (const stale of [false, true]) {
        const { cache, advertise, text, reachable } = start()
        if (stale) cache.heard(A, 0x0200_0000, 0x0a, 0)
        else reachable()
        advertise(1, { solicited, override, mac: other ? 0x0b : 0x0a })
        const what = JSON.stringify({ solicited, override, other, stale })
        expect(text(), what).toBe(`fe80::a ${stale ? fromStale : fromReachable}`)
        expect(cache.get(A)?.low, what).toBe(taken ? 0x0b : 0x0a)
      }
    }
  })

  it('of a router that is none any more are told', () => {
    const { cache, advertise, taken, reachable } = start()
    reachable()
    cache.markRouter(A)
    advertise(1, { router: true })
    expect(taken()).toEqual([])
    advertise(2, { router: false })
    expect(taken()).toEqual(['no router fe80::a'])
  })
})

describe('what others say about themselves', () => {
  it('makes a STALE entry, or a changed one STALE (sections 7.2.3 and 6.3.4)', () => {
    const { cache, text, taken, reachable } = start()
    cache.heard(A, 0x0200_0000, 0x0a, 0)
    expect([text(), taken()]).toEqual(['fe80::a STALE', ['resolved fe80::a []']])
    reachable()
    cache.heard(A, 0x0200_0000, 0x0a, 1)
    expect(text()).toBe('fe80::a REACHABLE')
    cache.heard(A, 0x0200_0000, 0x0b, 1)
    expect(text()).toBe('fe80::a STALE')
  })

  it('sends what waits, and then is put to the test', () => {
    const { cache, text, taken } = start()
    cache.wait(cache.use(A, 0), 'one')
    cache.heard(A, 0x0200_0000, 0x0a, 0)
    expect(taken()).toEqual(['solicit fe80::a', 'resolved fe80::a [one]'])
    expect(text()).toBe('fe80::a DELAY')
  })
})

describe('a full cache', () => {
  it('evicts who was unused longest, routers and those that packets wait for last', () => {
    const { cache, taken } = start()
    const addresses = ['fe80::1', 'fe80::2', 'fe80::3', 'fe80::4', 'fe80::5', 'fe80::6'].map(parseIpv6)
    cache.heard(addresses[0], 1, 1, 1)
    cache.markRouter(addresses[0])
    cache.wait(cache.use(addresses[1], 2), 'waits')
    cache.heard(addresses[2], 1, 3, 3)
    cache.heard(addresses[3], 1, 4, 4)
    taken()
    const third = cache.get(addresses[2])
    cache.heard(addresses[4], 1, 5, 5)
    expect(taken()[0]).toBe('evicted fe80::3')
    expect([third?.evicted, third?.usable]).toEqual([true, false])
    cache.heard(addresses[5], 1, 6, 6)
    expect(taken()[0]).toBe('evicted fe80::4')
    expect(cache.size).toBe(4)
  })

  it('reports waiting packets as lost when it is cleared', () => {
    const { cache, taken } = start()
    const neighbor = cache.use(A, 0)
    cache.wait(neighbor, 'one')
    taken()
    cache.clear()
    expect([taken(), cache.size, cache.unresolved]).toEqual([['unreachable fe80::a [one]'], 0, 0])
    expect(cache.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })
})
