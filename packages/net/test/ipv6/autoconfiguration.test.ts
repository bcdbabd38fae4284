import { describe, expect, it } from 'vitest'
import { formatIp, parseIpv6 } from '../../src/ipv6/address.ts'
import { Autoconfiguration, type AutoconfigurationSettings } from '../../src/ndp/autoconfiguration.ts'
import {
  isReservedIdentifier,
  randomIdentifier,
  type StableIdentifierKey,
  stableIdentifier,
} from '../../src/ndp/interface-identifier.ts'
import { OwnAddress, OwnAddresses } from '../../src/ndp/own-addresses.ts'
import { seededRandom } from '../../src/random.ts'

const SECOND = 1e9
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR
const NEVER = Number.POSITIVE_INFINITY
const A = parseIpv6('2001:db8::1')
const PREFIX = parseIpv6('2001:db8:1::')
const ROUTER = parseIpv6('fe80::ff')
const key: StableIdentifierKey = { secret: Uint8Array.of(1, 2, 3), interfaceName: 'eth0', networkId: '' }
const defaults: AutoconfigurationSettings = {
  key,
  enabled: true,
  temporary: false,
  temporaryValid: 2 * DAY,
  temporaryPreferred: DAY,
  checkTime: SECOND,
}

function start(settings: Partial<AutoconfigurationSettings> = {}, transmits = 1, seed = 5) {
  const log: string[] = []
  const random = seededRandom(seed)
  let now = 0
  const name = ({ words }: OwnAddress) => formatIp(words)
  const addresses: OwnAddresses = new OwnAddresses({ transmits }, SECOND, random, {
    listen: () => {},
    unlisten: (a) => log.push(`gone ${name(a)}`),
    probe: (a) => log.push(`probe ${name(a)}`),
    assigned: (a) => log.push(`assigned ${name(a)}`),
    duplicate: (a, at) => {
      log.push(`duplicate ${name(a)}`)
      slaac.duplicate(a, at)
    },
    expired: (a) => {
      log.push(`expired ${name(a)}`)
      slaac.expired(a)
    },
  })
  const slaac = new Autoconfiguration({ ...defaults, ...settings }, addresses, random)
  const own = (origin = 'static', preferred = NEVER, valid = NEVER) =>
    new OwnAddress(A, 64, origin as OwnAddress['origin'], preferred, valid, now)
  return {
    addresses,
    slaac,
    own,
    taken: () => log.splice(0),
    get now() {
      return now
    },
    runTo(time: number) {
      for (;;) {
        const next = Math.min(addresses.nextEvent(), slaac.nextEvent())
        if (next > time) break
        now = Math.max(now, next)
        slaac.poll(now)
        addresses.poll(now)
      }
      now = time
    },
    advertise(valid: number, preferred = valid, over = {}) {
      slaac.prefix(
        { prefix: PREFIX, length: 64, onLink: true, autonomous: true, valid, preferred, ...over },
        ROUTER,
        now,
      )
    },
    states: () => addresses.list.map((a) => `${a.origin} ${a.stateName}`),
  }
}

