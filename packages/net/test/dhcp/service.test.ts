import { afterEach, describe, expect, it } from 'vitest'
import * as dhcp from '../../src/dhcp/message.ts'
import { formatIpv4, parseIpv4 } from '../../src/ipv4/address.ts'
import {
  arpPacket,
  BROADCAST,
  CLIENT_MAC,
  ethernetFrame,
  SERVER_MAC,
  slowChecksum,
  udpFrame,
} from '../support/frames.ts'
import { Machines, SECOND } from '../support/machines.ts'
import { type Bench, readIpv4, stackAndWire } from '../support/wire.ts'
import { type Reply, reply } from './support/server.ts'

const SERVER = parseIpv4('10.0.0.254')
const STACK = { high: 0x0200_0000, low: 1 }

let bench: Bench | undefined
afterEach(async () => {
  await bench?.machines.close()
  bench = undefined
})

async function start(options: Parameters<typeof stackAndWire>[0] = {}): Promise<Bench> {
  bench = await stackAndWire({ address: 'dhcp', ipv6: 'off', ...options })
  return bench
}

/** The client's messages of the last `seconds`, each checked for its headers. */
function messages({ machines, wire }: Bench, seconds = 1.1) {
  machines.run(seconds * SECOND)
  return wire
    .receive()
    .filter(({ type, payload }) => type === 0x0800 && payload[9] === 17)
    .map(({ to, payload }) => {
      const packet = readIpv4(payload)
      const view = new DataView(packet.payload.buffer)
      expect([view.getUint16(0), view.getUint16(2)]).toEqual([68, 67])
      const pseudo = Uint8Array.from([
        ...payload.slice(12, 20),
        0,
        17,
        ...packet.payload.slice(4, 6),
        ...packet.payload,
      ])
      expect(slowChecksum(pseudo)).toBe(0)
      const message = packet.payload.slice(8)
      const type = message[message.indexOf(dhcp.MESSAGE_TYPE, 240) + 2]
      return { ...packet, to, type, transaction: new DataView(message.buffer).getUint32(4) }
    })
}

function answer(
  { wire, machines }: Bench,
  fields: Partial<Reply> & { type: number; transaction: number },
  to = '255.255.255.255',
) {
  const payload = reply({ mac: STACK, server: SERVER, ...fields })
  wire.send(
    udpFrame({
      ...{ source: '10.0.0.254', destination: to, sourcePort: 67, destinationPort: 68, payload },
      to: to === '255.255.255.255' ? BROADCAST : SERVER_MAC,
    }),
  )
  machines.run(1000)
}

/** Until the lease is there. */
function bind(world: Bench, fields: Partial<Reply> = {}): void {
  const [discover] = messages(world)
  answer(world, { type: dhcp.OFFER, transaction: discover.transaction, ...fields })
  const [request] = messages(world, 0.01)
  answer(world, { type: dhcp.ACK, transaction: request.transaction, ...fields })
}

/** The addresses that the stack answers for. */
function usable({ libos }: Bench): string[] {
  return libos.control
    .addresses()
    .filter(({ state }) => state === 'preferred')
    .map(({ address }) => address)
}

