import { assertNoLeaks } from '@parakernel/hal'
import { type QueueDescriptor, sgaFromText } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import type { NetOptions } from '../src/index.ts'
import { SERVER_MAC, udpFrame } from './support/frames.ts'
import { type Machine, Machines, MILLISECOND, SECOND } from './support/machines.ts'
import { counter, stackAndWire } from './support/wire.ts'

const quiet = { addressCheck: 'none', seed: 1, ipv6: 'off' } as const

function socketAt({ libos }: Machine, address: string, port: number): QueueDescriptor {
  const qd = libos.socket('datagram')
  libos.bind(qd, { address, port })
  return qd
}

/** Answers every datagram with itself. */
function echoAt(machine: Machine, address: string, port: number): QueueDescriptor {
  const qd = socketAt(machine, address, port)
  machine.libos.serveDatagrams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  return qd
}

function send({ libos, pool }: Machine, qd: QueueDescriptor, text: string, address: string, port: number) {
  const sga = sgaFromText(pool, text)
  const token = libos.pushTo(qd, sga, { address, port })
  sga.free()
  return token
}

/** What `qd` receives next, as text and with its sender. */
function receive({ libos, runtime }: Machine, qd: QueueDescriptor): string {
  const completion = runtime.wait(libos.pop(qd), SECOND)
  if (completion.kind !== 'pop') return completion.kind === 'failed' ? completion.code : completion.kind
  const text = new TextDecoder().decode(completion.sga.toBytes())
  completion.sga.free()
  return `${text} from ${completion.source?.address}`
}

function outcome({ runtime }: Machine, token: ReturnType<typeof send>): string {
  const completion = runtime.wait(token, 10 * SECOND)
  return completion.kind === 'failed' ? completion.code : completion.kind
}

async function twoHomes(options: Partial<NetOptions> = {}) {
  const machines = new Machines()
  const server = await machines.add({
    options: { address: '10.0.0.1/24', ...quiet, ...options },
    interfaces: [{ name: 'back', options: { address: '10.1.0.1/24', ipv6: 'off' } }],
  })
  const near = await machines.add({ options: { address: '10.0.0.2/24', ...quiet } })
  const back = await machines.add({ options: { address: '10.1.0.2/24', ...quiet } })
  return { machines, server, near, back }
}

async function closeClean(machines: Machines): Promise<void> {
  const pools = machines.all.map(({ pool }) => pool)
  await machines.close()
  for (const pool of pools) assertNoLeaks(pool)
}

