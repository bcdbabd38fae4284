import { formatIpv4, parseIpv4 } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { Membership, type MembershipOptions } from '../src/igmp/membership.ts'
import { seededRandom } from '../src/random.ts'
import { ethernetFrame, hex, ipv4Packet, slowChecksum } from './support/frames.ts'
import { MILLISECOND, SECOND } from './support/machines.ts'
import { counter, readIpv4, stackAndWire } from './support/wire.ts'

const A = parseIpv4('239.1.2.3')
const B = parseIpv4('239.1.2.4')
const defaults: MembershipOptions = {
  version: 3,
  robustness: 2,
  unsolicitedInterval: SECOND,
  refreshInterval: Number.POSITIVE_INFINITY,
}

function start(options: Partial<MembershipOptions> = {}) {
  const log: string[] = []
  let now = 0
  const core = new Membership({ ...defaults, ...options }, seededRandom(3), {
    report: (version, group) => log.push(`v${version} ${formatIpv4(group)}`),
    leave: (group) => log.push(`leave ${formatIpv4(group)}`),
    reportV3: (records) => log.push(`v3 ${records.map(([type, group]) => `${type}:${formatIpv4(group)}`).join(' ')}`),
  })
  return {
    core,
    taken: () => log.splice(0),
    get now() {
      return now
    },
    runTo(seconds: number) {
      for (let next = core.nextEvent(); next <= seconds * SECOND; next = core.nextEvent()) {
        now = Math.max(now, next)
        core.poll(now)
      }
      now = seconds * SECOND
    },
  }
}

