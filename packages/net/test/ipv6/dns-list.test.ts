import { describe, expect, it } from 'vitest'
import { parseIpv6 } from '../../src/ipv6/address.ts'
import { DnsList } from '../../src/ndp/dns-list.ts'

const SECOND = 1e9
const servers = (...texts: string[]) => texts.map(parseIpv6)

describe('resolvers and search domains of routers (RFC 8106 section 6)', () => {
  it('live as long as they are told, and can be taken back', () => {
    const list = new DnsList()
    list.told({ servers: servers('2001:db8::53', 'fe80::53'), domains: [], lifetime: 10 * SECOND }, 0)
    list.told({ servers: [], domains: ['lab.test'], lifetime: Number.POSITIVE_INFINITY }, 0)
    expect([list.servers(0), list.search(0)]).toEqual([['2001:db8::53', 'fe80::53'], ['lab.test']])
    list.told({ servers: servers('fe80::53'), domains: [], lifetime: 30 * SECOND }, 5 * SECOND)
    expect(list.servers(10 * SECOND)).toEqual(['fe80::53'])
    list.told({ servers: servers('fe80::53'), domains: ['lab.test'], lifetime: 0 }, 11 * SECOND)
    expect([list.servers(11 * SECOND), list.search(11 * SECOND)]).toEqual([[], []])
  })

  it('are addresses of hosts, and bounded in number', () => {
    const list = new DnsList()
    list.told({ servers: servers('::', 'ff02::1'), domains: [], lifetime: SECOND }, 0)
    expect(list.servers(0)).toEqual([])
    for (let i = 1; i < 50; i++)
      list.told({ servers: servers(`2001:db8::${i}`), domains: [`d${i}.test`], lifetime: SECOND }, 0)
    expect([list.servers(0).length, list.search(0).length]).toEqual([8, 8])
    list.told({ servers: servers('2001:db8::99'), domains: [], lifetime: SECOND }, SECOND)
    expect(list.servers(SECOND)).toEqual(['2001:db8::99'])
  })
})