describe('the loopback interface', () => {
  for (const address of ['127.0.0.1', '127.1.2.3', '10.0.0.1']) {
    it(`carries what is sent to ${address}, answers included`, async () => {
      const machines = new Machines()
      const machine = await machines.add({ options: { address: '10.0.0.1/24', ...quiet } })
      echoAt(machine, '0.0.0.0', 7)
      const qd = socketAt(machine, '0.0.0.0', 9)
      send(machine, qd, 'to myself', address, 7)
      expect(receive(machine, qd)).toBe(`to myself from ${address}`)
      expect(machine.queues[0].counters.get('txPackets')).toBe(0)
      await closeClean(machines)
    })
  }

  it('carries datagrams that are longer than a frame', async () => {
    const machines = new Machines()
    const machine = await machines.add({ options: { address: '10.0.0.1/24', ...quiet } })
    const qd = socketAt(machine, '127.0.0.1', 7)
    const text = 'x'.repeat(60_000)
    send(machine, qd, text, '127.0.0.1', 7)
    expect(receive(machine, qd)).toBe(`${text} from 127.0.0.1`)
    await closeClean(machines)
  })

  for (const address of ['127.0.0.1', '::1']) {
    it(`carries streams to ${address}, super-frames and all, without a loss`, async () => {
      const machines = new Machines()
      const { libos, pool, runtime } = await machines.add({
        options: { address: '10.0.0.1/24', ...quiet, ipv6: 'static' },
        frames: 2048,
      })
      const family = address === '::1' ? 'ipv6' : 'ipv4'
      const listener = libos.socket('stream', family)
      libos.bind(listener, { address, port: 80 })
      libos.listen(listener)
      const accepting = libos.accept(listener)
      const client = libos.socket('stream', family)
      expect(runtime.wait(libos.connect(client, { address, port: 80 }), SECOND).kind).toBe('connect')
      const accepted = runtime.wait(accepting)
      if (accepted.kind !== 'accept') throw new Error(accepted.kind)
      let [sent, received] = [0, 0]
      const piece = 100_000
      while (received < 40 * piece) {
        if (sent < 40 * piece) {
          const sga = libos.sgaAlloc(piece)
          let at = sent
          for (const { address: from, length } of sga.segments) {
            for (let i = 0; i < length; i++) pool.bytes[from + i] = (at++ * 7) >>> 3
          }
          expect(runtime.wait(libos.push(client, sga), SECOND).kind).toBe('push')
          sga.free()
          sent += piece
        }
        const popped = runtime.wait(libos.pop(accepted.accepted), SECOND)
        if (popped.kind !== 'pop') throw new Error(popped.kind)
        for (const byte of popped.sga.toBytes()) {
          if (byte !== (((received * 7) >>> 3) & 255)) throw new Error(`byte ${received} is wrong`)
          received++
        }
        popped.sga.free()
      }
      const { tcp, drop } = libos.statistics()
      expect(tcp['tcpRetransSegs']).toBe(0)
      expect(Object.entries(drop).filter(([, count]) => count > 0)).toEqual([])
      // More than a thousand bytes a packet: most of it went in super-frames.
      expect(libos.statistics()['if-lo']['ifOutUcastPkts']).toBeLessThan((40 * piece) / 5000)
      await machines.close()
      assertNoLeaks(pool)
    })
  }

  it('tells a connected socket that a port is closed', async () => {
    const machines = new Machines()
    const machine = await machines.add({ options: { address: '10.0.0.1/24', ...quiet } })
    const { libos, runtime } = machine
    const qd = libos.socket('datagram')
    runtime.wait(libos.connect(qd, { address: '127.0.0.1', port: 7 }))
    const pop = libos.pop(qd)
    send(machine, qd, 'anybody?', '127.0.0.1', 7)
    expect(runtime.wait(pop, SECOND)).toMatchObject({ kind: 'failed', code: 'ECONNREFUSED' })
    await closeClean(machines)
  })

  it('never lets 127.0.0.1 out, nor in', async () => {
    const { libos, machines, machine, wire } = await stackAndWire()
    const qd = socketAt(machine, '127.0.0.1', 7)
    expect(outcome(machine, send(machine, qd, 'out', '10.0.0.2', 7))).toBe('ENETUNREACH')
    wire.exchange(udpFrame({ destination: '127.0.0.1' }))
    wire.exchange(udpFrame({ source: '127.0.0.1' }))
    expect(counter(libos, 'drop.ipForeignDestination')).toBe(1)
    expect(counter(libos, 'drop.ipBadSource')).toBe(1)
    expect(wire.receive()).toEqual([])
    await machines.close()
  })
})

