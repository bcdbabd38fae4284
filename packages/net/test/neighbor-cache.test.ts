import { beforeEach, describe, expect, it } from 'vitest'
import { FAILED, INCOMPLETE, type Neighbor, NeighborCache, PROBE, REACHABLE, STALE } from '../src/arp/neighbor-cache.ts'

const SECOND = 1e9
const limits = {
  capacity: 4,
  waiting: 2,
  retryInterval: SECOND,
  tries: 3,
  reachableTime: 30 * SECOND,
  failedTime: 5 * SECOND,
}

let cache: NeighborCache<string>
let log: string[]

beforeEach(() => {
  log = []
  const note =
    (what: string) =>
    (neighbor: Neighbor<string>, packets: readonly string[] = []) => {
      log.push([what, neighbor.address, ...packets].join(' '))
    }
  cache = new NeighborCache<string>(limits, {
    request: (neighbor) => log.push(`${neighbor.state === PROBE ? 'ask' : 'broadcast for'} ${neighbor.address}`),
    resolved: note('resolved'),
    unreachable: note('unreachable'),
    evicted: note('evicted'),
  })
})

/** Brings an address to REACHABLE. */
function resolve(address: number, low: number, now: number): void {
  cache.use(address, now)
  cache.heard(address, 2, low, false, true, now)
}

const taken = () => log.splice(0)
const stateOf = (address: number) => cache.get(address)?.state

describe('a neighbour', () => {
  it('is asked for at its first use, and resolved by a reply', () => {
    const neighbor = cache.use(1, 0)
    expect(neighbor.state).toBe(INCOMPLETE)
    expect(cache.unresolved).toBe(1)
    cache.wait(neighbor, 'p')
    cache.wait(neighbor, 'q')
    expect(taken()).toEqual(['broadcast for 1'])
    cache.heard(1, 0x0200, 5, false, true, SECOND / 2)
    expect(taken()).toEqual(['resolved 1 p q'])
    expect(cache.unresolved).toBe(0)
    expect(cache.get(1)).toMatchObject({ state: REACHABLE, high: 0x0200, low: 5 })
    expect(cache.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('is asked at most once a second, however often it is used', () => {
    for (let i = 0; i < 50; i++) cache.use(1, i * 1e7)
    expect(taken()).toEqual(['broadcast for 1'])
  })

  it('is given up after three requests, not asked again for a while, then asked anew', () => {
    cache.wait(cache.use(1, 0), 'p')
    for (let second = 1; second <= 3; second++) {
      expect(cache.nextEvent()).toBe(second * SECOND)
      cache.poll(second * SECOND)
    }
    expect(taken()).toEqual(['broadcast for 1', 'broadcast for 1', 'broadcast for 1', 'unreachable 1 p'])
    expect(cache.use(1, 4 * SECOND).state).toBe(FAILED)
    expect(taken()).toEqual([])
    cache.poll(8 * SECOND)
    expect(cache.size).toBe(0)
    expect(cache.use(1, 8 * SECOND).state).toBe(INCOMPLETE)
  })

  it('that failed is known again when it is heard of', () => {
    cache.use(1, 0)
    for (let second = 1; second <= 3; second++) cache.poll(second * SECOND)
    expect(stateOf(1)).toBe(FAILED)
    cache.heard(1, 2, 3, true, false, 4 * SECOND)
    expect(stateOf(1)).toBe(STALE)
  })

  it('becomes stale, is used on while it is probed, and is reachable again', () => {
    resolve(1, 3, 0)
    expect(cache.use(1, 30 * SECOND - 1).state).toBe(REACHABLE)
    taken()
    const neighbor = cache.use(1, 30 * SECOND)
    expect(neighbor).toMatchObject({ state: PROBE, usable: true })
    expect(taken()).toEqual(['ask 1'])
    cache.heard(1, 2, 3, false, true, 31 * SECOND)
    expect(neighbor.state).toBe(REACHABLE)
  })

  it('that does not answer probes is asked for by broadcast, then given up', () => {
    resolve(1, 3, 0)
    taken()
    cache.use(1, 40 * SECOND)
    for (let second = 41; second <= 46; second++) cache.poll(second * SECOND)
    expect(taken()).toEqual(['ask 1', 'ask 1', 'ask 1', ...Array(3).fill('broadcast for 1'), 'unreachable 1'])
    expect(stateOf(1)).toBe(FAILED)
  })

  it('is updated by any packet, but created only by a request to us (RFC 826)', () => {
    cache.heard(1, 2, 3, false, false, 0)
    cache.heard(1, 2, 3, false, true, 0)
    expect(cache.size).toBe(0)
    cache.heard(1, 2, 3, true, false, 0)
    expect(cache.get(1)).toMatchObject({ state: STALE, low: 3 })
    cache.heard(1, 2, 3, false, true, 1)
    expect(stateOf(1), 'a reply to no request proves nothing').toBe(STALE)
    cache.use(1, 2)
    cache.heard(1, 2, 3, false, true, 2)
    expect(stateOf(1)).toBe(REACHABLE)
    cache.heard(1, 2, 9, false, false, 2)
    expect(cache.get(1)).toMatchObject({ state: STALE, low: 9 })
  })

  it('keeps the newest packets that wait', () => {
    const neighbor = cache.use(1, 0)
    expect(cache.wait(neighbor, 'a')).toBeUndefined()
    expect(cache.wait(neighbor, 'b')).toBeUndefined()
    expect(cache.isFull(1)).toBe(true)
    expect(cache.wait(neighbor, 'c')).toBe('a')
    cache.heard(1, 2, 3, false, true, 1)
    expect(taken()).toContain('resolved 1 b c')
  })

  it('is learned from its traffic only while it is unresolved', () => {
    expect(cache.learn(1, 2, 3, 0)).toBe(false)
    cache.use(1, 0)
    expect(cache.learn(1, 2, 3, 1)).toBe(true)
    expect(cache.learn(1, 9, 9, 2)).toBe(false)
    expect(cache.get(1)).toMatchObject({ state: REACHABLE, low: 3 })
  })
})

describe('the cache', () => {
  it('is bounded: the entry unused longest goes, those that packets wait for last', () => {
    cache.wait(cache.use(1, 0), 'p')
    for (const address of [2, 3, 4]) resolve(address, address, address)
    taken()
    cache.heard(5, 0, 5, true, false, 10)
    expect(taken()).toContain('evicted 2')
    expect([...cache].map((neighbor) => neighbor.address)).toEqual([1, 3, 4, 5])
  })

  it('stays bounded under a flood of senders, and loses no packet silently', () => {
    for (let i = 1; i <= 4; i++) cache.wait(cache.use(i, i), `p${i}`)
    for (let i = 100; i < 1100; i++) cache.heard(i, 0, i, true, false, i)
    expect(cache.size).toBe(4)
    expect(cache.unresolved).toBe([...cache].filter((n) => n.state === INCOMPLETE).length)
    const lost = log.filter((line) => line.startsWith('unreachable'))
    const waiting = [...cache].flatMap((n) => n.waiting)
    expect(lost.length + waiting.length).toBe(4)
  })

  it('reports what waits when it is cleared', () => {
    cache.wait(cache.use(1, 0), 'p')
    cache.clear()
    expect(taken()).toEqual(['broadcast for 1', 'unreachable 1 p'])
    expect(cache).toMatchObject({ size: 0, unresolved: 0 })
    expect(cache.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })
})