describe('membership', () => {
  it('is told twice at joining and at leaving (RFC 3376 section 5.1)', () => {
    const host = start()
    expect(host.core.join(A, 0)).toBe(true)
    expect(host.taken()).toEqual(['v3 4:239.1.2.3'])
    host.runTo(2)
    expect(host.taken()).toEqual(['v3 4:239.1.2.3'])
    expect(host.core.leave(A, host.now)).toBe(true)
    host.runTo(4)
    expect(host.taken()).toEqual(['v3 3:239.1.2.3', 'v3 3:239.1.2.3'])
    expect(host.core.groups).toEqual([])
    expect(host.core.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('is shared by sockets: the first join and the last leave count', () => {
    const host = start()
    host.core.join(A, 0)
    expect(host.core.join(A, 0)).toBe(false)
    host.runTo(2)
    host.taken()
    expect(host.core.leave(A, host.now)).toBe(false)
    expect(host.taken()).toEqual([])
    expect(host.core.isMember(A)).toBe(true)
    expect(host.core.leave(A, host.now)).toBe(true)
    expect(host.core.isMember(A)).toBe(false)
  })

  it('answers a general query once for all groups, within its time', () => {
    const host = start()
    host.core.join(A, 0)
    host.core.join(B, 0)
    host.runTo(5)
    host.taken()
    host.core.query(3, 0, 10 * SECOND, host.now)
    expect(host.taken()).toEqual([])
    expect(host.core.nextEvent()).toBeLessThan(15 * SECOND)
    host.runTo(15)
    expect(host.taken()).toEqual(['v3 2:239.1.2.3 2:239.1.2.4'])
  })

  it('answers a query of one group for that group', () => {
    const host = start()
    host.core.join(A, 0)
    host.core.join(B, 0)
    host.runTo(5)
    host.taken()
    host.core.query(3, B, SECOND, host.now)
    host.core.query(3, parseIpv4('239.9.9.9'), SECOND, host.now)
    host.runTo(10)
    expect(host.taken()).toEqual(['v3 2:239.1.2.4'])
  })

  it('speaks version 2 while a router of version 2 is there, then version 3 again', () => {
    const host = start()
    host.core.join(A, 0)
    host.runTo(5)
    host.taken()
    host.core.query(2, 0, 10 * SECOND, host.now)
    expect(host.core.version(host.now)).toBe(2)
    host.runTo(20)
    expect(host.taken()).toEqual(['v2 239.1.2.3'])
    host.core.leave(A, host.now)
    expect(host.taken()).toEqual(['leave 239.1.2.3'])
    host.runTo(5 + 260 + 1)
    expect(host.core.version(host.now)).toBe(3)
  })

  it('speaks version 1 while a router of version 1 is there, and leaves without a word', () => {
    const host = start()
    host.core.query(1, 0, 10 * SECOND, 0)
    host.core.join(A, 0)
    host.runTo(30)
    expect(host.taken()).toEqual(['v1 239.1.2.3', 'v1 239.1.2.3'])
    host.core.leave(A, host.now)
    expect(host.taken()).toEqual([])
  })

  it('spares a report that another member has just sent, and then the leave (RFC 2236)', () => {
    const host = start({ version: 2 })
    host.core.join(A, 0)
    host.runTo(30)
    host.taken()
    host.core.query(2, A, 10 * SECOND, host.now)
    host.core.heardReport(A, host.now)
    host.runTo(60)
    expect(host.taken()).toEqual([])
    host.core.leave(A, host.now)
    expect(host.taken()).toEqual([])
  })

  it('is never told of all systems', () => {
    const host = start()
    const all = parseIpv4('224.0.0.1')
    host.core.join(all, 0)
    host.core.query(3, 0, SECOND, 0)
    host.runTo(10)
    host.core.leave(all, host.now)
    expect(host.taken()).toEqual([])
    expect(host.core.isMember(all)).toBe(true)
  })

  it('is told again and again by a partition that hears no queries', () => {
    const host = start({ refreshInterval: 60 * SECOND })
    host.core.join(A, 0)
    host.runTo(10)
    host.taken()
    host.runTo(190)
    expect(host.taken()).toEqual(Array(3).fill('v3 2:239.1.2.3'))
  })
})

describe('IGMP on the wire', () => {
  it('reports have router alert, TTL 1 and a right checksum, and the NIC lets the group in', async () => {
    const { machines, machine, libos, wire } = await stackAndWire()
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '0.0.0.0', port: 5353 })
    libos.joinGroup(qd, '239.1.2.3')
    machines.run(2 * SECOND)
    const reports = wire.receive()
    expect(reports.length).toBe(2)
    const [{ to, payload }] = reports
    expect(to).toBe('01:00:5e:00:00:16')
    expect(payload.subarray(0, 2)).toEqual(hex('46c0'))
    expect(payload.subarray(20, 24)).toEqual(hex('94040000'))
    expect(slowChecksum(payload.subarray(0, 24))).toBe(0)
    const packet = readIpv4(payload)
    expect(packet).toMatchObject({ ttl: 1, protocol: 2, source: '10.0.0.1', destination: '224.0.0.22' })
    expect(slowChecksum(packet.payload)).toBe(0)
    expect(packet.payload.subarray(8)).toEqual(hex('04000000 ef010203'))
    const general = hex('11 64 ee9b 00000000')
    const query = ipv4Packet(general, { protocol: 2, destination: '224.0.0.1', ttl: 1, source: '0.0.0.0' })
    wire.send(ethernetFrame(query, { to: '01:00:5e:00:00:01' }))
    machines.run(11 * SECOND)
    const [answer] = wire.receive()
    expect(answer.to).toBe('01:00:5e:01:02:03')
    expect(readIpv4(answer.payload).payload[0]).toBe(0x16)
    expect(counter(libos, 'igmp.igmpInQueries')).toBe(1)
    libos.leaveGroup(qd, '239.1.2.3')
    machines.run(MILLISECOND)
    expect(wire.receive().map(({ to: leave }) => leave)).toEqual(['01:00:5e:00:00:02'])
    expect(machine.queues[0].counters.get('rxDroppedFilter')).toBe(0)
    await machines.close()
  })
})