describe('several interfaces', () => {
  it('are each reached in their network, and answer from their own address', async () => {
    const { machines, server, near, back } = await twoHomes()
    echoAt(server, '0.0.0.0', 7)
    for (const [machine, address] of [
      [near, '10.0.0.1'],
      [back, '10.1.0.1'],
    ] as const) {
      const qd = socketAt(machine, '0.0.0.0', 9)
      send(machine, qd, 'hello', address, 7)
      expect(receive(machine, qd)).toBe(`hello from ${address}`)
    }
    expect(server.libos.addresses).toEqual(['10.0.0.1', '10.1.0.1'])
    await closeClean(machines)
  })

  it('send to where the routes lead, from the address there', async () => {
    const { machines, server, near, back } = await twoHomes()
    const source = server.libos.socket('datagram')
    for (const [machine, address, from] of [
      [near, '10.0.0.2', '10.0.0.1'],
      [back, '10.1.0.2', '10.1.0.1'],
    ] as const) {
      const qd = socketAt(machine, '0.0.0.0', 7)
      send(server, source, 'hello', address, 7)
      expect(receive(machine, qd)).toBe(`hello from ${from}`)
    }
    await closeClean(machines)
  })

  it('keep their addresses to themselves: a strong host', async () => {
    const { machines, wire, libos } = await stackAndWire(
      {},
      { interfaces: [{ name: 'back', options: { address: '10.1.0.1/24' } }] },
    )
    wire.exchange(udpFrame({ destination: '10.1.0.1' }))
    expect(counter(libos, 'drop.ipForeignDestination')).toBe(1)
    const qd = libos.socket('datagram')
    libos.bind(qd, { address: '10.1.0.1', port: 9 })
    // Bound to the other interface's address, it cannot use this one's network.
    const [machine] = machines.all
    expect(outcome(machine, send(machine, qd, 'out', '10.0.0.2', 7))).toBe('ENETUNREACH')
    await machines.close()
  })

  it('reach what a route says is on the link, though no address is of its network', async () => {
    const { machines, near, server } = await twoHomes()
    echoAt(server, '0.0.0.0', 7)
    near.libos.control.addRoute({ destination: '10.1.0.0/24', interface: 'net0' })
    server.libos.control.addRoute({ destination: '10.0.0.2/32', interface: 'back' })
    const qd = socketAt(near, '0.0.0.0', 9)
    send(near, qd, 'hello', '10.1.0.1', 7)
    expect(receive(near, qd)).toBe('hello from 10.1.0.1')
    await closeClean(machines)
  })

  it('are refused without a name of their own', async () => {
    const machines = new Machines()
    for (const name of ['lo', 'net0', 'a b']) {
      const setup = { options: { address: '10.0.0.1/24' }, interfaces: [{ name, options: { address: '10.1.0.1/24' } }] }
      await expect(machines.add(setup)).rejects.toMatchObject({ code: 'EINVAL' })
    }
    await machines.network.close()
  })
})

describe('routes', () => {
  it('take the longest prefix, then the least metric, and come and go', async () => {
    const { machines, server, near, back } = await twoHomes({ gateway: '10.0.0.2' })
    const { control } = server.libos
    const source = server.libos.socket('datagram')
    const routed = () => {
      const before = [near, back].map(({ queues }) => queues[0].counters.get('rxPackets'))
      const token = send(server, source, 'far', '192.168.1.1', 7)
      machines.run(10 * MILLISECOND)
      const after = [near, back].map(({ queues }) => queues[0].counters.get('rxPackets'))
      const completion = server.runtime.wait(token, 10 * SECOND)
      if (completion.kind === 'failed') return completion.code
      return ['net0', 'back'].filter((_, i) => after[i] > before[i]).join()
    }
    // Both know the server already, so that no broadcast muddles the counts.
    for (const [machine, address] of [
      [near, '10.0.0.2'],
      [back, '10.1.0.2'],
    ] as const) {
      socketAt(machine, '0.0.0.0', 7)
      send(server, source, 'hello', address, 7)
      machines.run(10 * MILLISECOND)
    }
    expect(routed()).toBe('net0')
    control.addRoute({ destination: '192.168.0.0/16', gateway: '10.1.0.2' })
    expect(routed()).toBe('back')
    control.addRoute({ destination: '192.168.0.0/16', gateway: '10.0.0.2', metric: 5 })
    expect(routed()).toBe('back')
    control.removeRoute({ destination: '192.168.0.0/16', gateway: '10.1.0.2' })
    expect(routed()).toBe('net0')
    control.removeRoute({ destination: '192.168.0.0/16' })
    control.removeRoute({ destination: 'default', gateway: '10.0.0.2' })
    expect(routed()).toBe('ENETUNREACH')
    expect(() => control.removeRoute({ destination: '192.168.0.0/16' })).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    )
    await closeClean(machines)
  })

  it('are listed in the order in which they are tried', async () => {
    const { machines, server } = await twoHomes({ gateway: '10.0.0.254', routes: ['192.168.0.0/16 via 10.0.0.253'] })
    const listed = server.libos.control
      .routes()
      .filter(({ family }) => family === 'ipv4')
      .map((route) => `${route.destination} ${route.gateway ?? '-'} ${route.interface} ${route.origin}`)
    expect(listed).toEqual([
      '10.0.0.0/24 - net0 connected',
      '10.1.0.0/24 - back connected',
      '192.168.0.0/16 10.0.0.253 net0 static',
      '127.0.0.0/8 - lo connected',
      '0.0.0.0/0 10.0.0.254 net0 static',
    ])
    await machines.close()
  })

  it('avoid an interface whose link is down, while another leads there', async () => {
    const { machines, server, near, back } = await twoHomes({ gateway: '10.0.0.2', metric: 0 })
    const { control } = server.libos
    control.addRoute({ destination: 'default', gateway: '10.1.0.2', metric: 10 })
    const source = server.libos.socket('datagram')
    const received = () => [near, back].map(({ queues }) => queues[0].counters.get('rxPackets'))
    socketAt(back, '0.0.0.0', 7)
    send(server, source, 'hello', '10.1.0.2', 7)
    machines.run(10 * MILLISECOND)
    machines.nics[0].setLink(false)
    machines.run(MILLISECOND)
    expect(control.interfaces().map(({ name, up }) => `${name} ${up}`)).toEqual(['net0 false', 'back true', 'lo true'])
    const before = received()
    send(server, source, 'far', '192.168.1.1', 7)
    machines.run(10 * MILLISECOND)
    const after = received()
    expect(after[0]).toBe(before[0])
    expect(after[1]).toBeGreaterThan(before[1])
    await machines.close()
  })

  it('are refused when they lead nowhere', async () => {
    const { machines, server } = await twoHomes()
    const { control } = server.libos
    const wrong = (code: string) => expect.objectContaining({ code })
    expect(() => control.addRoute({ destination: '192.168.0.1/16', gateway: '10.0.0.2' })).toThrow(wrong('EINVAL'))
    expect(() => control.addRoute({ destination: '192.168.0.0/16', gateway: '10.9.0.2' })).toThrow(wrong('EINVAL'))
    expect(() => control.addRoute({ destination: '192.168.0.0/16', gateway: '10.0.0.1' })).toThrow(wrong('EINVAL'))
    expect(() => control.addRoute({ destination: '192.168.0.0/16' })).toThrow(wrong('EINVAL'))
    expect(() => control.addRoute({ destination: '192.168.0.0/16', interface: 'x' })).toThrow(wrong('ENODEV'))
    expect(() => control.addRoute({ destination: '192.168.0.0/16', interface: 'lo' })).toThrow(wrong('EINVAL'))
    await machines.close()
  })
})

