import { afterEach, describe, expect, it } from 'vitest'
import { SECOND } from '../support/machines.ts'
import {
  addressBytes,
  concat,
  fragmentHeader,
  HOST,
  icmpv6Message,
  ipv6Packet,
  linkLayerOption,
  PEER,
  textAt,
  u32,
} from './support/frames6.ts'
import {
  advertisement,
  type Bench6,
  CLIENT_MAC,
  counter6,
  HOST_GROUP_MAC,
  host6,
  icmpPacket,
  PEER_LOCAL,
  SERVER_MAC,
  solicitation,
  teach6,
} from './support/host6.ts'

let bench: Bench6
afterEach(() => bench.machines.close())

const echo = (fields = {}) => icmpPacket(128, 0, [0, 1, 0, 1, 9, 9], { source: PEER, destination: HOST, ...fields })
const SOLICITED = 0x4000_0000
const OVERRIDE = 0x2000_0000

describe('solicitations', () => {
  it('for an address of ours are answered, to who asked, with our MAC address (RFC 4861 section 7.2.4)', async () => {
    bench = await host6()
    const [answer, ...rest] = bench.exchange(solicitation(HOST, { destination: 'ff02::1:ff00:1' }), {
      to: HOST_GROUP_MAC,
    })
    expect(rest).toEqual([])
    expect(answer).toMatchObject({ to: CLIENT_MAC, source: HOST, destination: PEER_LOCAL, hopLimit: 255, type: 136 })
    const expected = concat(u32(SOLICITED | OVERRIDE), addressBytes(HOST), linkLayerOption(2, SERVER_MAC))
    expect(answer.message).toEqual(icmpv6Message(136, 0, expected, { source: HOST, destination: PEER_LOCAL }))
  })

  it('without an address of their own are answered where they came from (section 7.2.2)', async () => {
    bench = await host6()
    const answers = bench.exchange(solicitation(HOST, {}, new Uint8Array(0)))
    expect(answers).toMatchObject([{ to: CLIENT_MAC, type: 136 }])
    expect(bench.libos.control.neighbors().filter(({ address }) => address === PEER_LOCAL)).toEqual([])
  })

  it('from nobody, for an address that is ours, are answered to all nodes (section 7.2.4)', async () => {
    bench = await host6()
    const probe = solicitation(HOST, { source: '::', destination: 'ff02::1:ff00:1' }, new Uint8Array(0))
    const [answer] = bench.exchange(probe, { to: HOST_GROUP_MAC })
    expect(answer).toMatchObject({ to: '33:33:00:00:00:01', destination: 'ff02::1', type: 136 })
    expect(answer.message[4]).toBe(OVERRIDE >>> 24)
    expect(counter6(bench.libos, 'nd.ndDefended')).toBe(1)
  })

  it('for others, with a low hop limit or a bad checksum are not', async () => {
    bench = await host6()
    expect(
      bench.exchange(solicitation('2001:db8::77', { destination: 'ff02::1:ff00:1' }), { to: HOST_GROUP_MAC }),
    ).toEqual([])
    expect(bench.exchange(solicitation(HOST, { hopLimit: 254 }))).toEqual([])
    const broken = solicitation(HOST)
    broken[42] ^= 1
    expect(bench.exchange(broken)).toEqual([])
    expect(counter6(bench.libos, 'drop.ndNotOurs')).toBe(1)
    expect(counter6(bench.libos, 'drop.ndBadHopLimit')).toBe(1)
    expect(counter6(bench.libos, 'drop.icmp6BadChecksum')).toBe(1)
  })

  it('teach us who asked, and are no proof that he hears us', async () => {
    bench = await host6()
    bench.exchange(solicitation(HOST))
    const known = bench.libos.control.neighbors().find(({ address }) => address === PEER_LOCAL)
    expect(known).toMatchObject({ mac: CLIENT_MAC, state: 'stale' })
  })
})

