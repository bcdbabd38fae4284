import { CHECKSUM_WANTED, createPlainWindow, NetBurst, type NetQueue } from '@parakernel/hal'
import { KernelUdpSocket, PacketSocket } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ipv4Packet } from './packets.ts'
import { Testbed, until } from './testbed.ts'
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

const PAYLOAD = 100
/** To the peer's port 5000, with the sum of the pseudo-header in the checksum field. */
function datagram(from: string, to: string, payload = PAYLOAD): Uint8Array {
  const packet = new Uint8Array(42 + payload).fill(0x5a, 42)
  const view = new DataView(packet.buffer)
  packet.set(ipv4Packet({ source: '10.79.0.1', destination: '10.79.0.2', destinationPort: 5000 }))
  packet.set([...to.split(':'), ...from.split(':')].map((byte) => Number.parseInt(byte, 16)))
  view.setUint16(16, 28 + payload)
  view.setUint16(38, 8 + payload)
  view.setUint16(24, ~sum(packet, 14, 34) & 0xffff)
  view.setUint16(40, fold(sum(packet, 26, 34) + 17 + 8 + payload))
  return packet
}

const fold = (total: number) => (total & 0xffff) + (total >>> 16)

function sum(bytes: Uint8Array, from: number, to: number): number {
  let total = 0
  for (let i = from; i < to; i += 2) total += (bytes[i] << 8) | (bytes[i + 1] ?? 0)
  return fold(fold(total))
}

function send(queue: NetQueue, bytes: Uint8Array, flags: number, offset = queue.pool.headroom): NetBurst {
  const burst = new NetBurst(1, queue.capabilities.columns)
  const frame = queue.pool.allocate()
  queue.pool.bytes.set(bytes, queue.pool.address(frame) + offset)
  burst.push(frame, offset, bytes.length)
  burst.flags[0] |= flags
  burst.checksumStart[0] = 34
  burst.checksumOffset[0] = 6
  expect(queue.transmit(burst)).toBe(1)
  return burst
}

describe.each(['native', 'skb'] as const)('in %s mode', (mode) => {
  const open = async (transmitChecksum: 'metadata' | 'kernel') => {
    const pair = bed.pair({ label: 'tc', peerAddresses: ['10.79.0.2/24'] })
    pair.run('ip', 'neigh', 'add', '10.79.0.1', 'lladdr', pair.mac, 'dev', pair.peer)
    const device = await bed.open({ interface: pair.interface, mode, take: 'all', transmitChecksum })
    return { pair, queue: bed.attach(device), device }
  }

  test('a veth hands on what is left to the driver, and the peer believes it', async () => {
    const { pair, queue } = await open('metadata')
    const wire = pair.inside(() => new PacketSocket(pair.peer))
    const udp = pair.inside(() => new KernelUdpSocket('10.79.0.2', 5000))
    const packet = datagram(pair.mac, pair.peerMac)
    // What the peer has to sum itself it finds wrong.
    send(queue, packet, 0)
    send(queue, packet, CHECKSUM_WANTED)
    let got: Uint8Array | undefined
    await until('the datagram', () => {
      got = udp.receive()
      return got !== undefined
    })
    expect(got).toEqual(packet.slice(42))
    expect(udp.receive()).toBeUndefined()
    const seen: Uint8Array[] = []
    for (let one = wire.receive(); one !== undefined; one = wire.receive()) if (one[23] === 17) seen.push(one)
    expect(seen).toEqual([packet, packet])
    wire.close()
    udp.close()
  })

  test('the kernel sums when it is told to, odd lengths too, and nothing that was not asked for', async () => {
    const { pair, queue } = await open('kernel')
    const wire = pair.inside(() => new PacketSocket(pair.peer))
    const packets = [100, 101, 1, 1458].map((payload) => datagram(pair.mac, pair.peerMac, payload))
    for (const packet of packets) send(queue, packet, CHECKSUM_WANTED)
    // A descriptor of the ring that was used before bears nothing of it.
    send(queue, packets[0], 0)
    const seen: Uint8Array[] = []
    await until('five packets', () => {
      for (let one = wire.receive(); one !== undefined; one = wire.receive()) if (one[23] === 17) seen.push(one)
      return seen.length >= 5
    })
    for (const [i, packet] of packets.entries()) {
      const length = packet.length - 34
      const total = sum(seen[i], 34, seen[i].length) + sum(seen[i], 26, 34) + 17 + length
      expect(fold(fold(total)), `packet ${i}`).toBe(0xffff)
      expect(seen[i].subarray(42)).toEqual(packet.subarray(42))
    }
    expect(seen[4]).toEqual(packets[0])
    wire.close()
  })

  test('a packet without room before it for the metadata is refused', async () => {
    const { pair, queue, device } = await open('kernel')
    const packet = datagram(pair.mac, pair.peerMac)
    for (const flags of [0, CHECKSUM_WANTED]) {
      const burst = send(queue, packet, flags, 23)
      expect(burst.refused).toBe(1)
      queue.pool.release(burst.frame[0])
    }
    expect(send(queue, packet, CHECKSUM_WANTED, 24).refused).toBe(0)
    expect(device.queueStatistics(0)).toMatchObject({ txInvalidDescriptors: 2, txPackets: 1 })
  })
})

test('contradictions are refused when the device is opened', async () => {
  const pair = bed.pair({ label: 'tx' })
  const options = { interface: pair.interface, take: 'all' } as const
  await expect(bed.open({ ...options, transmitChecksum: 'metadata', zeroCopy: true })).rejects.toMatchObject({
    code: 'EINVAL',
    remedy: expect.stringContaining('zeroCopy'),
  })
  await expect(bed.open({ ...options, transmitChecksum: 'driver' as 'kernel' })).rejects.toMatchObject({
    code: 'EINVAL',
  })
  const plain = await bed.open(options)
  expect(plain.capabilities).toMatchObject({ columns: 0, checksum: { computes: false } })
  plain.reclaim(plain.grant(0, createPlainWindow(64)))
})