describe('several addresses', () => {
  it('of one interface are all answered for, each from itself', async () => {
    const machines = new Machines()
    const addresses = ['10.0.0.3/24', '192.168.7.1/30']
    const server = await machines.add({ options: { address: '10.0.0.1/24', addresses, ...quiet } })
    const client = await machines.add({ options: { address: '10.0.0.2/24', addresses: ['192.168.7.2/30'], ...quiet } })
    echoAt(server, '0.0.0.0', 7)
    const qd = socketAt(client, '0.0.0.0', 9)
    for (const address of ['10.0.0.1', '10.0.0.3', '192.168.7.1']) {
      send(client, qd, 'hello', address, 7)
      expect(receive(client, qd)).toBe(`hello from ${address}`)
    }
    // The source is the address of the network that is sent to.
    const sink = socketAt(server, '192.168.7.1', 8)
    send(client, qd, 'hello', '192.168.7.1', 8)
    expect(receive(server, sink)).toBe('hello from 192.168.7.2')
    await closeClean(machines)
  })

  it('come and go while the stack runs', async () => {
    const machines = new Machines()
    const server = await machines.add({ options: { address: '10.0.0.1/24', ...quiet } })
    const client = await machines.add({ options: { address: '10.0.0.2/24', ...quiet } })
    const { control } = server.libos
    echoAt(server, '0.0.0.0', 7)
    const qd = socketAt(client, '0.0.0.0', 9)
    expect(outcome(client, send(client, qd, 'hello', '10.0.0.3', 7))).toBe('EHOSTUNREACH')
    control.addAddress('net0', '10.0.0.3/24')
    machines.run(4 * SECOND)
    send(client, qd, 'hello', '10.0.0.3', 7)
    expect(receive(client, qd)).toBe('hello from 10.0.0.3')
    const bound = socketAt(server, '10.0.0.3', 8)
    expect(outcome(server, send(server, bound, 'hello', '10.0.0.2', 9))).toBe('push')
    expect(receive(client, qd)).toBe('hello from 10.0.0.3')
    control.removeAddress('net0', '10.0.0.3')
    expect(outcome(server, send(server, bound, 'hello', '10.0.0.2', 9))).toBe('EADDRNOTAVAIL')
    send(client, qd, 'hello', '10.0.0.3', 7)
    machines.run(10 * MILLISECOND)
    expect(counter(server.libos, 'drop.ipForeignDestination')).toBe(1)
    // The network's route stays: another address is in it.
    expect(outcome(server, send(server, server.libos.socket('datagram'), 'hi', '10.0.0.2', 9))).toBe('push')
    expect(() => control.removeAddress('net0', '10.0.0.3')).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }))
    expect(() => control.addAddress('net0', '10.0.0.1/24')).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    expect(() => control.addAddress('net9', '10.0.0.9/24')).toThrow(expect.objectContaining({ code: 'ENODEV' }))
    await machines.close()
  })

  it('are probed one by one where that is asked for', async () => {
    const { machines, libos, wire } = await stackAndWire({ addressCheck: 'probe' })
    machines.run(10 * SECOND)
    wire.receive()
    libos.control.addAddress('net0', '10.0.0.3/24')
    const state = () => libos.control.addresses().find(({ address }) => address === '10.0.0.3')?.state
    expect(state()).toBe('tentative')
    wire.exchange(udpFrame({ destination: '10.0.0.3' }))
    expect(counter(libos, 'drop.ipForeignDestination')).toBe(1)
    machines.run(10 * SECOND)
    expect(state()).toBe('preferred')
    const probes = wire.receive().filter(({ type, payload }) => type === 0x0806 && payload[17] === 0)
    expect(probes).toHaveLength(3)
    await machines.close()
  })

  it('are listed with their networks and states', async () => {
    const machines = new Machines()
    const { libos } = await machines.add({ options: { address: '10.0.0.1/24', ...quiet } })
    expect(libos.control.addresses().filter(({ family }) => family === 'ipv4')).toEqual([
      {
        ...{ interface: 'lo', family: 'ipv4', address: '127.0.0.1', prefix: 8, origin: 'manual', state: 'preferred' },
        ...{ preferredFor: Number.POSITIVE_INFINITY, validFor: Number.POSITIVE_INFINITY },
      },
      {
        ...{ interface: 'net0', family: 'ipv4', address: '10.0.0.1', prefix: 24, origin: 'manual', state: 'preferred' },
        ...{ preferredFor: Number.POSITIVE_INFINITY, validFor: Number.POSITIVE_INFINITY },
      },
    ])
    await machines.close()
  })
})