describe('address resolution', () => {
  it('asks the solicited-node group, and sends what waited (section 7.2.2)', async () => {
    bench = await host6()
    const ping = bench.libos.ping(PEER)
    bench.run(1e6)
    const [question, ...rest] = bench.taken()
    expect(rest).toEqual([])
    expect(question).toMatchObject({ to: '33:33:ff:00:00:02', source: HOST, destination: 'ff02::1:ff00:2', type: 135 })
    expect(textAt(question.message, 8)).toBe(PEER)
    expect(question.message.slice(24)).toEqual(linkLayerOption(1, SERVER_MAC))
    const [request] = bench.exchange(advertisement(PEER, SOLICITED | OVERRIDE))
    expect(request).toMatchObject({ to: CLIENT_MAC, source: HOST, destination: PEER, type: 128 })
    bench.send(icmpPacket(129, 0, request.message.slice(4), { source: PEER, destination: HOST }))
    bench.run(1e6)
    expect(await ping).toMatchObject({ kind: 'reply', bytes: 56, ttl: 64 })
  })

  it('gives up after three, a second apart, and reports what waited as lost', async () => {
    bench = await host6()
    const ping = bench.libos.ping(PEER, { timeout: 10 * SECOND })
    const push = bench.libos.ping(PEER, { timeout: 10 * SECOND })
    bench.run(2.5 * SECOND)
    expect(bench.taken().map(({ type }) => type)).toEqual([135, 135, 135])
    bench.run(1 * SECOND)
    expect(counter6(bench.libos, 'drop.out6NeighborUnreachable')).toBe(2)
    expect(await bench.libos.ping(PEER)).toEqual({ kind: 'failed', reason: 'EHOSTUNREACH' })
    bench.run(10 * SECOND)
    expect([await ping, await push]).toEqual([{ kind: 'timeout' }, { kind: 'timeout' }])
  })

  it('keeps at most as many packets as it is told; the oldest gives way', async () => {
    bench = await host6({ ndWaiting: 2 })
    for (let i = 0; i < 5; i++) void bench.libos.ping(PEER)
    bench.run(1e6)
    bench.taken()
    expect(counter6(bench.libos, 'drop.out6NeighborQueueFull')).toBe(3)
    expect(bench.exchange(advertisement(PEER, SOLICITED | OVERRIDE)).map(({ type }) => type)).toEqual([128, 128])
  })

  it('probes an old neighbour by unicast, and drops one that does not answer (section 7.3.3)', async () => {
    bench = await host6()
    teach6(bench)
    void bench.libos.ping(PEER, { timeout: 1 })
    bench.run(1e6)
    bench.taken()
    bench.run(8.5 * SECOND)
    const probes = bench.taken()
    expect(probes.map(({ type, to, destination }) => [type, to, destination])).toEqual(
      new Array(3).fill([135, CLIENT_MAC, PEER]),
    )
    expect(bench.libos.control.neighbors().find(({ address }) => address === PEER)?.state).toBe('failed')
  })

  it('is not needed by an answer in place', async () => {
    bench = await host6()
    expect(bench.exchange(echo())).toMatchObject([{ to: CLIENT_MAC, source: HOST, destination: PEER, type: 129 }])
  })
})

describe('duplicate address detection (RFC 4862 section 5.4)', () => {
  const fresh = (options = {}) => host6({ ndProbes: 1, ...options })
  const state = () => bench.libos.control.addresses().find(({ address }) => address === HOST)?.state

  it('probes from nobody before the address is used', async () => {
    bench = await fresh()
    bench.libos.control.addAddress('net0', '2001:db8::5/64')
    bench.run(1e6)
    const probe = bench.taken().find(({ type }) => type === 135)
    expect(probe).toMatchObject({ to: '33:33:ff:00:00:05', source: '::', destination: 'ff02::1:ff00:5', hopLimit: 255 })
    expect(
      bench.exchange(solicitation('2001:db8::5', { destination: 'ff02::1:ff00:5' }), { to: '33:33:ff:00:00:05' }),
    ).toEqual([])
    bench.run(SECOND)
    bench.taken()
    const answers = bench.exchange(solicitation('2001:db8::5', { destination: 'ff02::1:ff00:5' }), {
      to: '33:33:ff:00:00:05',
    })
    expect(answers).toMatchObject([{ type: 136, source: '2001:db8::5' }])
  })

  it('gives an address up that another host answers for', async () => {
    bench = await fresh()
    expect(state()).toBe('preferred')
    bench.libos.control.addAddress('net0', '2001:db8::5/64')
    bench.run(1e6)
    bench.taken()
    bench.exchange(advertisement('2001:db8::5', OVERRIDE, { destination: 'ff02::1' }), { to: '33:33:00:00:00:01' })
    const known = bench.libos.control.addresses().find(({ address }) => address === '2001:db8::5')
    expect(known?.state).toBe('duplicate')
    expect(counter6(bench.libos, 'nd.ndDuplicates')).toBe(1)
    bench.run(5 * SECOND)
    bench.taken()
    expect(bench.exchange(solicitation('2001:db8::5'))).toEqual([])
    // It is heard as the other host's.
    expect(bench.exchange(echo({ source: '2001:db8::5' }))).toMatchObject([{ type: 129, destination: '2001:db8::5' }])
  })

  it('takes another link-local address when its first one is taken (RFC 7217 section 6)', async () => {
    bench = await host6({ ndProbes: 1, addresses: [] }, {}, 0)
    const own = () => bench.libos.control.addresses().filter(({ address }) => address.startsWith('fe80::'))
    const [first] = own()
    expect(first.state).toBe('tentative')
    const probed = () => bench.taken().find(({ type, source }) => type === 135 && source === '::')
    let probe = probed()
    for (let i = 0; i < 20 && probe === undefined; i++) {
      bench.run(0.1 * SECOND)
      probe = probed()
    }
    expect(probe && textAt(probe.message, 8)).toBe(first.address)
    bench.exchange(advertisement(first.address, OVERRIDE, { destination: 'ff02::1' }), { to: '33:33:00:00:00:01' })
    bench.run(3 * SECOND)
    const [second, ...rest] = own()
    expect(rest).toEqual([])
    expect(second).toMatchObject({ state: 'preferred' })
    expect(second.address).not.toBe(first.address)
  })
})