describe('duplicate address detection (RFC 4862 section 5.4)', () => {
  it('probes, waits for RetransTimer, and then the address is ours', () => {
    const host = start({}, 2)
    host.addresses.add(host.own(), false, 0)
    expect([host.taken(), host.states()]).toEqual([['probe 2001:db8::1'], ['static tentative']])
    expect(host.addresses.isAssigned(A)).toBe(false)
    host.runTo(1.5 * SECOND)
    expect(host.taken()).toEqual(['probe 2001:db8::1'])
    host.runTo(2 * SECOND)
    expect([host.taken(), host.states()]).toEqual([['assigned 2001:db8::1'], ['static preferred']])
    expect(host.addresses.nextEvent()).toBe(NEVER)
  })

  it('is done at once with no probes, and delayed by up to a second at random (section 5.4.2)', () => {
    const none = start({}, 0)
    none.addresses.add(none.own(), true, 0)
    expect(none.addresses.isAssigned(A)).toBe(true)
    const starts = new Set<number>()
    for (let seed = 0; seed < 20; seed++) {
      const host = start({}, 1, seed)
      host.addresses.add(host.own(), true, 0)
      const at = host.addresses.nextEvent()
      expect(at).toBeLessThan(SECOND)
      starts.add(at)
    }
    expect(starts.size).toBeGreaterThan(15)
  })

  it('fails when another node probes for it or advertises it (sections 5.4.3 and 5.4.4)', () => {
    const probed = start()
    probed.addresses.add(probed.own(), false, 0)
    probed.addresses.heardProbe(A, false, 0, 0, 1)
    expect([probed.taken(), probed.states()]).toEqual([
      ['probe 2001:db8::1', 'duplicate 2001:db8::1'],
      ['static duplicate'],
    ])
    probed.runTo(10 * SECOND)
    expect(probed.addresses.isAssigned(A)).toBe(false)
    const owned = start()
    owned.addresses.add(owned.own(), false, 0)
    expect(owned.addresses.heardAdvertisement(A, 1)).toBe(true)
    expect(owned.states()).toEqual(['static duplicate'])
    expect(owned.addresses.heardAdvertisement(parseIpv6('2001:db8::2'), 1)).toBe(false)
  })

  it('knows its own probe by the nonce when the link sends it back (RFC 7527 section 4.2)', () => {
    const host = start()
    const address = host.own()
    host.addresses.add(address, false, 0)
    host.addresses.heardProbe(A, true, address.nonceHigh, address.nonceLow, 1)
    expect(host.states()).toEqual(['static tentative'])
    host.addresses.heardProbe(A, true, address.nonceHigh, address.nonceLow ^ 1, 1)
    expect(host.states()).toEqual(['static duplicate'])
  })

  it('does not take an assigned address away', () => {
    const host = start({}, 0)
    host.addresses.add(host.own(), false, 0)
    host.addresses.heardProbe(A, false, 0, 0, 1)
    expect(host.addresses.heardAdvertisement(A, 1)).toBe(true)
    expect(host.states()).toEqual(['static preferred'])
  })
})

describe('lifetimes (RFC 4862 section 5.5.4)', () => {
  it('make an address deprecated, and then end it', () => {
    const host = start({}, 0)
    host.addresses.add(host.own('stable', 10 * SECOND, 20 * SECOND), false, 0)
    host.taken()
    host.runTo(10 * SECOND)
    expect([host.states(), host.addresses.isAssigned(A)]).toEqual([['stable deprecated'], true])
    const generation = host.addresses.generation
    host.runTo(20 * SECOND)
    expect(host.taken()).toEqual(['gone 2001:db8::1', 'expired 2001:db8::1'])
    expect(host.addresses.generation).toBeGreaterThan(generation)
  })

  it('can be prolonged, and then it is preferred again', () => {
    const host = start({}, 0)
    const address = host.own('stable', 10 * SECOND, 20 * SECOND)
    host.addresses.add(address, false, 0)
    host.runTo(15 * SECOND)
    host.addresses.setLifetimes(address, 30 * SECOND, 40 * SECOND, 15 * SECOND)
    expect(host.states()).toEqual(['stable preferred'])
    host.runTo(39 * SECOND)
    expect(host.states()).toEqual(['stable deprecated'])
  })
})