describe('the listing of an interface', () => {
  it('counts what it carried under the names of RFC 2863', async () => {
    const { machines, libos, wire, machine } = await stackAndWire()
    echoAt(machine, '0.0.0.0', 7)
    wire.exchange(udpFrame({ payload: new Uint8Array(20) }))
    wire.exchange(udpFrame({ to: 'ff:ff:ff:ff:ff:ff', destination: '10.0.0.255', destinationPort: 9 }))
    wire.exchange(udpFrame({ type: 0x88cc }))
    const [net0, lo] = libos.control.interfaces()
    expect(net0).toMatchObject({ name: 'net0', index: 1, mac: SERVER_MAC, mtu: 1500, up: true, loopback: false })
    expect(net0.statistics).toMatchObject({
      ...{ ifInUcastPkts: 2, ifInBroadcastPkts: 1, ifInMulticastPkts: 0, ifInUnknownProtos: 1 },
      ...{ ifOutUcastPkts: 1, ifOutOctets: 62, ifInDiscards: 0 },
    })
    // What one frame of 2048 bytes holds beside headroom and link header.
    expect(lo).toMatchObject({ name: 'lo', mtu: 1772, up: true, loopback: true })
    const [neighbor] = libos.control.neighbors()
    expect(neighbor).toBeUndefined()
    void libos.ping('10.0.0.2', { timeout: MILLISECOND })
    expect(libos.control.neighbors()).toEqual([
      { interface: 'net0', address: '10.0.0.2', mac: undefined, state: 'incomplete', router: false },
    ])
    await machines.close()
  })
})