describe('what is not believed', () => {
  it('a message in fragments, even a single one (RFC 6980 section 5)', async () => {
    bench = await host6()
    const whole = solicitation(HOST)
    const message = whole.slice(40)
    const fields = { nextHeader: 44, source: PEER_LOCAL, hopLimit: 255 }
    const piece = (from: number, to: number) =>
      ipv6Packet(concat(fragmentHeader(58, from, to < message.length, 5), message.slice(from, to)), fields)
    expect(bench.exchange(whole)).toHaveLength(1)
    expect(bench.exchange(piece(0, message.length))).toEqual([])
    bench.exchange(piece(0, 16))
    expect(bench.exchange(piece(16, message.length))).toEqual([])
    expect(counter6(bench.libos, 'drop.ndFragmented')).toBe(2)
  })

  it('an advertisement that nobody asked for, one for a group, a solicitation with a group MAC address', async () => {
    bench = await host6()
    bench.exchange(advertisement(PEER, OVERRIDE))
    expect(counter6(bench.libos, 'drop.ndNotOurs')).toBe(1)
    bench.exchange(solicitation(HOST, {}, linkLayerOption(1, 'ff:ff:ff:ff:ff:ff')))
    expect(bench.libos.control.neighbors().filter(({ address }) => address.includes(':'))).toEqual([])
  })

  it('a packet from an address of ours; an advertisement of it is counted', async () => {
    bench = await host6()
    expect(bench.exchange(echo({ source: HOST }))).toEqual([])
    expect(counter6(bench.libos, 'drop.ip6BadSource')).toBe(1)
    bench.exchange(advertisement(HOST, OVERRIDE, { destination: 'ff02::1' }), { to: '33:33:00:00:00:01' })
    expect(counter6(bench.libos, 'nd.ndDuplicates')).toBe(1)
  })
})

describe('an interface', () => {
  it('without IPv6 drops its packets', async () => {
    bench = await host6({ ipv6: 'off', addresses: [] })
    expect(() => bench.libos.control.addAddress('net0', 'fd00::1/64')).toThrow(
      expect.objectContaining({ code: 'EAFNOSUPPORT' }),
    )
    await expect(host6({ ipv6: 'off' })).rejects.toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(bench.exchange(echo())).toEqual([])
    expect(counter6(bench.libos, 'drop.linkUnknownEtherType')).toBe(1)
    expect(await bench.libos.ping(PEER)).toEqual({ kind: 'failed', reason: 'ENETUNREACH' })
  })

  it('has ::1 on the loopback interface, and its own addresses there too', async () => {
    bench = await host6()
    for (const address of ['::1', HOST]) {
      const ping = bench.libos.ping(address)
      bench.run(1e6)
      expect(await ping, address).toMatchObject({ kind: 'reply', bytes: 56 })
    }
    expect(bench.taken()).toEqual([])
    expect(bench.exchange(echo({ destination: '::1' }))).toEqual([])
  })

  it('gives every frame back', async () => {
    bench = await host6()
    teach6(bench)
    for (let i = 0; i < 50; i++) bench.exchange(echo())
    for (let i = 0; i < 5; i++) void bench.libos.ping('2001:db8::99')
    const { pool } = bench.machine
    bench.run(20 * SECOND)
    bench.taken()
    expect(pool.frameCount - pool.available).toBeLessThanOrEqual(64)
  })
})