describe('interface identifiers', () => {
  it('are stable in a network and different in others (RFC 7217 section 5)', () => {
    const text = (prefix: string, counter = 0, over = {}) =>
      JSON.stringify(stableIdentifier(parseIpv6(prefix), counter, { ...key, ...over }))
    const one = text('2001:db8:1::')
    expect(text('2001:db8:1::')).toBe(one)
    const others = [
      text('2001:db8:2::'),
      text('2001:db8:1::', 1),
      text('2001:db8:1::', 0, { interfaceName: 'eth1' }),
      text('2001:db8:1::', 0, { networkId: 'home' }),
      text('2001:db8:1::', 0, { secret: Uint8Array.of(1, 2, 4) }),
      // Fields do not run into each other.
      text('2001:db8:1::', 0, { interfaceName: 'eth', networkId: '0' }),
    ]
    expect(new Set([one, ...others]).size).toBe(7)
  })

  it('are never among the reserved ones (RFC 5453)', () => {
    const reserved = (high: number, low: number) => isReservedIdentifier({ high: high | 0, low: low | 0 })
    expect(reserved(0, 0)).toBe(true)
    expect(reserved(0, 1)).toBe(false)
    expect(reserved(0xfdffffff, 0xffffff80)).toBe(true)
    expect(reserved(0xfdffffff, 0xffffffff)).toBe(true)
    expect(reserved(0xfdffffff, 0xffffff7f)).toBe(false)
    expect(reserved(0x02005eff, 0xfe000000)).toBe(true)
    expect(reserved(0x02005eff, 0xfe005213)).toBe(true)
    const values = [0, 0, 7, 8]
    expect(randomIdentifier({ next: () => values.shift() ?? 1 })).toEqual({ high: 7, low: 8 })
  })
})

describe('autoconfiguration (RFC 4862 section 5.5)', () => {
  it('makes a link-local address that says nothing about the hardware', () => {
    const host = start()
    host.slaac.start(0)
    host.runTo(3 * SECOND)
    expect(host.states()).toEqual(['link-local preferred'])
    expect(formatIp(host.addresses.list[0].words)).toMatch(/^fe80::/)
    expect(formatIp(host.addresses.list[0].words)).not.toMatch(/ff:fe/)
  })

  it('makes a stable address of a prefix, with its lifetimes', () => {
    const host = start()
    host.advertise(3 * HOUR, HOUR)
    host.runTo(2 * SECOND)
    const [address] = host.addresses.list
    expect(host.states()).toEqual(['stable preferred'])
    expect(address.words.slice(0, 2)).toEqual(PREFIX.slice(0, 2))
    expect(address.router).toEqual(ROUTER)
    host.runTo(HOUR)
    expect(host.states()).toEqual(['stable deprecated'])
    host.runTo(3 * HOUR)
    expect(host.states()).toEqual([])
    expect(host.slaac.nextEvent()).toBe(NEVER)
  })

  it('passes over prefixes that are not for it (section 5.5.3 a to d)', () => {
    const host = start()
    host.advertise(HOUR, HOUR, { autonomous: false })
    host.advertise(HOUR, HOUR, { length: 63 })
    host.advertise(HOUR, HOUR, { prefix: parseIpv6('fe80::') })
    host.advertise(HOUR, 2 * HOUR)
    host.advertise(0)
    expect(host.states()).toEqual([])
    const off = start({ enabled: false })
    off.advertise(HOUR)
    expect(off.states()).toEqual([])
  })

  it('does not let an advertisement end an address within two hours (section 5.5.3 e)', () => {
    const host = start({}, 0)
    const left = () => (host.addresses.list[0].validUntil - host.now) / HOUR
    host.advertise(10 * HOUR)
    host.advertise(0)
    expect([left(), host.states()]).toEqual([2, ['stable deprecated']])
    host.runTo(HOUR)
    host.advertise(0.5 * HOUR)
    expect([left(), host.states()]).toEqual([1, ['stable preferred']])
    host.advertise(1.5 * HOUR)
    expect(left()).toBe(1.5)
    host.advertise(NEVER)
    expect(left()).toBe(NEVER)
    host.advertise(3 * HOUR)
    expect(left()).toBe(3)
  })

  it('tries other identifiers after conflicts, three times (RFC 7217 section 6)', () => {
    const host = start()
    host.advertise(10 * HOUR)
    const tried = new Set<string>()
    for (let i = 0; i < 6; i++) {
      host.runTo(host.now + 1.5 * SECOND)
      const [address] = host.addresses.list
      if (address === undefined) break
      tried.add(formatIp(address.words))
      address.state = 0
      host.addresses.heardAdvertisement(address.words, host.now)
    }
    expect(tried.size).toBe(4)
    expect(host.states()).toEqual([])
    host.advertise(10 * HOUR)
    expect(host.states()).toEqual([])
  })

  it('bounds what a rogue router can make it do', () => {
    const host = start({ temporary: true }, 0)
    for (let i = 0; i < 100; i++) host.advertise(10 * HOUR, HOUR, { prefix: parseIpv6(`2001:db8:${i}::`) })
    expect(host.addresses.list.length).toBeLessThanOrEqual(18)
  })
})

