import { sgaFromText } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { arpPacket, BROADCAST, CLIENT_MAC, ethernetFrame, hex, SERVER_MAC, udpFrame } from './support/frames.ts'
import { MILLISECOND, SECOND } from './support/machines.ts'
import { type Bench, counter, readIpv4, type Seen, stackAndWire } from './support/wire.ts'

const US = { mac: SERVER_MAC, address: '10.0.0.1' }
const THEM = { mac: CLIENT_MAC, address: '10.0.0.2' }
const isArp = ({ type }: Seen) => type === 0x0806

function request(sender: { mac: string; address: string }, address: string, to = BROADCAST): Uint8Array {
  return ethernetFrame(arpPacket(1, sender, { address }), { to, from: sender.mac, type: 0x0806 })
}

function reply(sender: { mac: string; address: string }, target = US): Uint8Array {
  return ethernetFrame(arpPacket(2, sender, target), { to: target.mac, from: sender.mac, type: 0x0806 })
}

function push({ libos, machine }: Bench, text: string, address = '10.0.0.2') {
  const qd = libos.socket('datagram')
  const sga = sgaFromText(machine.pool, text)
  const token = libos.pushTo(qd, sga, { address, port: 9 })
  sga.free()
  return token
}

describe('ARP on the wire', () => {
  it('answers for our address, to the asker, and only for ours', async () => {
    const bench = await stackAndWire()
    const [answer, ...others] = bench.wire.exchange(request(THEM, '10.0.0.1'))
    expect(others).toEqual([])
    expect(answer).toMatchObject({ to: CLIENT_MAC, from: SERVER_MAC, type: 0x0806 })
    expect(answer.payload).toEqual(arpPacket(2, US, THEM))
    expect(bench.wire.exchange(request(THEM, '10.0.0.3'))).toEqual([])
    await bench.machines.close()
  })

  it('asks, holds the datagram back, and sends it when the answer comes', async () => {
    const bench = await stackAndWire()
    const token = push(bench, 'hello')
    bench.machines.run(MILLISECOND)
    const [asked, ...others] = bench.wire.receive()
    expect(others).toEqual([])
    expect(asked).toMatchObject({ to: BROADCAST, payload: arpPacket(1, US, { address: '10.0.0.2' }) })
    expect(bench.machine.runtime.isPending(token)).toBe(true)
    const [sent] = bench.wire.exchange(reply(THEM))
    expect(sent.to).toBe(CLIENT_MAC)
    expect(new TextDecoder().decode(readIpv4(sent.payload).payload.subarray(8))).toBe('hello')
    expect(bench.machine.runtime.wait(token, SECOND)).toMatchObject({ kind: 'push', bytes: 5 })
    await bench.machines.close()
  })

  it('asks three times a second apart, then fails the push with EHOSTUNREACH, and the next at once', async () => {
    const bench = await stackAndWire()
    const token = push(bench, 'anybody?')
    expect(bench.machine.runtime.wait(token, 10 * SECOND)).toMatchObject({ kind: 'failed', code: 'EHOSTUNREACH' })
    expect(bench.machines.now).toBeGreaterThanOrEqual(3 * SECOND)
    expect(bench.wire.receive().filter(isArp).length).toBe(3)
    expect(bench.machine.runtime.wait(push(bench, 'again'), 0)).toMatchObject({ code: 'EHOSTUNREACH' })
    expect(counter(bench.libos, 'drop.outNeighborUnreachable')).toBe(2)
    await bench.machines.close()
  })

  it('lets a bounded number of datagrams wait; the oldest give way and their pushes fail', async () => {
    const bench = await stackAndWire({ arpWaiting: 2 })
    const tokens = ['a', 'b', 'c'].map((text) => push(bench, text))
    const { runtime } = bench.machine
    expect(runtime.wait(tokens[0], SECOND)).toMatchObject({ kind: 'failed', code: 'ENOBUFS' })
    bench.machines.run(MILLISECOND)
    bench.wire.receive()
    const sent = bench.wire.exchange(reply(THEM)).map(({ payload }) => String.fromCharCode(payload[28]))
    expect(sent).toEqual(['b', 'c'])
    for (const token of tokens.slice(1)) expect(runtime.wait(token, 0)).toMatchObject({ kind: 'push', bytes: 1 })
    expect(counter(bench.libos, 'drop.outNeighborQueueFull')).toBe(1)
    await bench.machines.close()
  })

  it('sends to other networks by the gateway, and fails without one', async () => {
    const bench = await stackAndWire({ gateway: '10.0.0.2' })
    push(bench, 'far away', '192.0.2.7')
    bench.machines.run(MILLISECOND)
    expect(bench.wire.receive()[0].payload).toEqual(arpPacket(1, US, { address: '10.0.0.2' }))
    const [sent] = bench.wire.exchange(reply(THEM))
    expect(sent.to).toBe(CLIENT_MAC)
    expect(readIpv4(sent.payload)).toMatchObject({ destination: '192.0.2.7' })
    await bench.machines.close()
    const alone = await stackAndWire()
    expect(alone.machine.runtime.wait(push(alone, 'x', '192.0.2.7'), SECOND)).toMatchObject({ code: 'ENETUNREACH' })
    expect(counter(alone.libos, 'ip.ipSystemStatsOutNoRoutes')).toBe(1)
    await alone.machines.close()
  })

  it('needs none to answer: the answer goes to the MAC address that asked', async () => {
    const bench = await stackAndWire()
    const qd = bench.libos.socket('datagram')
    bench.libos.bind(qd, { address: '0.0.0.0', port: 7 })
    bench.libos.serveDatagrams(qd, (burst) => {
      for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
    })
    const seen = bench.wire.exchange(udpFrame({ payload: hex('0102'), source: '192.0.2.1', from: '02:00:00:00:00:77' }))
    expect(seen.map(({ to, type }) => ({ to, type }))).toEqual([{ to: '02:00:00:00:00:77', type: 0x0800 }])
    expect(readIpv4(seen[0].payload)).toMatchObject({ source: '10.0.0.1', destination: '192.0.2.1' })
    await bench.machines.close()
  })

  it('announces the address, and defends it', async () => {
    const bench = await stackAndWire({ addressCheck: 'announce' })
    bench.machines.run(5 * SECOND)
    expect(counter(bench.libos, 'arp.arpOutAnnouncements')).toBe(2)
    bench.wire.receive()
    const thief = { mac: '02:00:00:00:00:66', address: '10.0.0.1' }
    const [defence, ...others] = bench.wire.exchange(request(thief, '10.0.0.1'))
    expect(others).toEqual([])
    expect(defence).toMatchObject({ to: BROADCAST, payload: arpPacket(1, US, { address: '10.0.0.1' }) })
    expect(bench.wire.exchange(request(thief, '10.0.0.1'))).toEqual([])
    expect(counter(bench.libos, 'arp.arpConflicts')).toBe(2)
    await bench.machines.close()
  })

  it('gives a probed address up when somebody has it, and then is silent', async () => {
    const bench = await stackAndWire({ addressCheck: 'probe' })
    bench.machines.run(1.5 * SECOND)
    const probes = bench.wire.receive()
    expect(probes[0].payload).toEqual(arpPacket(1, { mac: SERVER_MAC, address: '0.0.0.0' }, { address: '10.0.0.1' }))
    expect(bench.machine.runtime.wait(push(bench, 'x'), 0)).toMatchObject({ code: 'EADDRNOTAVAIL' })
    bench.wire.send(reply({ mac: CLIENT_MAC, address: '10.0.0.1' }))
    bench.machines.run(20 * SECOND)
    bench.wire.receive()
    expect(bench.wire.exchange(request(THEM, '10.0.0.1'))).toEqual([])
    expect(bench.wire.exchange(udpFrame({ destinationPort: 9 }))).toEqual([])
    await bench.machines.close()
  })

  it('takes a probed address that nobody has', async () => {
    const bench = await stackAndWire({ addressCheck: 'probe' })
    bench.machines.run(20 * SECOND)
    const seen = bench.wire.receive().filter(isArp)
    expect(seen.map(({ payload }) => payload[17])).toEqual([0, 0, 0, 1, 1])
    expect(bench.wire.exchange(request(THEM, '10.0.0.1')).length).toBe(1)
    await bench.machines.close()
  })

  it('ignores senders that no host can be', async () => {
    const bench = await stackAndWire()
    for (const sender of [
      { mac: '01:00:5e:00:00:01', address: '10.0.0.2' },
      { mac: CLIENT_MAC, address: '224.0.0.1' },
      { mac: CLIENT_MAC, address: '10.0.0.255' },
    ]) {
      bench.wire.send(ethernetFrame(arpPacket(1, sender, { address: '10.0.0.1' }), { to: BROADCAST, type: 0x0806 }))
    }
    bench.machines.run(MILLISECOND)
    expect(bench.wire.receive()).toEqual([])
    expect(counter(bench.libos, 'drop.arpBadSender')).toBe(3)
    await bench.machines.close()
  })
})
