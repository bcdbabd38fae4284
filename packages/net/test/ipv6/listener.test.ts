import { describe, expect, it } from 'vitest'
import { formatIp, parseIpv6, UNSPECIFIED } from '../../src/ipv6/address.ts'
import { type ListenerOptions, type ListenerQuery, MulticastListener } from '../../src/mld/listener.ts'
import * as mld from '../../src/mld/wire.ts'
import { seededRandom } from '../../src/random.ts'
import { addressBytes, concat, memoryAt } from './support/frames6.ts'

const SECOND = 1e9
const A = parseIpv6('ff15::a')
const B = parseIpv6('ff15::b')
const defaults: ListenerOptions = {
  version: 2,
  robustness: 2,
  unsolicitedInterval: SECOND,
  refreshInterval: Number.POSITIVE_INFINITY,
}

function start(options: Partial<ListenerOptions> = {}) {
  const log: string[] = []
  let now = 0
  const core = new MulticastListener({ ...defaults, ...options }, seededRandom(3), {
    report: (group) => log.push(`v1 ${formatIp(group)}`),
    done: (group) => log.push(`done ${formatIp(group)}`),
    reportV2: (records) =>
      log.push(
        records
          .map(({ type, group, sources }) => `${type}:${formatIp(group)}${sources.map((s) => ` from ${formatIp(s)}`)}`)
          .sort()
          .join(' '),
      ),
  })
  return {
    core,
    taken: () => log.splice(0),
    query(over: Partial<ListenerQuery> = {}) {
      const query: ListenerQuery = {
        version: 2,
        group: UNSPECIFIED,
        sources: [],
        response: 10 * SECOND,
        robustness: 0,
        interval: 0,
        ...over,
      }
      core.query(query, now)
    },
    runTo(seconds: number) {
      for (let next = core.nextEvent(); next <= seconds * SECOND; next = core.nextEvent()) {
        now = Math.max(now, next)
        core.poll(now)
      }
      now = seconds * SECOND
      return log.splice(0)
    },
    get now() {
      return now
    },
  }
}