describe('temporary addresses (RFC 8981)', () => {
  it('stand beside the stable one, live shorter, and are replaced before they are deprecated (sections 3.4 and 3.6)', () => {
    const host = start({ temporary: true })
    host.advertise(30 * DAY)
    host.runTo(2 * SECOND)
    expect(host.states()).toEqual(['stable preferred', 'temporary preferred'])
    const [, first] = host.addresses.list
    const preferred = first.preferredUntil / DAY
    expect(preferred).toBeGreaterThanOrEqual(0.6)
    expect(preferred).toBeLessThanOrEqual(1)
    expect(first.validUntil).toBe(2 * DAY)
    // REGEN_ADVANCE: 2 s and three checks.
    host.runTo(first.preferredUntil - 5.1 * SECOND)
    expect(host.addresses.list).toHaveLength(2)
    host.runTo(first.preferredUntil - 1)
    expect(host.states()).toEqual(['stable preferred', 'temporary preferred', 'temporary preferred'])
    host.runTo(first.preferredUntil)
    expect(host.states()).toEqual(['stable preferred', 'temporary deprecated', 'temporary preferred'])
    expect(new Set(host.addresses.list.map(({ words }) => formatIp(words))).size).toBe(3)
    host.runTo(10 * DAY)
    const alive = host.states().filter((state) => state === 'temporary preferred')
    expect(alive).toHaveLength(1)
    expect(host.addresses.list.length).toBeLessThanOrEqual(5)
  })

  it('are desynchronised: hosts that started together change at different times', () => {
    const ends = new Set(
      Array.from({ length: 20 }, (_, seed) => {
        const host = start({ temporary: true }, 0, seed)
        host.advertise(30 * DAY)
        return host.addresses.list[1].preferredUntil
      }),
    )
    expect(ends.size).toBe(20)
  })

  it('are not made of a prefix that ends too soon, and never outlive their prefix', () => {
    const short = start({ temporary: true })
    short.advertise(5 * SECOND)
    expect(short.states()).toEqual(['stable tentative'])
    const host = start({ temporary: true }, 0)
    host.advertise(4 * HOUR, HOUR)
    const [, address] = host.addresses.list
    expect([address.validUntil, address.preferredUntil]).toEqual([4 * HOUR, HOUR])
    host.advertise(3 * HOUR, 0.5 * HOUR)
    expect([address.validUntil, address.preferredUntil]).toEqual([3 * HOUR, 0.5 * HOUR])
  })

  it('are given up after three conflicts in a row (section 3.4 item 6)', () => {
    const host = start({ temporary: true })
    host.advertise(30 * DAY)
    for (let i = 0; i < 4; i++) {
      host.runTo(host.now + 1.9 * SECOND)
      const address = host.addresses.list.find(({ origin }) => origin === 'temporary')
      expect(address, `after ${i} conflicts`).toBeDefined()
      if (address === undefined) return
      address.state = 0
      host.addresses.heardAdvertisement(address.words, host.now)
    }
    expect(host.states()).toEqual(['stable preferred'])
    host.advertise(30 * DAY)
    expect(host.states()).toEqual(['stable preferred'])
  })
})
