import { afterEach, describe, expect, it } from 'vitest'
import { SECOND } from '../support/machines.ts'
import { addressBytes, checksum6, concat, ipv6Packet, textAt, u16 } from './support/frames6.ts'
import { type Bench6, counter6, host6, PEER_LOCAL, type Seen6 } from './support/host6.ts'

let bench: Bench6
afterEach(() => bench.machines.close())

const ROUTERS = '33:33:00:00:00:16'
const ALERT = [58, 0, 5, 2, 0, 0, 1, 0]

/** An MLD message with hop limit 1 and router alert, as of a router. */
function mldPacket(
  type: number,
  body: Uint8Array | readonly number[],
  { source = PEER_LOCAL, destination = 'ff02::1', hopLimit = 1, alert = true } = {},
) {
  const message = concat([type, 0, 0, 0], body)
  const sum = checksum6(message, 58, source, destination)
  message[2] = sum >> 8
  message[3] = sum & 255
  const payload = alert ? concat(ALERT, message) : message
  return ipv6Packet(payload, { nextHeader: alert ? 0 : 58, source, destination, hopLimit })
}

const query = (group = '::', milliseconds = 1000, { v2 = true, sources = [] as readonly string[] } = {}) =>
  concat(
    u16(milliseconds),
    [0, 0],
    addressBytes(group),
    v2 ? [2, 125] : [],
    v2 ? u16(sources.length) : [],
    ...sources.map(addressBytes),
  )

/** Records of a report: type and group. */
function records({ message }: Seen6): string[] {
  const found: string[] = []
  let at = 8
  for (let i = 0; i < message[7]; i++) {
    found.push(`${message[at]}:${textAt(message, at + 4)}`)
    at += 20 + 16 * message[at + 3]
  }
  expect(at).toBe(message.length)
  return found.sort()
}

describe('listener reports (RFC 3810)', () => {
  it('tell of the solicited-node groups of our addresses, with hop limit 1 and a router alert (section 5)', async () => {
    bench = await host6({}, {}, 0)
    bench.run(3 * SECOND)
    const reports = bench.taken().filter(({ type }) => type === 143)
    expect(reports.length).toBeGreaterThanOrEqual(2)
    for (const report of reports) {
      expect(report).toMatchObject({ to: ROUTERS, destination: 'ff02::16', hopLimit: 1, next: 0 })
      expect([...report.payload.slice(0, 8)]).toEqual(ALERT)
      const { source, destination } = report
      expect(checksum6(report.message, 58, source, destination)).toBe(0)
      expect(source === '::' || source.startsWith('fe80::')).toBe(true)
    }
    expect(reports.flatMap(records)).toContain('4:ff02::1:ff00:1')
  })

  it('answer a general query within its time, with all groups but all nodes', async () => {
    bench = await host6()
    bench.send(mldPacket(130, query()), { to: '33:33:00:00:00:01' })
    bench.run(1.1 * SECOND)
    const answers = bench.taken().filter(({ type }) => type === 143)
    expect(answers).toHaveLength(1)
    const groups = records(answers[0])
    expect(groups).toContain('2:ff02::1:ff00:1')
    expect(groups).toHaveLength(2)
    expect(answers[0].source).toMatch(/^fe80::/)
  })

  it('answer a version 1 query in version 1, to the group (RFC 2710)', async () => {
    bench = await host6()
    bench.send(mldPacket(130, query('::', 500, { v2: false })), { to: '33:33:00:00:00:01' })
    bench.run(SECOND)
    const answers = bench.taken()
    expect(answers.map(({ type, destination }) => [type, destination])).toContainEqual([131, 'ff02::1:ff00:1'])
    expect(answers.every(({ type, hopLimit, next }) => type === 131 && hopLimit === 1 && next === 0)).toBe(true)
  })
})

describe('queries', () => {
  it('from afar, without an alert, or from no link-local address are not believed (section 6.2)', async () => {
    bench = await host6()
    const to = { to: '33:33:00:00:00:01' }
    bench.exchange(mldPacket(130, query(), { hopLimit: 2 }), to)
    bench.exchange(mldPacket(130, query(), { alert: false }), to)
    bench.exchange(mldPacket(130, query(), { source: '2001:db8::2' }), to)
    bench.run(3 * SECOND)
    expect(bench.taken()).toEqual([])
    expect(counter6(bench.libos, 'drop.mldBadSource')).toBe(3)
  })

  it('of lengths that no version has, or cut off, are malformed', async () => {
    bench = await host6()
    const to = { to: '33:33:00:00:00:01' }
    const whole = query('ff15::9', 1000, { sources: ['2001:db8::5'] })
    bench.exchange(mldPacket(130, whole.slice(0, -1)), to)
    bench.exchange(mldPacket(130, query().slice(0, 21)), to)
    bench.exchange(mldPacket(130, query().slice(0, 10)), to)
    bench.exchange(mldPacket(130, query('2001:db8::9')), to)
    expect(counter6(bench.libos, 'drop.mldMalformed')).toBe(4)
    bench.exchange(mldPacket(130, whole), to)
    expect(counter6(bench.libos, 'icmp6.ipv6IfIcmpInGroupMembQueries')).toBe(1)
  })

  it('of other hosts: reports and leaves are counted', async () => {
    bench = await host6()
    const to = { to: '33:33:00:00:00:01' }
    bench.exchange(mldPacket(131, concat([0, 0, 0, 0], addressBytes('ff15::9'))), to)
    bench.exchange(mldPacket(132, concat([0, 0, 0, 0], addressBytes('ff15::9'))), to)
    expect(counter6(bench.libos, 'icmp6.ipv6IfIcmpInGroupMembResponses')).toBe(1)
    expect(counter6(bench.libos, 'icmp6.ipv6IfIcmpInGroupMembReductions')).toBe(1)
  })
})
