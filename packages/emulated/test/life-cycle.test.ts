import { createPlainWindow, FramePool, GRANT_REMOVED, MonotonicClock, NetBurst, VirtualClock } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { backend, createNetwork } from '../src/index.ts'
import { resolveOptions } from '../src/options.ts'
import { Lab, Station } from './support/lab.ts'
import { build } from './support/packets.ts'

const packet = (from: Station, to: Station) => build({ from: from.nic.mac, to: to.nic.mac }).bytes

describe('grants', () => {
  it('of a queue that changes hands carry no packet over', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    for (let round = 0; round < 20; round++) {
      a.send(packet(a, b))
      b.nic.reclaim(b.queue.grant)
      b.queue.detach()
      const next = new Station(b.nic, 0, lab.clock, {})
      lab.stations.push(next)
      expect(next.receive()).toEqual([])
      a.send(packet(a, b))
      expect(next.receive()).toHaveLength(1)
      a.send(packet(a, b))
      next.queue.detach()
      b.nic.reclaim(next.queue.grant)
      const last = new Station(b.nic, 0, lab.clock, {})
      lab.stations.push(last)
      expect(last.receive()).toEqual([])
      b.nic.reclaim(last.queue.grant)
      const again = new Station(b.nic, 0, lab.clock, {})
      lab.stations.push(again)
      Object.assign(b, { queue: again.queue, pool: again.pool })
    }
    expect(b.nic.statistics()).toMatchObject({ rxPackets: 20, rxDroppedNoFrame: 40 })
  })

  it('of a sender that is gone leave its packets on their way', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    a.send(packet(a, b))
    a.nic.reclaim(a.queue.grant)
    expect(b.receive()).toHaveLength(1)
  })

  it('reuse the memory of rings that have ended', async () => {
    await using lab = new Lab({ memory: 16 * 1024 * 1024 })
    const a = lab.station({ ringSize: 32 })
    for (let round = 0; round < 200; round++) {
      const b = lab.station({ ringSize: 32 }, { frameCount: 64 })
      a.send(packet(a, b))
      expect(b.receive()).toHaveLength(1)
      b.queue.detach()
      await b.nic.close()
    }
  })

  it('end with ENOMEM when there is no room for rings, and leave the network working', async () => {
    await using lab = new Lab({ memory: 6 * 1024 * 1024 })
    const [a, b] = [lab.station(), lab.station()]
    const third = lab.network.nic({ ringSize: 65_536 })
    expect(() => third.grant(0, createPlainWindow(16))).toThrow(/`memory`.*|ENOMEM/)
    a.send(packet(a, b))
    expect(b.receive()).toHaveLength(1)
  })

  it('refuse a pool over another window', async () => {
    await using lab = new Lab()
    const nic = lab.network.nic()
    const grant = nic.grant(0, createPlainWindow(16))
    const pool = new FramePool(createPlainWindow(64))
    expect(() => backend.attach(grant, { pool, clock: lab.clock })).toThrow(/EINVAL/)
  })
})

describe('removal', () => {
  it('ends every queue, gives held frames back, and frees the port', async () => {
    await using lab = new Lab()
    const a = lab.station({ rate: 1e6 })
    const b = lab.station()
    a.send(packet(a, b))
    expect(a.pool.available).toBe(a.pool.frameCount - 1)
    a.nic.remove()
    expect(a.queue.control.state).toBe(GRANT_REMOVED)
    expect(a.queue.transmit(new NetBurst(1))).toBe(0)
    a.queue.detach()
    expect(a.pool.available).toBe(a.pool.frameCount)
    expect(() => a.nic.grant(0, createPlainWindow(16))).toThrow(/ENODEV/)
    const before = a.nic.statistics()
    await a.nic.close()
    const c = lab.station()
    b.send(packet(b, c))
    expect(c.receive()).toHaveLength(1)
    expect(a.nic.statistics()).toEqual(before)
    expect(c.nic.statistics().rxPackets).toBe(1)
  })
})

describe('options', () => {
  it.each([
    [{ queues: 0 }, /queues is 0, not between 1 and 64/],
    [{ queues: 1.5 }, /not an integer/],
    [{ mtu: 'big' }, /mtu is a string/],
    [{ partialChecksums: 'some' }, /never, marked, unmarked/],
    [{ mac: 'zz' }, /02:00:00:00:00:01/],
    [{ maxMtu: 1000 }, /less than the mtu/],
    [{ rssKey: 'abcd' }, /rssKey/],
  ])('%o is refused with its name', (options, message) => {
    expect(() => resolveOptions(options as object, 'emu0')).toThrow(message)
  })

  it('say which network they mean', async () => {
    const clock = new VirtualClock()
    const a = await backend.open({ network: 'lan' }, { clock })
    const b = await backend.open({ network: 'lan' }, { clock })
    expect(a.mac).not.toBe(b.mac)
    await expect(backend.open({ network: 'lan', seed: 9 }, { clock })).rejects.toThrow(/seed/)
    await expect(backend.open({ network: 'lan' }, { clock: new VirtualClock() })).rejects.toThrow(/clock/)
    await expect(backend.open({ network: 'lan' }, { clock: new MonotonicClock() })).rejects.toThrow(/clock/)
    await a.close()
    await b.close()
    const c = await backend.open({ network: 'lan', seed: 9 }, { clock: new MonotonicClock() })
    expect(c.capabilities.attach).toBe('worker')
    await c.close()
  })

  it('give the same addresses for the same seed', async () => {
    const macs = async (seed: number) => {
      const network = createNetwork({ seed, clock: new VirtualClock() })
      const list = [network.nic().mac, network.nic().mac]
      await network.close()
      return list
    }
    expect(await macs(5)).toEqual(await macs(5))
    expect(await macs(5)).not.toEqual(await macs(6))
    expect(new Set(await macs(5)).size).toBe(2)
  })
})
