import { type QueueDescriptor, sgaFromText } from '@parakernel/queue'
import { afterEach, describe, expect, it } from 'vitest'
import { type Machine, Machines, SECOND } from '../support/machines.ts'
import { concat, HOST, ipv6Packet, PEER, u32, udp6 } from './support/frames6.ts'
import { type Bench6, CLIENT_MAC, counter6, host6, icmpPacket, solicitation, teach6 } from './support/host6.ts'

let close = async () => {}
afterEach(() => close())

async function opened(options = {}): Promise<Bench6> {
  const bench = await host6(options)
  close = () => bench.machines.close()
  teach6(bench)
  return bench
}

function push({ libos, pool }: Machine, qd: QueueDescriptor, text: string, to?: { address: string; port: number }) {
  const sga = sgaFromText(pool, text)
  const token = to === undefined ? libos.push(qd, sga) : libos.pushTo(qd, sga, to)
  sga.free()
  return token
}

describe('datagrams over IPv6', () => {
  it('without a checksum are dropped (RFC 8200 section 8.1)', async () => {
    const { libos, exchange } = await opened()
    const qd = libos.socket('datagram', 'ipv6')
    libos.bind(qd, { address: '::', port: 7 })
    const datagram = udp6(new Uint8Array(4))
    datagram.set([0, 0], 6)
    expect(exchange(ipv6Packet(datagram))).toEqual([])
    expect(counter6(libos, 'drop.udpBadChecksum')).toBe(1)
  })

  it('to a closed port are answered with a port unreachable, but not those to a group (RFC 4443 section 3.1)', async () => {
    const { exchange, libos } = await opened()
    const packet = ipv6Packet(udp6(new Uint8Array(4)))
    const [error] = exchange(packet)
    expect(error).toMatchObject({ to: CLIENT_MAC, source: HOST, destination: PEER, type: 1 })
    expect([error.message[1], error.message.slice(8)]).toEqual([4, packet])
    const group = { destination: 'ff02::1' }
    expect(exchange(ipv6Packet(udp6(new Uint8Array(4), group), group), { to: '33:33:00:00:00:01' })).toEqual([])
    expect(counter6(libos, 'drop.icmp6Forbidden')).toBe(1)
  })

  it('whose answer is an error fail the next call of a connected socket', async () => {
    const { libos, machine, send, run, taken } = await opened()
    const meanings: [number, number, string][] = [
      [1, 0, 'ENETUNREACH'],
      [1, 1, 'EHOSTUNREACH'],
      [1, 3, 'EHOSTUNREACH'],
      [1, 4, 'ECONNREFUSED'],
      [4, 1, 'ECONNREFUSED'],
    ]
    for (const [type, code, meaning] of meanings) {
      const qd = libos.socket('datagram', 'ipv6')
      machine.runtime.wait(libos.connect(qd, { address: PEER, port: 9 }))
      machine.runtime.wait(push(machine, qd, 'hello'))
      run(1e6)
      const [{ payload }] = taken()
      const quoted = ipv6Packet(payload, { source: HOST, destination: PEER })
      send(icmpPacket(type, code, concat(u32(0), quoted), { source: '2001:db8::fe' }))
      run(1e6)
      expect(machine.runtime.wait(libos.pop(qd), SECOND), meaning).toMatchObject({ kind: 'failed', code: meaning })
      libos.close(qd)
    }
    // One that quotes a port that is not open is nobody's.
    send(
      icmpPacket(
        1,
        4,
        concat(
          u32(0),
          ipv6Packet(udp6(new Uint8Array(4), { source: HOST, destination: PEER }), { source: HOST, destination: PEER }),
        ),
      ),
    )
    run(1e6)
    expect(counter6(libos, 'drop.icmp6NotOurs')).toBe(1)
  })

  it('that were too big are cut from then on, as the router said (RFC 8201 section 4)', async () => {
    const { libos, machine, send, run, taken } = await opened()
    const qd = libos.socket('datagram', 'ipv6')
    const to = { address: PEER, port: 9 }
    machine.runtime.wait(push(machine, qd, 'x'.repeat(1400), to))
    run(1e6)
    const [{ payload }] = taken()
    const quoted = ipv6Packet(payload, { source: HOST, destination: PEER }).slice(0, 1232)
    send(icmpPacket(2, 0, concat(u32(1300), quoted), { source: '2001:db8::fe' }))
    run(1e6)
    machine.runtime.wait(push(machine, qd, 'x'.repeat(1400), to))
    run(1e6)
    expect(taken().map(({ next, payload: { length } }) => [next, length <= 1260])).toEqual([
      [44, true],
      [44, true],
    ])
  })

  it('ask for a neighbour from their own source (RFC 4861 section 7.2.2)', async () => {
    const { libos, machine, run, taken } = await opened({ addresses: ['2001:db8::1/64', 'fd00::1/64'] })
    const qd = libos.socket('datagram', 'ipv6')
    libos.bind(qd, { address: 'fd00::1', port: 0 })
    push(machine, qd, 'hello', { address: '2001:db8::77', port: 9 })
    run(1e6)
    expect(taken()).toMatchObject([{ type: 135, source: 'fd00::1', destination: 'ff02::1:ff00:77' }])
  })

  it('need no zone: a link-local address of ours says which link', async () => {
    const { libos, machine, exchange, run, taken } = await opened()
    const local = libos.addresses.find((address) => address.startsWith('fe80::')) as string
    const qd = libos.socket('datagram', 'ipv6')
    libos.bind(qd, { address: local, port: 5000 })
    exchange(solicitation(local, { source: 'fe80::2' }))
    push(machine, qd, 'hello', { address: 'fe80::2', port: 9 })
    run(1e6)
    expect(taken()).toMatchObject([{ next: 17, source: local, destination: 'fe80::2', to: CLIENT_MAC }])
    expect(() => libos.bind(libos.socket('datagram', 'ipv6'), { address: 'fe80::1%net0', port: 0 })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
  })
})

describe('groups of IPv6', () => {
  const GROUP = 'ff15::1:2'

  async function pair() {
    const machines = new Machines()
    close = () => machines.close()
    const host = (address: string) =>
      machines.add({ options: { address: 'none', addresses: [`${address}/64`], ipv6: 'static', ndProbes: 0 } })
    return { machines, a: await host('fd00::1'), b: await host('fd00::2') }
  }

  function member({ libos }: Machine): QueueDescriptor {
    const qd = libos.socket('datagram', 'ipv6')
    libos.bind(qd, { address: '::', port: 9 })
    libos.joinGroup(qd, GROUP)
    return qd
  }

  function heard({ libos, runtime }: Machine, qd: QueueDescriptor): string | undefined {
    const pop = libos.pop(qd)
    libos.loop.runUntil(() => !runtime.isPending(pop), libos.loop.clock.now() + SECOND / 10)
    if (runtime.isPending(pop)) {
      runtime.cancel(pop)
      return undefined
    }
    const next = runtime.wait(pop)
    if (next.kind !== 'pop') return undefined
    const text = `${new TextDecoder().decode(next.sga.toBytes())} from ${next.source?.address}`
    next.sga.free()
    return text
  }

  it('are heard by their members, and by our own as long as that is wanted', async () => {
    const { a, b, machines } = await pair()
    const [there, here] = [member(b), member(a)]
    machines.run(SECOND)
    const sender = a.libos.socket('datagram', 'ipv6')
    const to = { address: GROUP, port: 9 }
    a.runtime.wait(push(a, sender, 'one', to))
    expect([heard(b, there), heard(a, here)]).toEqual(['one from fd00::1', 'one from fd00::1'])
    a.libos.setsockopt(sender, 'multicastLoop', false)
    a.runtime.wait(push(a, sender, 'two', to))
    expect([heard(b, there), heard(a, here)]).toEqual(['two from fd00::1', undefined])
    b.libos.leaveGroup(there, GROUP)
    a.runtime.wait(push(a, sender, 'three', to))
    expect(heard(b, there)).toBeUndefined()
  })

  it('are refused where they are none, or joined already', async () => {
    const { a } = await pair()
    const qd = member(a)
    const code = (value: string) => expect.objectContaining({ code: value })
    expect(() => a.libos.joinGroup(qd, GROUP)).toThrow(code('EADDRINUSE'))
    expect(() => a.libos.joinGroup(qd, 'fd00::2')).toThrow(code('EINVAL'))
    expect(() => a.libos.leaveGroup(qd, 'ff15::77')).toThrow(code('EADDRNOTAVAIL'))
  })

  it('are told of again when the link is back', async () => {
    const { a, b, machines } = await pair()
    member(a)
    machines.run(5 * SECOND)
    const told = () => counter6(a.libos, 'icmp6.ipv6IfIcmpOutGroupMembResponses')
    const before = told()
    machines.nics[0].setLink(false)
    machines.run(SECOND)
    machines.nics[0].setLink(true)
    machines.run(SECOND)
    expect(told()).toBeGreaterThan(before)
    expect(counter6(b.libos, 'icmp6.ipv6IfIcmpInGroupMembResponses')).toBe(0)
  })
})
