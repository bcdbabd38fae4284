import { assertNoLeaks } from '@parakernel/hal'
import { parseIp, type QueueDescriptor, sgaFromText } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { libos, siblingsBuffer } from '../src/index.ts'
import { HandOff, handOffBuffer, LONGEST_HANDED } from '../src/stack/hand-off.ts'
import { Siblings } from '../src/stack/siblings.ts'
import { addressBytes, concat, frame6, linkLayerOption, u16, u32 } from './ipv6/support/frames6.ts'
import { icmpPacket } from './ipv6/support/host6.ts'
import {
  arpPacket,
  BROADCAST,
  CLIENT_MAC,
  ethernetFrame,
  icmpMessage,
  ipv4Packet,
  SERVER_MAC,
  udpFrame,
} from './support/frames.ts'
import { type Machine, Machines, MILLISECOND, SECOND } from './support/machines.ts'
import { counter, readIpv4, Wire } from './support/wire.ts'

/** Four partitions at 10.0.0.1, each with a queue of one NIC, which steers ephemeral ports to their owners. */
async function partitioned(seed?: number) {
  const machines = new Machines()
  const options = { address: '10.0.0.1/24', ...(seed === undefined ? {} : { seed }) }
  const partitions = await machines.addPartitions({ options, partitions: 4, nic: { mac: SERVER_MAC } })
  for (const rule of libos.steeringRules(options, 4)) machines.nics[0].steer(rule)
  return { machines, partitions }
}

function push({ libos, pool }: Machine, text: string, address: string, port: number) {
  const qd = libos.socket('datagram')
  const sga = sgaFromText(pool, text)
  const token = libos.pushTo(qd, sga, { address, port })
  sga.free()
  return { qd, token }
}