describe("an interface whose address is DHCP's", () => {
  it('asks from 0.0.0.0 to all, and has the address, its network and its routes when the server agrees', async () => {
    const world = await start()
    const { libos } = world
    const [discover] = messages(world)
    expect(discover).toMatchObject({
      type: dhcp.DISCOVER,
      source: '0.0.0.0',
      destination: '255.255.255.255',
      to: BROADCAST,
    })
    expect(usable(world)).not.toContain('10.0.0.7')
    answer(world, { type: dhcp.OFFER, transaction: discover.transaction })
    const [request] = messages(world, 0.01)
    expect(request).toMatchObject({ type: dhcp.REQUEST, source: '0.0.0.0', to: BROADCAST })
    answer(world, { type: dhcp.ACK, transaction: request.transaction })
    expect(libos.control.leases()).toEqual([
      {
        interface: 'net0',
        address: '10.0.0.7/24',
        server: '10.0.0.254',
        dnsServers: ['10.0.0.53'],
        ntpServers: [],
        search: ['example.org'],
      },
    ])
    expect(libos.control.addresses()).toContainEqual(
      expect.objectContaining({ address: '10.0.0.7', prefix: 24, origin: 'dhcp', state: 'preferred' }),
    )
    expect(libos.control.routes()).toContainEqual(
      expect.objectContaining({ destination: '0.0.0.0/0', gateway: '10.0.0.1', origin: 'dhcp' }),
    )
    expect(usable(world)).toContain('10.0.0.7')
  })

  it('declines an address that is probed for and found in use', async () => {
    const world = await start({ addressCheck: 'probe' })
    bind(world)
    expect(usable(world)).not.toContain('10.0.0.7')
    world.machines.run(1.1 * SECOND)
    const us = { mac: SERVER_MAC, address: '0.0.0.0' }
    world.wire.send(ethernetFrame(arpPacket(2, { mac: CLIENT_MAC, address: '10.0.0.7' }, us), { type: 0x0806 }))
    expect(messages(world, 0.1)).toMatchObject([{ type: dhcp.DECLINE, source: '0.0.0.0' }])
    expect(usable(world)).not.toContain('10.0.0.7')
    expect(messages(world, 10.1)).toMatchObject([{ type: dhcp.DISCOVER }])
  })

  it('is probed for in peace, and used only then', async () => {
    const world = await start({ addressCheck: 'probe' })
    bind(world)
    world.machines.run(8 * SECOND)
    expect(usable(world)).toContain('10.0.0.7')
    expect(world.libos.control.leases()).toHaveLength(1)
  })

  it('renews by unicast from its address, and loses address and routes when the lease runs out', async () => {
    const world = await start()
    bind(world, { duration: 1000 })
    const { libos, wire, machines } = world
    machines.run(499.5 * SECOND)
    wire.receive()
    machines.run(SECOND)
    const us = { mac: SERVER_MAC, address: '10.0.0.7' }
    wire.send(ethernetFrame(arpPacket(2, { mac: CLIENT_MAC, address: '10.0.0.254' }, us), { type: 0x0806 }))
    const [renewal] = messages(world, 0.1)
    expect(renewal).toMatchObject({ type: dhcp.REQUEST, source: '10.0.0.7', destination: '10.0.0.254', to: CLIENT_MAC })
    answer(world, { type: dhcp.ACK, transaction: renewal.transaction, duration: 2000 }, '10.0.0.7')
    machines.run(990 * SECOND)
    expect(usable(world)).toContain('10.0.0.7')
    machines.run(1100 * SECOND)
    expect(usable(world)).not.toContain('10.0.0.7')
    expect(libos.control.leases()).toEqual([])
    expect(libos.control.routes().filter(({ origin }) => origin === 'dhcp')).toEqual([])
  })

  it('gives the address back when the libOS is shut down', async () => {
    const world = await start()
    bind(world)
    const us = { mac: SERVER_MAC, address: '10.0.0.7' }
    void world.libos.ping('10.0.0.254', { timeout: 1 })
    world.machines.run(1000)
    world.wire.exchange(ethernetFrame(arpPacket(2, { mac: CLIENT_MAC, address: '10.0.0.254' }, us), { type: 0x0806 }))
    world.wire.receive()
    await world.libos.shutdown()
    world.machines.run(1000)
    const released = world.wire.receive().map(({ payload }) => readIpv4(payload))
    expect(released).toContainEqual(expect.objectContaining({ source: '10.0.0.7', destination: '10.0.0.254' }))
  })

  it('passes over what is no answer of a server: another port, a wrong sum, a short datagram', async () => {
    const world = await start()
    const [{ transaction }] = messages(world)
    const payload = reply({ type: dhcp.OFFER, transaction, mac: STACK, server: SERVER })
    const common = { source: '10.0.0.254', destination: '255.255.255.255', to: BROADCAST, destinationPort: 68, payload }
    world.wire.send(udpFrame({ ...common, sourcePort: 66 }))
    world.wire.send(udpFrame({ ...common, sourcePort: 67, udpChecksum: 0x1234 }))
    world.machines.run(1000)
    expect(messages(world, 0.1)).toEqual([])
    expect(formatIpv4(SERVER)).toBe('10.0.0.254')
  })

  it('is refused for several partitions', async () => {
    const machines = new Machines()
    const several = machines.addPartitions({ options: { address: 'dhcp' }, partitions: 2 })
    await expect(several).rejects.toThrow(expect.objectContaining({ code: 'ENOTSUP' }))
  })
})
