import { BROADCAST_MAC } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { macHalves } from '../src/shared/receive-filter.ts'
import { Lab, type Station } from './support/lab.ts'
import { build } from './support/packets.ts'

const promiscuous = (station: Station) => station.queue.setReceiveFilter({ promiscuous: true })
const send = (from: Station, to: string) => from.send(build({ from: from.nic.mac, to }).bytes)
const count = (stations: readonly Station[]) => stations.map((station) => station.receive().length)

describe('learning switch', () => {
  it('floods to a station that it has not heard of, and forwards to one that it has', async () => {
    await using lab = new Lab()
    const [a, b, c] = [lab.station(), lab.station(), lab.station()]
    promiscuous(c)
    send(a, b.nic.mac)
    expect(count([a, b, c])).toEqual([0, 1, 1])
    send(b, a.nic.mac)
    expect(count([a, b, c])).toEqual([1, 0, 0])
    send(a, b.nic.mac)
    expect(count([a, b, c])).toEqual([0, 1, 0])
    expect(lab.network.statistics()).toEqual({ flooded: 1, undeliverable: 0, learned: 2 })
  })

  it('sends broadcast to all, and a group to whom it concerns', async () => {
    await using lab = new Lab()
    const [a, b, c] = [lab.station(), lab.station(), lab.station()]
    send(a, BROADCAST_MAC)
    expect(count([a, b, c])).toEqual([0, 1, 1])
    c.queue.setReceiveFilter({ multicast: ['01:00:5e:00:00:09'] })
    send(a, '01:00:5e:00:00:09')
    expect(count([a, b, c])).toEqual([0, 0, 1])
    expect(b.nic.statistics().rxDroppedFilter).toBe(1)
  })

  it('lets every group in when a filter asks for more than the table holds', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    b.queue.setReceiveFilter({ multicast: Array.from({ length: 40 }, (_, i) => `01:00:5e:00:01:${10 + i}`) })
    send(a, '01:00:5e:77:77:77')
    expect(count([b])).toEqual([1])
  })

  it('drops what is for the port that it came from', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    send(a, a.nic.mac)
    expect(count([a, b])).toEqual([0, 0])
    expect(lab.network.statistics().undeliverable).toBe(1)
    expect(a.nic.statistics().txPackets).toBe(1)
  })

  it('follows a station to another port', async () => {
    await using lab = new Lab()
    const [a, b, c] = [lab.station(), lab.station(), lab.station()]
    const roamer = '02:aa:00:00:00:01'
    for (const station of [b, c]) promiscuous(station)
    b.send(build({ from: roamer, to: a.nic.mac }).bytes)
    count([a, b, c])
    send(a, roamer)
    expect(count([b, c])).toEqual([1, 0])
    c.send(build({ from: roamer, to: a.nic.mac }).bytes)
    count([a, b, c])
    send(a, roamer)
    expect(count([b, c])).toEqual([0, 1])
  })

  it('forgets the stations of a port that went down, and learns them again', async () => {
    await using lab = new Lab()
    const [a, b, c] = [lab.station(), lab.station(), lab.station()]
    promiscuous(c)
    send(b, a.nic.mac)
    count([a, c])
    b.nic.setLink(false)
    send(a, b.nic.mac)
    expect(count([b, c])).toEqual([0, 1])
    expect(send(b, a.nic.mac)).toBe(1)
    expect(b.nic.statistics()).toMatchObject({ txPackets: 1, txDropped: 1 })
    b.nic.setLink(true)
    send(b, a.nic.mac)
    send(a, b.nic.mac)
    expect(count([a, b, c])).toEqual([1, 1, 0])
  })

  it('does not learn a group address', async () => {
    await using lab = new Lab()
    const [a, b] = [lab.station(), lab.station()]
    a.send(build({ from: '01:00:5e:00:00:01', to: b.nic.mac }).bytes)
    expect(lab.network.statistics().learned).toBe(0)
  })

  it('lets silent addresses age, and keeps those that speak', async () => {
    await using lab = new Lab({ aging: 1000 })
    const [a, b, c] = [lab.station(), lab.station(), lab.station()]
    promiscuous(c)
    send(b, a.nic.mac)
    count([a, c])
    lab.clock.advance(900e6)
    send(a, b.nic.mac)
    expect(count([b, c])).toEqual([1, 0])
    send(b, a.nic.mac)
    lab.clock.advance(900e6)
    send(a, b.nic.mac)
    expect(count([b, c])).toEqual([1, 0])
    lab.clock.advance(200e6)
    send(a, b.nic.mac)
    expect(count([b, c])).toEqual([1, 1])
  })

  it('stays right when more addresses come than the table holds', async () => {
    await using lab = new Lab()
    const { macTable } = lab.network.view
    const mac = (i: number) =>
      macHalves(`02:00:${[24, 16, 8, 0].map((s) => ((i >> s) & 255).toString(16).padStart(2, '0')).join(':')}`)
    for (let i = 0; i < 20_000; i++) macTable.learn(...mac(i), i % 100, i)
    let known = 0
    for (let i = 0; i < 20_000; i++) {
      const port = macTable.lookup(...mac(i), 20_000)
      if (port < 0) continue
      expect(port).toBe(i % 100)
      known++
    }
    expect(known).toBeGreaterThan(3500)
    expect(known).toBeLessThanOrEqual(4096)
    expect(macTable.lookup(...mac(19_999), 20_000)).toBe(99)
    macTable.forget(99)
    expect(macTable.lookup(...mac(19_999), 20_000)).toBe(-1)
  })

  it('connects many NICs', async () => {
    await using lab = new Lab({ memory: 512 * 1024 * 1024 })
    const stations = Array.from({ length: 40 }, () => lab.station({ ringSize: 16 }, { frameCount: 64 }))
    send(stations[7], BROADCAST_MAC)
    expect(count(stations)).toEqual(stations.map((_, i) => (i === 7 ? 0 : 1)))
    for (const [i, station] of stations.entries()) send(station, stations[(i + 1) % 40].nic.mac)
    expect(count(stations)).toEqual(stations.map(() => 1))
  })
})

describe('direct cable', () => {
  it('has two ends, and carries whatever is sent', async () => {
    await using lab = new Lab({ topology: 'direct' })
    const [a, b] = [lab.station(), lab.station()]
    expect(() => lab.station()).toThrow(/two ends/)
    promiscuous(b)
    send(a, '02:99:00:00:00:01')
    send(a, a.nic.mac)
    expect(count([a, b])).toEqual([0, 2])
    expect(lab.network.statistics()).toEqual({ flooded: 0, undeliverable: 0, learned: 0 })
  })
})