describe('partitions that share an address', () => {
  it('each resolve a neighbour, although its reply comes to one queue only', async () => {
    const { machines, partitions } = await partitioned()
    const peer = await machines.add({ options: { address: '10.0.0.2/24' } })
    const server = peer.libos.socket('datagram')
    peer.libos.bind(server, { address: '0.0.0.0', port: 9 })
    peer.libos.serveDatagrams(server, (burst) => {
      for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
    })
    for (const machine of partitions) {
      const { qd, token } = push(machine, 'hello', '10.0.0.2', 9)
      expect(machine.runtime.wait(token, SECOND)).toMatchObject({ kind: 'push', bytes: 5 })
      // The answer to its ephemeral port comes to its own queue.
      const answer = machine.runtime.wait(machine.libos.pop(qd), SECOND)
      expect(answer).toMatchObject({ kind: 'pop', source: { address: '10.0.0.2', port: 9 } })
      if (answer.kind === 'pop') answer.sga.free()
    }
    const told = partitions.map(({ libos }) => counter(libos, 'arp.arpLearnedFromSiblings'))
    expect(told.filter((count) => count > 0).length).toBe(3)
    expect(partitions.map(({ libos }) => counter(libos, 'arp.arpFailed'))).toEqual([0, 0, 0, 0])
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })

  it('each resolve a neighbour of IPv6, too, and have the same link-local address', async () => {
    const machines = new Machines()
    const options = { address: 'none', addresses: ['fd00::1/64'], ipv6: 'static' } as const
    const partitions = await machines.addPartitions({ options, partitions: 4, nic: { mac: SERVER_MAC } })
    const peer = await machines.add({ options: { address: 'none', addresses: ['fd00::2/64'], ipv6: 'static' } })
    machines.run(5 * SECOND)
    const own = new Set(partitions.map(({ libos }) => libos.addresses.find((address) => address.startsWith('fe80:'))))
    expect(own.size).toBe(1)
    // An echo reply may come to another partition; what counts here is that the request went out.
    for (const { libos } of partitions) void libos.ping('fd00::2', { timeout: SECOND })
    machines.run(2 * SECOND)
    const asked = partitions.map(({ libos }) => counter(libos, 'icmp6.ipv6IfIcmpOutEchos'))
    expect(asked).toEqual([1, 1, 1, 1])
    expect(partitions.map(({ libos }) => counter(libos, 'nd.ndFailed'))).toEqual([0, 0, 0, 0])
    expect(counter(peer.libos, 'icmp6.ipv6IfIcmpInEchos')).toBe(4)
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })

  it('choose ephemeral ports of their own share', async () => {
    const { machines, partitions } = await partitioned()
    const seen = new Set<number>()
    partitions.forEach(({ libos }, partition) => {
      for (let i = 0; i < 100; i++) {
        const qd = libos.socket('datagram')
        libos.bind(qd, { address: '0.0.0.0', port: 0 })
        const { port } = libos.getsockname(qd)
        expect((port - 49_152) % 4).toBe(partition)
        expect(seen.has(port)).toBe(false)
        seen.add(port)
      }
    })
    await machines.close()
  })

  it('send port unreachable only when none of them has the port', async () => {
    const { machines, partitions } = await partitioned()
    const wire = new Wire(machines)
    const qd = partitions[2].libos.socket('datagram')
    partitions[2].libos.bind(qd, { address: '0.0.0.0', port: 700 })
    machines.run(5 * SECOND)
    wire.receive()
    // Different senders: RSS spreads them over all queues.
    const from = (sourcePort: number, destinationPort: number) => udpFrame({ sourcePort, destinationPort })
    for (let port = 1000; port < 1040; port++) wire.send(from(port, 700))
    machines.run(MILLISECOND)
    expect(wire.receive()).toEqual([])
    const elsewhere = partitions.map(({ libos }) => counter(libos, 'drop.udpOtherPartition'))
    const received = counter(partitions[2].libos, 'udp.udpInDatagrams')
    expect(elsewhere.reduce((a, b) => a + b) + received).toBe(40)
    expect(elsewhere[2]).toBe(0)
    expect(elsewhere.filter((count) => count > 0).length).toBe(3)
    partitions[2].libos.close(qd)
    for (let port = 1000; port < 1040; port++) wire.send(from(port, 700))
    machines.run(MILLISECOND)
    expect(wire.receive().length).toBe(40)
    await machines.close()
  })

  it('answer ARP once, echo on whichever queue it comes to, and announce the address once', async () => {
    const { machines, partitions } = await partitioned()
    const wire = new Wire(machines)
    machines.run(5 * SECOND)
    const announcements = wire.receive().filter(({ type }) => type === 0x0806)
    expect(announcements.length).toBeLessThanOrEqual(2)
    const sum = (name: string) => partitions.reduce((total, { libos }) => total + counter(libos, name), 0)
    expect(sum('arp.arpOutAnnouncements')).toBe(2)
    const request = arpPacket(1, { mac: CLIENT_MAC, address: '10.0.0.2' }, { address: '10.0.0.1' })
    expect(wire.exchange(ethernetFrame(request, { to: BROADCAST, type: 0x0806 })).length).toBe(1)
    const other = await machines.add({ options: { address: '10.0.0.3/24' } })
    for (let i = 0; i < 3; i++) {
      const ping = other.libos.ping('10.0.0.1')
      machines.run(10 * MILLISECOND)
      expect(await ping).toMatchObject({ kind: 'reply' })
    }
    await machines.close()
  })

  it('hear of a reply that only the other was sent, and neither needs to ask again', async () => {
    const lonely = new Machines()
    const [first, second] = await lonely.addPartitions({
      options: { address: '10.0.0.1/24', siblings: siblingsBuffer() },
      partitions: 2,
      nic: { mac: SERVER_MAC, rss: false },
    })
    const wire = new Wire(lonely)
    lonely.run(5 * SECOND)
    wire.receive()
    // Queue 1 hears nothing, but for what queue 0 is told.
    const { token } = push(second, 'hi', '10.0.0.2', 9)
    lonely.run(MILLISECOND)
    expect(wire.receive().length).toBe(1)
    const us = { mac: SERVER_MAC, address: '10.0.0.1' }
    const [sent] = wire.exchange(
      ethernetFrame(arpPacket(2, { mac: CLIENT_MAC, address: '10.0.0.2' }, us), { type: 0x0806 }),
    )
    expect(readIpv4(sent.payload)).toMatchObject({ destination: '10.0.0.2' })
    expect(second.runtime.wait(token, 0)).toMatchObject({ kind: 'push' })
    expect(counter(first.libos, 'arp.arpResolved')).toBe(0)
    await lonely.close()
  })
})