describe('multicast listening (RFC 3810)', () => {
  it('is told twice at joining and at leaving (section 6.1)', () => {
    const host = start()
    expect(host.core.join(A, 0)).toBe(true)
    expect(host.core.join(A, 0)).toBe(false)
    expect(host.taken()).toEqual(['4:ff15::a'])
    expect(host.runTo(2)).toEqual(['4:ff15::a'])
    expect(host.core.leave(A, host.now)).toBe(false)
    expect(host.core.leave(A, host.now)).toBe(true)
    expect(host.core.isMember(A)).toBe(false)
    expect([...host.taken(), ...host.runTo(4)]).toEqual(['3:ff15::a', '3:ff15::a'])
    expect(host.core.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('never tells of all nodes, nor of groups of no or of interface scope (section 6)', () => {
    const host = start()
    for (const group of ['ff02::1', 'ff01::5', 'ff00::5']) {
      host.core.join(parseIpv6(group), 0)
      expect(host.core.isMember(parseIpv6(group))).toBe(true)
    }
    expect(start().core.isMember(parseIpv6('ff02::1'))).toBe(true)
    host.query()
    expect(host.runTo(20)).toEqual([])
    for (const group of ['ff02::1', 'ff01::5', 'ff00::5']) host.core.leave(parseIpv6(group), host.now)
    expect(host.runTo(30)).toEqual([])
  })

  it('answers a general query with all groups, once, within the time that is given (section 6.2)', () => {
    const host = start()
    host.core.join(A, 0)
    host.core.join(B, 0)
    host.runTo(5)
    host.query()
    host.query()
    expect(host.core.nextEvent()).toBeLessThanOrEqual(15 * SECOND)
    expect(host.runTo(20)).toEqual(['2:ff15::a 2:ff15::b'])
  })

  it('answers a query for a group, and for sources in it (section 6.3)', () => {
    const host = start()
    host.core.join(A, 0)
    host.core.join(B, 0)
    host.runTo(5)
    host.query({ group: A })
    expect(host.runTo(20)).toEqual(['2:ff15::a'])
    const sources = ['2001:db8::5', '2001:db8::6'].map(parseIpv6)
    host.query({ group: B, sources: [sources[0]] })
    host.query({ group: B, sources: [sources[1]] })
    expect(host.runTo(40)).toEqual(['1:ff15::b from 2001:db8::5, from 2001:db8::6'])
    // A query for the whole group makes it an answer for the whole.
    host.query({ group: B, sources: [sources[0]] })
    host.query({ group: B })
    expect(host.runTo(60)).toEqual(['2:ff15::b'])
    host.query({ group: B, sources: new Array(40).fill(sources[0]) })
    expect(host.runTo(80)).toEqual(['2:ff15::b'])
    host.query({ group: parseIpv6('ff15::c') })
    expect(host.runTo(100)).toEqual([])
  })

  it('takes over the robustness of the querier (section 9.1)', () => {
    const host = start()
    host.query({ robustness: 4 })
    host.core.join(A, 0)
    expect([...host.taken(), ...host.runTo(10)].filter((line) => line.startsWith('4:'))).toHaveLength(4)
  })

  it('can be told again at intervals, where nobody hears queries', () => {
    const host = start({ refreshInterval: 60 * SECOND })
    host.core.join(A, 0)
    host.runTo(10)
    expect(host.runTo(125)).toEqual(['2:ff15::a', '2:ff15::a'])
    host.core.leave(A, host.now)
    host.runTo(130)
    expect(host.runTo(300)).toEqual([])
  })
})

describe('the compatibility mode (RFC 3810 section 8.2.1, RFC 2710)', () => {
  it('speaks version 1 as long as such a querier is there', () => {
    const host = start()
    host.query({ version: 1 })
    expect(host.core.version(0)).toBe(1)
    host.core.join(A, 0)
    expect(host.taken()).toEqual(['v1 ff15::a'])
    expect(host.runTo(20)).toEqual(['v1 ff15::a'])
    host.query({ version: 1 })
    expect(host.runTo(40)).toEqual(['v1 ff15::a'])
    host.core.leave(A, host.now)
    expect(host.taken()).toEqual(['done ff15::a'])
    expect(host.core.version(20 * SECOND + 260 * SECOND - 1)).toBe(1)
    expect(host.core.version(20 * SECOND + 260 * SECOND)).toBe(2)
  })

  it('is silent when another member reported, and then leaves without a word (RFC 2710 section 4)', () => {
    const host = start({ version: 1 })
    host.core.join(A, 0)
    host.runTo(20)
    host.query({ version: 1, group: A })
    host.core.heardReport(A, host.now)
    expect(host.runTo(40)).toEqual([])
    host.core.leave(A, host.now)
    expect(host.runTo(60)).toEqual([])
  })

  it('reports all groups to a general query of version 1', () => {
    const host = start({ version: 1 })
    host.core.join(A, 0)
    host.core.join(B, 0)
    host.runTo(20)
    host.query({ version: 1 })
    expect(host.runTo(40).sort()).toEqual(['v1 ff15::a', 'v1 ff15::b'])
  })
})

describe('the wire format', () => {
  it('has a report of records (RFC 3810 section 5.2)', () => {
    const memory = memoryAt(new Uint8Array(64))
    mld.emitReport(memory.view, 0, 1)
    const length = mld.emitRecord(memory.view, 8, mld.MODE_IS_INCLUDE, A, [B])
    expect(length).toBe(36)
    const expected = concat([143, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1], addressBytes('ff15::a'), addressBytes('ff15::b'))
    expect(memory.bytes.slice(0, 44)).toEqual(expected)
  })

  it('has reports of version 1 (RFC 2710 section 3)', () => {
    const memory = memoryAt(new Uint8Array(24))
    mld.emitV1(memory.view, 0, 131, A)
    expect(memory.bytes.slice(0, 24)).toEqual(concat([131, 0, 0, 0, 0, 0, 0, 0], addressBytes('ff15::a')))
  })

  it('has times as floating-point numbers (sections 5.1.3 and 5.1.9)', () => {
    expect([10_000, 0x7fff, 0x8000, 0xffff].map(mld.decodeResponseCode)).toEqual([10_000, 32_767, 32_768, 8_387_584])
    expect([125, 128, 255].map(mld.decodeIntervalCode)).toEqual([125, 128, 31_744])
  })
})
