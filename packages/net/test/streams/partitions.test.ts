import { DEFAULT_RSS_KEY } from '@parakernel/emulated'
import { assertNoLeaks } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { libos } from '../../src/index.ts'
import { ACK, SYN } from '../../src/tcp/segment.ts'
import { CLIENT_MAC, SERVER_MAC } from '../support/frames.ts'
import { type Machine, Machines, SECOND } from '../support/machines.ts'
import { counter, Wire } from '../support/wire.ts'
import { segmentsOf, tcpFrame } from './support/raw-peer.ts'

const OPTIONS = { address: '10.0.0.1/24', ipv6: 'off', seed: 3 } as const

/** Four partitions at 10.0.0.1, each with a queue of one NIC, which steers ephemeral ports to their owners. */
async function partitioned() {
  const machines = new Machines()
  const partitions = await machines.addPartitions({ options: OPTIONS, partitions: 4, nic: { mac: SERVER_MAC } })
  for (const rule of libos.steeringRules(OPTIONS, 4)) machines.nics[0].steer(rule)
  return { machines, partitions }
}

function listen({ libos: instance }: Machine, address: string) {
  const qd = instance.socket('stream')
  instance.bind(qd, { address, port: 80 })
  instance.listen(qd)
  return qd
}

describe('partitions that share an address', () => {
  it('each have the answers to the connections that they opened', async () => {
    const { machines, partitions } = await partitioned()
    const peer = await machines.add({ options: { ...OPTIONS, address: '10.0.0.2/24' } })
    const listener = listen(peer, '10.0.0.2')
    for (const [i, machine] of partitions.entries()) {
      for (let n = 0; n < 5; n++) {
        const qd = machine.libos.socket('stream')
        const connect = machine.libos.connect(qd, { address: '10.0.0.2', port: 80 })
        expect(machine.runtime.wait(connect, SECOND).kind).toBe('connect')
        expect((machine.libos.getsockname(qd).port - 49_152) % 4).toBe(i)
        expect(peer.runtime.wait(peer.libos.accept(listener), SECOND).kind).toBe('accept')
      }
    }
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })

  it.each([
    ['that it tells', { rssKey: '5a3c'.repeat(20) }, {}],
    ['that we are told', {}, { tcpRssKey: Buffer.from(DEFAULT_RSS_KEY).toString('hex') }],
  ])('open from ports whose answers the hash of the device brings back, by a key %s', async (_, nic, options) => {
    const machines = new Machines()
    const partitions = await machines.addPartitions({
      ...{ options: { ...OPTIONS, ...options }, partitions: 4 },
      nic: { mac: SERVER_MAC, steering: false, ...nic },
    })
    const peer = await machines.add({ options: { ...OPTIONS, address: '10.0.0.2/24' } })
    const listener = listen(peer, '10.0.0.2')
    for (const machine of partitions) {
      for (let n = 0; n < 10; n++) {
        const connect = machine.libos.connect(machine.libos.socket('stream'), { address: '10.0.0.2', port: 80 })
        expect(machine.runtime.wait(connect, SECOND).kind).toBe('connect')
        expect(peer.runtime.wait(peer.libos.accept(listener), SECOND).kind).toBe('accept')
      }
      expect(counter(machine.libos, 'tcp.tcpOutRsts')).toBe(0)
    }
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })

  it('take the connections that the device brings to them, of listeners in each', async () => {
    const { machines, partitions } = await partitioned()
    const peer = await machines.add({ options: { ...OPTIONS, address: '10.0.0.2/24' } })
    const opened = partitions.map((machine) => {
      const seen = { count: 0 }
      machine.libos.serveStreams(listen(machine, '10.0.0.1'), (burst) => {
        for (let i = 0; i < burst.count; i++) if (burst.event[i] === 1) seen.count++
      })
      return seen
    })
    for (let n = 0; n < 40; n++) {
      const connect = peer.libos.connect(peer.libos.socket('stream'), { address: '10.0.0.1', port: 80 })
      expect(peer.runtime.wait(connect, SECOND).kind).toBe('connect')
    }
    machines.run(SECOND)
    expect(opened.reduce((sum, { count }) => sum + count, 0)).toBe(40)
    expect(opened.filter(({ count }) => count > 0).length).toBeGreaterThan(2)
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })

  it('reset nothing that another of them may know', async () => {
    const { machines, partitions } = await partitioned()
    const wire = new Wire(machines, CLIENT_MAC)
    machines.run(SECOND)
    wire.receive()
    const counted = (name: string) => partitions.reduce((sum, machine) => sum + counter(machine.libos, name), 0)
    const stray = (destinationPort: number) =>
      segmentsOf(wire.exchange(tcpFrame({ destinationPort, flags: ACK, acknowledgment: 5 })))
    // Nobody has the port: whoever hears of it answers.
    expect(stray(80).map(({ text }) => text)).toEqual(['RST 5+0 win 0'])
    // One of them listens there, and may have the connection.
    const listener = listen(partitions[2], '10.0.0.1')
    const before = counted('tcpDrop.OtherPartition')
    let resets = 0
    for (let port = 5000; port < 5032; port++) {
      const frame = tcpFrame({ sourcePort: port, destinationPort: 80, flags: ACK, acknowledgment: 5 })
      resets += segmentsOf(wire.exchange(frame)).length
    }
    const silent = counted('tcpDrop.OtherPartition') - before
    // The one that listens knows its connections, and resets; the others are silent.
    expect(resets).toBe(counted('tcp.tcpOutRsts') - 1)
    expect(silent + resets).toBe(32)
    expect(silent).toBeGreaterThan(10)
    partitions[2].libos.close(listener)
    expect(stray(80).length).toBe(1)
    // An ephemeral port is steered to its owner, who knows.
    expect(stray(50_001).map(({ text }) => text)).toEqual(['RST 5+0 win 0'])
    // A SYN where nobody listens is refused by whoever hears of it.
    expect(segmentsOf(wire.exchange(tcpFrame({ destinationPort: 81, flags: SYN }))).length).toBe(1)
    await machines.close()
  })
})