describe('several queues of one instance', () => {
  it('serve the flows that RSS brings to each, and answer by the same queue', async () => {
    const machines = new Machines()
    const server = await machines.add({ options: { address: '10.0.0.1/24' }, queues: 3, nic: { mac: SERVER_MAC } })
    const wire = new Wire(machines)
    const qd = server.libos.socket('datagram')
    server.libos.bind(qd, { address: '0.0.0.0', port: 7 })
    server.libos.serveDatagrams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
    })
    machines.run(5 * SECOND)
    wire.receive()
    for (let port = 2000; port < 2060; port++)
      wire.send(udpFrame({ sourcePort: port, payload: Uint8Array.of(port & 255) }))
    machines.run(MILLISECOND)
    const answers = wire.receive().map(({ payload }) => readIpv4(payload).payload)
    const ports = answers.map((datagram) => (datagram[2] << 8) | datagram[3])
    expect(ports.sort()).toEqual(Array.from({ length: 60 }, (_, i) => 2000 + i))
    for (const { counters } of server.queues) {
      expect(counters.get('rxPackets')).toBeGreaterThan(0)
      expect(counters.get('txPackets')).toBeGreaterThanOrEqual(counters.get('rxPackets'))
    }
    await machines.close()
    assertNoLeaks(server.pool)
  })
})

describe('the memory that siblings share', () => {
  it('tells what was published, and that there is news', () => {
    const buffer = siblingsBuffer()
    const [a, b] = [new Siblings(buffer), new Siblings(buffer)]
    const neighbor = parseIp('10.0.0.2')
    expect(b.sequence).toBe(0)
    a.publish(neighbor, 0x02000000, 5)
    expect(b.sequence).toBe(1)
    expect(b.find(neighbor)).toEqual({ high: 0x02000000, low: 5 })
    expect(b.find(parseIp('10.0.0.3'))).toBeUndefined()
    expect(b.find(parseIp('::'))).toBeUndefined()
    a.publish(neighbor, 0x02000000, 6)
    expect(b.find(neighbor)?.low).toBe(6)
    a.publish(parseIp('fe80::2'), 0x02000000, 7)
    expect(b.find(parseIp('fe80::2'))?.low).toBe(7)
    expect(b.sequence).toBe(3)
  })

  it('counts who has a port open', () => {
    const buffer = siblingsBuffer()
    const [a, b] = [new Siblings(buffer), new Siblings(buffer)]
    a.portOpened(65_535)
    b.portOpened(65_535)
    a.portClosed(65_535)
    expect(a.hasPort(65_535)).toBe(true)
    b.portClosed(65_535)
    expect(a.hasPort(65_535)).toBe(false)
  })
})

