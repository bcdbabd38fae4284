import { assertNoLeaks } from '@parakernel/hal'
import { sgaFromText } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { libos, siblingsBuffer } from '../src/index.ts'
import { Siblings } from '../src/stack/siblings.ts'
import { arpPacket, BROADCAST, CLIENT_MAC, ethernetFrame, SERVER_MAC, udpFrame } from './support/frames.ts'
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
  it('tells what was published, to each reader once that there is news', () => {
    const buffer = siblingsBuffer()
    const [a, b] = [new Siblings(buffer), new Siblings(buffer)]
    expect(b.changed()).toBe(false)
    a.publish(0x0a000002, 0x02000000, 5)
    expect(b.changed()).toBe(true)
    expect(b.changed()).toBe(false)
    expect(b.find(0x0a000002)).toEqual({ high: 0x02000000, low: 5 })
    expect(b.find(0x0a000003)).toBeUndefined()
    expect(b.find(0)).toBeUndefined()
    a.publish(0x0a000002, 0x02000000, 6)
    expect(b.find(0x0a000002)?.low).toBe(6)
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
