import { MonotonicClock, NetBurst } from '@parakernel/hal'
import { DatagramBurst, parseIpv4, REPLY_HEADROOM } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { expectAllocation } from './support/allocation.ts'
import { CLIENT_MAC, SERVER_MAC, udpFrame } from './support/frames.ts'
import { type Machine, Machines } from './support/machines.ts'

const BURST = 32
const PACKETS = 524_288

/** Runs `round` until it has moved `PACKETS` packets: they allocate nothing. */
async function allocatesNothing(round: () => number): Promise<void> {
  // The optimizer works beside us: on a busy machine it takes its time.
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
  return machines.add({ options: { address: `${address}/24`, addressCheck: 'none' }, nic, debug: false })
}

describe('the fast path allocates nothing', { timeout: 120_000 }, () => {
  for (const offload of [true, false]) {
    it(`for half a million echoed datagrams, checksums ${offload ? 'by the device' : 'in software'}`, async () => {
      const machines = new Machines(new MonotonicClock())
      const server = await machine(machines, '10.0.0.1', SERVER_MAC, offload)
      const client = await machine(machines, '10.0.0.2', CLIENT_MAC, offload)
      const { libos } = server
      const qd = libos.socket('datagram')
      libos.bind(qd, { address: '0.0.0.0', port: 7 })
      libos.serveDatagrams(qd, (burst) => {
        for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
      })
      const [queue] = client.queues
      const { pool } = client
      const out = new NetBurst(BURST, queue.capabilities.columns)
      const back = new NetBurst(BURST, queue.capabilities.columns)
      const frame = udpFrame({ payload: new Uint8Array(22) })
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
      expect(round()).toBe(BURST)
      await allocatesNothing(round)
      await machines.close()
    })
  }

  it('for half a million datagrams sent and received in bursts', async () => {
    const machines = new Machines(new MonotonicClock())
    const server = await machine(machines, '10.0.0.1', SERVER_MAC, true)
    const client = await machine(machines, '10.0.0.2', CLIENT_MAC, true)
    let served = 0
    const sink = server.libos.socket('datagram')
    server.libos.bind(sink, { address: '0.0.0.0', port: 7 })
    server.libos.serveDatagrams(sink, (burst) => {
      served += burst.count
    })
    const source = client.libos.socket('datagram')
    const burst = new DatagramBurst(BURST)
    const { pool } = client
    const to = parseIpv4('10.0.0.1')
    const round = () => {
      for (let i = 0; i < BURST; i++) {
        const frame = pool.allocate()
        burst.frame[i] = frame
        burst.address[i] = pool.address(frame) + REPLY_HEADROOM
        burst.length[i] = 22
        burst.peerAddress[i] = to
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
