import { MonotonicClock, NetBurst } from '@parakernel/hal'
import { DatagramBurst, parseIpv6, REPLY_HEADROOM } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { expectAllocation } from '../support/allocation.ts'
import { CLIENT_MAC, SERVER_MAC } from '../support/frames.ts'
import { type Machine, Machines } from '../support/machines.ts'
import { frame6, HOST, ipv6Packet, PEER, udp6 } from './support/frames6.ts'

const BURST = 32
const PACKETS = 524_288

/** Runs `round` until it has moved `PACKETS` packets: they allocate nothing. */
async function allocatesNothing(round: () => number): Promise<void> {
  for (let i = 0; i < 20_000; i++) round()
  const work = () => {
    for (let moved = 0; moved < PACKETS; ) moved += round()
  }
  // Each poll reads the clock, whose time is a boxed number: two of 16 bytes a round at most.
  await expectAllocation(work, PACKETS * 2)
}

async function machine(machines: Machines, address: string, mac: string, offload: boolean): Promise<Machine> {
  // Timestamps make the NIC read a clock for every packet, which allocates.
  const nic = { mac, ringSize: 128, timestamps: false, checksumVerify: offload, checksumCompute: offload }
  const options = { address: 'none', addresses: [`${address}/64`], ipv6: 'static', ndProbes: 0 } as const
  return machines.add({ options, nic, debug: false })
}

describe('IPv6 allocates nothing', { timeout: 120_000 }, () => {
  for (const offload of [true, false]) {
    it(`for echoed datagrams, checksums ${offload ? 'by the device' : 'in software'}`, async () => {
      const machines = new Machines(new MonotonicClock())
      const server = await machine(machines, HOST, SERVER_MAC, offload)
      const client = await machine(machines, PEER, CLIENT_MAC, offload)
      const { libos } = server
      const qd = libos.socket('datagram', 'ipv6')
      libos.bind(qd, { address: '::', port: 7 })
      libos.serveDatagrams(qd, (burst) => {
        for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
      })
      const [queue] = client.queues
      const { pool } = client
      const out = new NetBurst(BURST, queue.capabilities.columns)
      const back = new NetBurst(BURST, queue.capabilities.columns)
      const frame = frame6(ipv6Packet(udp6(new Uint8Array(22))))
      const round = () => {
        out.count = 0
        for (let i = 0; i < BURST; i++) {
          const index = pool.allocate()
          pool.bytes.set(frame, pool.address(index) + pool.headroom)
          out.push(index, pool.headroom, frame.length)
        }
        queue.transmit(out)
        libos.poll(0)
        const count = queue.receive(back)
        for (let i = 0; i < count; i++) pool.release(back.frame[i])
        return count
      }
      for (let i = 0; i < 4; i++) round()
      expect(round()).toBe(BURST)
      await allocatesNothing(round)
      await machines.close()
    })
  }

  it('for datagrams sent and received in bursts', async () => {
    const machines = new Machines(new MonotonicClock())
    const server = await machine(machines, HOST, SERVER_MAC, true)
    const client = await machine(machines, PEER, CLIENT_MAC, true)
    let served = 0
    const sink = server.libos.socket('datagram', 'ipv6')
    server.libos.bind(sink, { address: '::', port: 7 })
    server.libos.serveDatagrams(sink, (burst) => {
      served += burst.count
    })
    const source = client.libos.socket('datagram', 'ipv6')
    const burst = new DatagramBurst(BURST)
    const { pool } = client
    const to = parseIpv6(HOST)
    const round = () => {
      for (let i = 0; i < BURST; i++) {
        const frame = pool.allocate()
        burst.frame[i] = frame
        burst.address[i] = pool.address(frame) + REPLY_HEADROOM
        burst.length[i] = 22
        burst.peerUpper[3 * i] = to[0]
        burst.peerUpper[3 * i + 1] = to[1]
        burst.peerUpper[3 * i + 2] = to[2]
        burst.peerAddress[i] = to[3]
        burst.peerPort[i] = 7
      }
      burst.count = BURST
      const taken = client.libos.sendDatagrams(source, burst)
      for (let i = taken; i < BURST; i++) pool.release(burst.frame[i])
      client.libos.poll(0)
      server.libos.poll(0)
      return taken
    }
    machines.loop.runUntil(() => {
      round()
      return served > 0
    }, machines.now + 1e9)
    expect(round()).toBe(BURST)
    await allocatesNothing(round)
    expect(served).toBeGreaterThan(PACKETS)
    await machines.close()
  })
})
