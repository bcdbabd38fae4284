import { assertNoLeaks, type NetDevice } from '@parakernel/hal'
import { faults } from '@parakernel/probes'
import { DatagramBurst, parseIpv4, REPLY_HEADROOM, sgaFromBytes } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { type Machine, Machines, MILLISECOND, SECOND } from './support/machines.ts'
import { counter } from './support/wire.ts'

const DATAGRAMS = 2000

interface Faults {
  readonly loss?: number
  readonly duplicate?: number
  readonly reorder?: number
  readonly corrupt?: number
  readonly jitter?: number
}

/** Two stacks on faulty NICs: `a` sends numbered datagrams to `b`, which echoes; answers how often each number came back. */
async function exchange(settings: Faults, bytes: number, checksums: boolean) {
  const machines = new Machines()
  const wrap = (device: NetDevice) => faults.wrap(device, { seed: 5, receive: settings }, { clock: machines.clock })
  // A corrupt bit is put in behind the NIC's own check: only a check in software finds it.
  const options = { seed: 1, ...(checksums ? {} : { checksum: 'software' as const }) }
  const add = (address: string) => machines.add({ options: { address, ...options }, wrap, frames: 1024 })
  const [a, b] = [await add('10.0.0.1/24'), await add('10.0.0.2/24')]
  const server = b.libos.socket('datagram')
  b.libos.bind(server, { address: '0.0.0.0', port: 7 })
  b.libos.serveDatagrams(server, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  const client = a.libos.socket('datagram')
  const seen = new Map<number, number>()
  let wrong = 0
  a.libos.serveDatagrams(client, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const at = burst.address[i]
      const number = a.pool.view.getUint32(at)
      let right = burst.length[i] === bytes && number < DATAGRAMS
      for (let j = 4; j < bytes && right; j++) right = a.pool.bytes[at + j] === ((number + j) & 255)
      if (right) seen.set(number, (seen.get(number) ?? 0) + 1)
      else wrong++
    }
  })
  const burst = new DatagramBurst(1)
  burst.count = 1
  burst.peerAddress[0] = parseIpv4('10.0.0.2')
  burst.peerPort[0] = 7
  for (let number = 0; number < DATAGRAMS; number++) {
    const frame = a.pool.allocate()
    const at = a.pool.address(frame) + REPLY_HEADROOM + 6
    burst.frame[0] = frame
    burst.address[0] = at
    burst.length[0] = bytes
    a.pool.view.setUint32(at, number)
    for (let j = 4; j < bytes; j++) a.pool.bytes[at + j] = (number + j) & 255
    if (a.libos.sendDatagrams(client, burst) === 0) a.pool.release(frame)
    machines.run(50_000)
  }
  machines.run(10 * SECOND)
  await machines.close()
  for (const { pool } of machines.all) assertNoLeaks(pool)
  return { seen, wrong, a, b }
}

const copies = (seen: Map<number, number>) => [...seen.values()].reduce((sum, n) => sum + n, 0)

describe('over a network that', () => {
  it('loses packets, datagrams are lost, and nothing else happens to them', async () => {
    const { seen, wrong } = await exchange({ loss: 0.1 }, 64, true)
    expect(wrong).toBe(0)
    expect(seen.size).toBeGreaterThan(DATAGRAMS * 0.75)
    expect(seen.size).toBeLessThan(DATAGRAMS * 0.87)
    expect(copies(seen)).toBe(seen.size)
  })

  it('duplicates packets, datagrams are duplicated', async () => {
    const { seen, wrong } = await exchange({ duplicate: 0.2 }, 64, true)
    expect(wrong).toBe(0)
    expect(seen.size).toBe(DATAGRAMS)
    expect(copies(seen)).toBeGreaterThan(DATAGRAMS * 1.3)
  })

  it('reorders packets, all arrive', async () => {
    const { seen, wrong } = await exchange({ reorder: 0.2, jitter: 100_000 }, 64, true)
    expect(wrong).toBe(0)
    expect(copies(seen)).toBe(DATAGRAMS)
  })

  it('flips bits, no wrong datagram gets through software checksums', async () => {
    const { seen, wrong, a, b } = await exchange({ corrupt: 0.3 }, 200, false)
    expect(wrong).toBe(0)
    expect(seen.size).toBeLessThan(DATAGRAMS * 0.7)
    expect(seen.size).toBeGreaterThan(DATAGRAMS * 0.3)
    const bad = (machine: Machine) =>
      counter(machine.libos, 'drop.udpBadChecksum') + counter(machine.libos, 'drop.ipBadChecksum')
    expect(bad(a) + bad(b)).toBeGreaterThan(DATAGRAMS * 0.2)
  })
})

describe('fragments over a network that', () => {
  it('duplicates and reorders them make whole datagrams; lost ones are given up in time', async () => {
    const machines = new Machines()
    const settings = { duplicate: 0.2, reorder: 0.3, loss: 0.02 }
    const wrap = (device: NetDevice) => faults.wrap(device, { seed: 9, receive: settings }, { clock: machines.clock })
    const a = await machines.add({ options: { address: '10.0.0.1/24' } })
    const b = await machines.add({ options: { address: '10.0.0.2/24', reassemblyTimeout: 1000 }, wrap })
    const server = b.libos.socket('datagram')
    b.libos.bind(server, { address: '0.0.0.0', port: 7 })
    const client = a.libos.socket('datagram')
    const payload = Uint8Array.from({ length: 6000 }, (_, i) => (i * 3) & 255)
    let whole = 0
    for (let i = 0; i < 200; i++) {
      const sga = sgaFromBytes(a.pool, payload)
      const token = a.libos.pushTo(client, sga, { address: '10.0.0.2', port: 7 })
      sga.free()
      machines.run(5 * MILLISECOND)
      if (a.runtime.isPending(token)) machines.run(2 * SECOND)
      a.runtime.wait(token, 0)
      const pop = b.libos.pop(server)
      machines.run(5 * MILLISECOND)
      if (b.runtime.cancel(pop)) {
        b.runtime.wait(pop)
        continue
      }
      const completion = b.runtime.wait(pop, 0)
      if (completion.kind !== 'pop') throw new Error(completion.kind)
      expect(completion.sga.toBytes()).toEqual(payload)
      completion.sga.free()
      whole++
    }
    expect(whole).toBeGreaterThan(150)
    expect(whole).toBeLessThan(200)
    machines.run(5 * SECOND)
    const made = counter(b.libos, 'ip.ipSystemStatsReasmOKs')
    expect(made).toBeGreaterThanOrEqual(whole)
    expect(counter(b.libos, 'drop.ipFragmentTimeout')).toBeGreaterThan(0)
    await machines.close()
    for (const { pool } of machines.all) assertNoLeaks(pool)
  })
})