describe('what concerns every partition', () => {
  function members(partitions: readonly Machine[], group: string | undefined, port: number) {
    return partitions.map(({ libos }) => {
      const qd = libos.socket('datagram')
      libos.bind(qd, { address: '0.0.0.0', port })
      if (group !== undefined) libos.joinGroup(qd, group)
      return qd
    })
  }

  function heard({ libos, runtime }: Machine, qd: QueueDescriptor): number {
    for (let count = 0; ; count++) {
      const token = libos.pop(qd)
      if (runtime.cancel(token)) {
        runtime.wait(token)
        return count
      }
      const completion = runtime.wait(token)
      if (completion.kind === 'pop') completion.sga.free()
    }
  }

  it('is heard by all of them: datagrams to a group and to the broadcast address', async () => {
    const { machines, partitions } = await partitioned()
    const wire = new Wire(machines)
    const sockets = members(partitions, '239.1.2.3', 9)
    machines.run(MILLISECOND)
    const payload = Uint8Array.of(1, 2, 3)
    wire.send(udpFrame({ to: '01:00:5e:01:02:03', destination: '239.1.2.3', destinationPort: 9, payload }))
    wire.send(udpFrame({ to: BROADCAST, destination: '10.0.0.255', destinationPort: 9, payload }))
    machines.run(MILLISECOND)
    expect(partitions.map((machine, i) => heard(machine, sockets[i]))).toEqual([2, 2, 2, 2])
    // To one of them alone: the others hear nothing of it.
    wire.send(udpFrame({ destinationPort: 9, payload }))
    machines.run(MILLISECOND)
    expect(partitions.reduce((sum, machine, i) => sum + heard(machine, sockets[i]), 0)).toBe(1)
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })

  it('is heard by all of them: the reply to a ping, and errors about a datagram', async () => {
    const { machines, partitions } = await partitioned()
    const peer = await machines.add({ options: { address: '10.0.0.2/24' } })
    for (const machine of partitions) {
      const reply = machine.libos.ping('10.0.0.2', { timeout: SECOND })
      machines.run(100 * MILLISECOND)
      expect(await reply).toMatchObject({ kind: 'reply' })
      const qd = machine.libos.socket('datagram')
      machine.runtime.wait(machine.libos.connect(qd, { address: '10.0.0.2', port: 9 }))
      const sga = sgaFromText(machine.pool, 'anybody?')
      machine.runtime.wait(machine.libos.push(qd, sga))
      sga.free()
      expect(machine.runtime.wait(machine.libos.pop(qd), SECOND)).toMatchObject({ code: 'ECONNREFUSED' })
    }
    expect(counter(peer.libos, 'icmp.icmpInEchos')).toBe(4)
    await machines.close()
  })

  it("is heard by all of them: a router's advertisement, from which they make the same addresses", async () => {
    const { machines, partitions } = await partitioned()
    const wire = new Wire(machines)
    machines.run(5 * SECOND)
    const prefix = concat([3, 4, 64, 0xc0], u32(86_400), u32(86_400), u32(0), addressBytes('2001:db8:5::'))
    const body = concat([64, 0], u16(1800), u32(0), u32(0), linkLayerOption(1, CLIENT_MAC), prefix)
    const advertisement = icmpPacket(134, 0, body, { source: 'fe80::2', destination: 'ff02::1', hopLimit: 255 })
    wire.send(frame6(advertisement, { to: '33:33:00:00:00:01' }))
    machines.run(5 * SECOND)
    const made = partitions.map(({ libos: { control } }) =>
      control.addresses().filter(({ address }) => address.startsWith('2001:db8:5:')),
    )
    expect(made.map((own) => own.map(({ state }) => state))).toEqual(Array(4).fill(['preferred']))
    expect(new Set(made.flat().map(({ address }) => address)).size).toBe(1)
    for (const { libos: instance } of partitions) {
      expect(instance.control.routes()).toContainEqual(
        expect.objectContaining({ destination: '::/0', gateway: 'fe80::2' }),
      )
    }
    await machines.close()
  })

  it('is one answer where one is asked for', async () => {
    const { machines, partitions } = await partitioned()
    const wire = new Wire(machines)
    machines.run(MILLISECOND)
    wire.receive()
    const echo = ethernetFrame(ipv4Packet(icmpMessage(8, 0, 7), { protocol: 1 }))
    expect(wire.exchange(echo).filter(({ type }) => type === 0x0800)).toHaveLength(1)
    const replies = partitions.map(({ libos }) => counter(libos, 'icmp.icmpOutEchoReps'))
    expect(replies.reduce((sum, count) => sum + count)).toBe(1)
    await machines.close()
  })

  it('is read at the pace of each; who is too slow has lost it, and counts', () => {
    const buffer = handOffBuffer()
    const ends = [0, 1, 2].map((partition) => new HandOff({ buffer, wakes: [] }, partition, undefined))
    const memory = new Uint8Array(new SharedArrayBuffer(8192))
    const view = new DataView(memory.buffer)
    const offer = (from: number, byte: number, length = 20) => {
      memory.fill(byte, 0, 14 + length)
      ends[from].offer(view, memory, 0, 14, length, 3, 0x0800)
    }
    const take = (end: number) => {
      const seen: number[] = []
      ends[end].take(({ bytes, interface: iface, type, toHigh, fromLow }) => {
        expect({ iface, type, toHigh, fromLow }).toMatchObject({ iface: 3, type: 0x0800, fromLow: toHigh >>> 16 })
        seen.push(bytes[bytes.length - 1])
      })
      return seen
    }
    offer(0, 1)
    offer(1, 2, LONGEST_HANDED)
    expect([take(0), take(1), take(2)]).toEqual([[2], [1], [1, 2]])
    expect(ends.map(({ hasNews }) => hasNews)).toEqual([false, false, false])
    for (let i = 0; i < 100; i++) offer(0, i)
    expect(take(1)).toEqual(Array.from({ length: 64 }, (_, i) => 36 + i))
    expect([ends[1].lost, take(0), ends[0].lost]).toEqual([36, [], 0])
  })
})
