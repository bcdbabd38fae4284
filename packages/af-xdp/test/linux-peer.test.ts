import { spawn } from 'node:child_process'
import { KernelUdpSocket, PacketSocket, socketAddress, steerPortsToQueues } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ipv4Packet } from './packets.ts'
import { PingResponder } from './responder.ts'
import { drain, pause, send, Testbed, until } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

let bed: Testbed
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  await bed?.close()
})

/** Runs a program in the namespace while `poll` runs here; resolves to what it printed. */
async function whilePolling(command: [string, string[]], poll: () => void): Promise<{ code: number; output: string }> {
  const child = spawn(...command, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let code: number | undefined
  child.stdout.on('data', (data) => {
    output += data
  })
  child.once('close', (status) => {
    code = status ?? -1
  })
  while (code === undefined) {
    for (let i = 0; i < 100; i++) poll()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { code, output }
}

describe('a Linux kernel as the peer', () => {
  test.for(['native', 'skb'] as const)('pings through ARP and ICMP in %s mode, 2000 without loss', async (mode) => {
    const pair = bed.pair({ label: mode === 'native' ? 'pn' : 'ps', peerAddresses: ['10.79.0.2/24'] })
    const device = await bed.open({ interface: pair.interface, mode, addresses: ['10.79.0.1/24'] })
    const queue = bed.attach(device)
    const responder = new PingResponder(queue, device.mac, '10.79.0.1')
    const ping = pair.command('ping', '-f', '-q', '-c', '2000', '-w', '20', '10.79.0.1')
    const { output } = await whilePolling(ping, () => responder.poll())
    expect(output).toContain('2000 packets transmitted, 2000 received')
    expect(responder.answered).toBeGreaterThanOrEqual(2001)
    expect(responder.other).toBe(0)
    queue.detach()
    expect(queue.pool.available).toBe(512)
  })

  test('sends datagrams that arrive unchanged, and reads those that the libOS sends', async () => {
    const pair = bed.pair({ label: 'pu', peerAddresses: ['10.79.0.2/24'] })
    pair.run('ip', 'neigh', 'add', '10.79.0.1', 'lladdr', pair.mac, 'dev', pair.peer)
    const device = await bed.open({ interface: pair.interface, addresses: ['10.79.0.1'] })
    const queue = bed.attach(device)
    const udp = pair.inside(() => new KernelUdpSocket('10.79.0.2', 5000))
    const seen: number[] = []
    for (let i = 0; i < 200; i++) {
      udp.sendTo(Uint8Array.of(i, i, i, i), socketAddress('10.79.0.1', 7))
      drain(queue, (bytes) => void seen.push(bytes[42]))
    }
    await until('200 datagrams', () => {
      drain(queue, (bytes) => void seen.push(bytes[42]))
      return seen.length === 200
    })
    expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => i))

    const reply = datagram(pair.mac, pair.peerMac, '10.79.0.1', '10.79.0.2', 5000, 'hello')
    expect(send(queue, reply)).toBe(true)
    await pause(10)
    expect(Buffer.from(udp.receive() ?? []).toString()).toBe('hello')
    udp.close()
  })

  test('shares the interface: what is not ours reaches the kernel as before', async () => {
    const pair = bed.pair({ label: 'pk', peerAddresses: ['10.79.0.2/24'] })
    const device = await bed.open({ interface: pair.interface, addresses: ['10.79.0.1'], ports: ['udp/9000'] })
    const queue = bed.attach(device)
    const kernel = new PacketSocket(pair.interface)
    const peer = pair.inside(() => new PacketSocket(pair.peer))
    const packets = {
      address: ipv4Packet({ destination: '10.79.0.1' }),
      port: ipv4Packet({ destination: '10.79.0.77', destinationPort: 9000 }),
      other: ipv4Packet({ destination: '10.79.0.77', destinationPort: 9001 }),
    }
    for (const packet of Object.values(packets)) peer.send(packet)
    const taken: Uint8Array[] = []
    await until('two frames', () => drain(queue, (bytes) => void taken.push(bytes.slice())) >= 0 && taken.length >= 2)
    await pause(10)
    drain(queue, (bytes) => void taken.push(bytes.slice()))
    expect(taken).toEqual([packets.address, packets.port])
    const left: Uint8Array[] = []
    for (let frame = kernel.receive(); frame !== undefined; frame = kernel.receive()) left.push(frame)
    expect(left).toContainEqual(packets.other)
    expect(left).not.toContainEqual(packets.address)

    // The rules can be replaced while traffic flows.
    device.take({ ports: ['udp/9001'] })
    for (const packet of Object.values(packets)) peer.send(packet)
    taken.length = 0
    await until('one frame', () => drain(queue, (bytes) => void taken.push(bytes.slice())) >= 0 && taken.length >= 1)
    expect(taken).toEqual([packets.other])
    peer.close()
    kernel.close()
  })

  test('a queue that nobody holds leaves its traffic to the kernel', async () => {
    const pair = bed.pair({ label: 'pq' })
    await bed.open({ interface: pair.interface, take: 'all' })
    const kernel = new PacketSocket(pair.interface)
    const peer = pair.inside(() => new PacketSocket(pair.peer))
    const packet = ipv4Packet({})
    peer.send(packet)
    await pause(10)
    expect(kernel.receive()).toEqual(packet)
    peer.close()
    kernel.close()
  })

  test('is steered by the program on its egress: every packet arrives on the wanted queue', async () => {
    const pair = bed.pair({ label: 'pt', queues: 4, peerAddresses: ['10.79.0.2/24', 'fd79::2/64'] })
    pair.run('ip', 'neigh', 'add', '10.79.0.1', 'lladdr', pair.mac, 'dev', pair.peer)
    const steering = steerPortsToQueues(pair, { portBase: 9000 })
    const device = await bed.open({ interface: pair.interface, mode: 'native', addresses: ['10.79.0.1'] })
    const queues = [0, 1, 2, 3].map((queue) => bed.attach(device, queue))
    const udp = pair.inside(() => new KernelUdpSocket('10.79.0.2'))
    const counts = queues.map(() => [0, 0, 0, 0])
    const poll = () => {
      queues.forEach((queue, q) => {
        drain(queue, (bytes) => {
          counts[q][bytes[37] - (9000 & 0xff)]++
        })
      })
    }
    for (let i = 0; i < 4000; i++) {
      // Unconnected, from one socket, over all queues in turn and at random.
      const port = 9000 + (i < 2000 ? i % 4 : Math.floor(Math.random() * 4))
      if (!udp.sendTo(Uint8Array.of(1, 2, 3), socketAddress('10.79.0.1', port))) i--
      poll()
    }
    await pause(20)
    poll()
    for (let q = 0; q < 4; q++) {
      const wrong = counts[q].reduce((sum, count, port) => (port === q ? sum : sum + count), 0)
      expect(wrong, `queue ${q}: ${counts[q]}`).toBe(0)
    }
    expect(counts.flat().reduce((sum, count) => sum + count)).toBe(4000)
    steering.detach()
    udp.close()
  })
})

/** An Ethernet, IPv4 and UDP frame. The UDP checksum is left out, as IPv4 allows. */
function datagram(from: string, to: string, source: string, destination: string, port: number, text: string) {
  const payload = new TextEncoder().encode(text)
  const packet = new Uint8Array(42 + payload.length)
  const view = new DataView(packet.buffer)
  packet.set(
    to.split(':').map((byte) => Number.parseInt(byte, 16)),
    0,
  )
  packet.set(
    from.split(':').map((byte) => Number.parseInt(byte, 16)),
    6,
  )
  packet.set(ipv4Packet({ source, destination, destinationPort: port }).subarray(12), 12)
  view.setUint16(16, 28 + payload.length)
  view.setUint16(38, 8 + payload.length)
  packet.set(payload, 42)
  let sum = 0
  for (let i = 14; i < 34; i += 2) sum += view.getUint16(i)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(24, ~sum & 0xffff)
  return packet
}
