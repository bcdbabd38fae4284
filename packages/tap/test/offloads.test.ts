import {
  CHECKSUM_PARTIAL,
  CHECKSUM_WANTED,
  createPlainWindow,
  DebugFramePool,
  SEGMENT_ANY,
  SEGMENT_TCP4,
  SEGMENT_TCP6,
  SEGMENT_UDP,
} from '@parakernel/hal'
import {
  KernelUdpSocket,
  socketAddress,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP_L4,
} from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { labMissing } from './bridge-fixture.ts'
import { buildSegment, checksumHolds, type SegmentFields } from './packets.ts'
import { WIRE_MAC } from './tap-wire.ts'
import { burstFor, bytesOf, load, release, Testbed, until } from './testbed.ts'

let bed: Testbed
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  await bed?.close()
})

const V4 = { source: '192.0.2.1', destination: '192.0.2.2' }
const V6 = { source: '2001:db8::1', destination: '2001:db8::2' }
const KINDS: readonly (readonly [
  string,
  Pick<SegmentFields, 'protocol' | 'source' | 'destination'>,
  number,
  number,
])[] = [
  ['TCP over IPv4', { protocol: 'tcp', ...V4 }, SEGMENT_TCP4, VIRTIO_NET_HDR_GSO_TCPV4],
  ['TCP over IPv6', { protocol: 'tcp', ...V6 }, SEGMENT_TCP6, VIRTIO_NET_HDR_GSO_TCPV6],
  ['UDP over IPv4', { protocol: 'udp', ...V4 }, SEGMENT_UDP, VIRTIO_NET_HDR_GSO_UDP_L4],
  ['UDP over IPv6', { protocol: 'udp', ...V6 }, SEGMENT_UDP, VIRTIO_NET_HDR_GSO_UDP_L4],
]
const SIZE = 1400

describe('super-frames', () => {
  test.for(KINDS)('of %s are received whole, with their columns', async ([, kind, flag, type]) => {
    const device = await bed.open({ offloads: 'all' })
    const wire = bed.wire(device)
    const queue = bed.attach(device)
    const { bytes, start, headers, checksum } = buildSegment({
      ...kind,
      sourceMac: WIRE_MAC,
      destinationMac: device.mac,
      payload: 40_000,
    })
    const burst = burstFor(queue)
    // The first is longer than what lies ready, the second finds as many frames as it needs.
    for (let round = 0; round < 2; round++) {
      wire.sendPartial(bytes, start, checksum, type, SIZE, headers)
      await until('the super-frame', () => queue.receive(burst) > 0)
      expect(bytesOf(queue, burst)).toEqual(bytes)
      expect(burst.flags[0] & (SEGMENT_ANY | CHECKSUM_PARTIAL)).toBe(flag | CHECKSUM_PARTIAL)
      expect(burst.segmentSize[0]).toBe(SIZE)
      expect(burst.headerLength[0]).toBe(headers)
      expect(burst.checksumStart[0]).toBe(start)
      expect(burst.checksumOffset[0]).toBe(checksum)
      expect(burst.count).toBe(Math.ceil(bytes.length / 1786))
      release(queue, burst)
    }
    // What follows bears nothing of it.
    const plain = buildSegment({ ...kind, sourceMac: WIRE_MAC, destinationMac: device.mac, payload: 100 })
    wire.send(plain.bytes)
    await until('the plain packet', () => queue.receive(burst) > 0)
    expect(burst.flags[0] & (SEGMENT_ANY | CHECKSUM_PARTIAL)).toBe(0)
    expect(burst.segmentSize[0]).toBe(0)
    release(queue, burst)
    expect(device.statistics()).toMatchObject({ rxPackets: 3, rxBytes: 2 * bytes.length + plain.bytes.length })
  })

  test.for(KINDS)('of %s come cut and summed to a device without offloads', async ([, kind, , type]) => {
    const device = await bed.open({ offloads: 'none' })
    const wire = bed.wire(device)
    const queue = bed.attach(device)
    const { bytes, start, headers, checksum } = buildSegment({
      ...kind,
      sourceMac: WIRE_MAC,
      destinationMac: device.mac,
      payload: 4000,
    })
    wire.sendPartial(bytes, start, checksum, type, SIZE, headers)
    const burst = burstFor(queue)
    const sizes: number[] = []
    await until('three segments', () => {
      queue.receive(burst)
      for (let i = 0; i < burst.count; i++) {
        expect(burst.flags[i] & (SEGMENT_ANY | CHECKSUM_PARTIAL)).toBe(0)
        const segment = bytesOf(queue, burst, i, i + 1)
        expect(checksumHolds(segment)).toBe(true)
        sizes.push(segment.length - headers)
      }
      release(queue, burst)
      return sizes.length >= 3
    })
    expect(sizes).toEqual([SIZE, SIZE, 1200])
  })

  test.for(KINDS)('of %s are sent as chains, and cut by the kernel on the way', async ([, kind, flag]) => {
    const device = await bed.open()
    const wire = bed.wire(device)
    const queue = bed.attach(device)
    const { bytes, start, headers, checksum } = buildSegment({
      ...kind,
      sourceMac: device.mac,
      destinationMac: WIRE_MAC,
      payload: 50_000,
      // PSH, ACK and CWR, which belongs to the first segment alone (RFC 3168 section 6.1.2).
      flags: 0x98,
    })
    const burst = burstFor(queue)
    load(queue, burst, bytes)
    burst.flags[0] |= flag | CHECKSUM_WANTED
    burst.checksumStart[0] = start
    burst.checksumOffset[0] = checksum
    burst.segmentSize[0] = SIZE
    burst.headerLength[0] = headers
    expect(queue.transmit(burst)).toBe(burst.count)
    expect(burst.refused).toBe(0)
    const payloads: Uint8Array[] = []
    const cwr: boolean[] = []
    await until('all segments', () => {
      for (let one = wire.receive(); one !== undefined; one = wire.receive()) {
        expect(checksumHolds(one)).toBe(true)
        payloads.push(one.subarray(headers))
        cwr.push((one[start + 13] & 0x80) !== 0)
      }
      return payloads.length >= Math.ceil(50_000 / SIZE)
    })
    expect(new Uint8Array(Buffer.concat(payloads))).toEqual(bytes.slice(headers))
    if (kind.protocol === 'tcp') expect(cwr).toEqual(cwr.map((_, i) => i === 0))
    expect(queue.pool.available).toBe(queue.pool.frameCount)
    expect(device.statistics()).toMatchObject({ txPackets: 1, txBytes: bytes.length })
  })

  test('that are not what their columns say are refused and counted', async () => {
    const device = await bed.open()
    const queue = bed.attach(device)
    const { bytes, start, headers, checksum } = buildSegment({
      protocol: 'tcp',
      ...V4,
      sourceMac: device.mac,
      destinationMac: WIRE_MAC,
      payload: 5000,
    })
    const burst = burstFor(queue)
    const spoils: (() => void)[] = [
      () => {
        burst.flags[0] &= ~CHECKSUM_WANTED
      },
      () => {
        burst.headerLength[0] = headers + 4
      },
      () => {
        burst.checksumStart[0] = start - 14
      },
      () => {
        burst.checksumStart[0] = bytes.length - 30
      },
      // Headers that reach into the second frame.
      () => {
        burst.length[0] = headers - 1
      },
    ]
    for (const [i, spoil] of spoils.entries()) {
      load(queue, burst, bytes)
      burst.flags[0] |= SEGMENT_TCP4 | CHECKSUM_WANTED
      burst.checksumStart[0] = start
      burst.checksumOffset[0] = checksum
      burst.segmentSize[0] = SIZE
      burst.headerLength[0] = headers
      spoil()
      const { count } = burst
      expect(queue.transmit(burst)).toBe(count)
      expect(burst.refused, `spoil ${i}`).toBe(count)
      expect(device.statistics()).toMatchObject({ txInvalidDescriptors: i + 1, txPackets: 0 })
      release(queue, burst)
    }
  })
})

describe('super-frames and frames', () => {
  test('a pool that is nearly dry: dropped and counted, and received when frames are there', async () => {
    const device = await bed.open()
    const wire = bed.wire(device)
    const window = createPlainWindow(24)
    const queue = bed.attach(device, 0, 24, new DebugFramePool(window))
    const { bytes, start, headers, checksum } = buildSegment({
      protocol: 'tcp',
      ...V4,
      sourceMac: WIRE_MAC,
      destinationMac: device.mac,
      payload: 30_000,
    })
    const held = Array.from({ length: 16 }, () => queue.pool.allocate())
    const burst = burstFor(queue)
    const send = () => wire.sendPartial(bytes, start, checksum, VIRTIO_NET_HDR_GSO_TCPV4, SIZE, headers)
    send()
    await until('the drop', () => queue.receive(burst) === 0 && device.statistics().rxDroppedNoFrame === 1)
    for (const frame of held) queue.pool.release(frame)
    send()
    await until('the super-frame', () => queue.receive(burst) > 0)
    expect(bytesOf(queue, burst)).toEqual(bytes)
    release(queue, burst)
    queue.detach()
    expect(queue.pool.available).toBe(24)
  })

  test('a burst that is too small for any: dropped and counted; one without room now: kept for the next', async () => {
    const device = await bed.open()
    const wire = bed.wire(device)
    const queue = bed.attach(device)
    const { bytes, start, headers, checksum } = buildSegment({
      protocol: 'tcp',
      ...V4,
      sourceMac: WIRE_MAC,
      destinationMac: device.mac,
      payload: 7000,
    })
    const send = () => wire.sendPartial(bytes, start, checksum, VIRTIO_NET_HDR_GSO_TCPV4, SIZE, headers)
    const small = burstFor(queue, 3)
    send()
    await until('the drop', () => queue.receive(small) === 0 && device.statistics().rxDroppedTooLong === 1)
    send()
    send()
    const burst = burstFor(queue, 6)
    const seen: number[] = []
    await until('both', () => {
      if (queue.receive(burst) > 0) {
        seen.push(burst.count)
        expect(bytesOf(queue, burst)).toEqual(bytes)
        expect(burst.segmentSize[0]).toBe(SIZE)
        release(queue, burst)
      } else expect(queue.arm()).toBe(seen.length < 2)
      return seen.length === 2
    })
    expect(seen).toEqual([4, 4])
  })

  test('the kernel sends none that is longer than a default burst, or as long as a large frame takes', async () => {
    const device = await bed.open({ hostAddresses: ['192.0.2.1/24'] })
    const shown = () => bed.lab.run('ip', '-d', 'link', 'show', 'tap0')
    expect(shown()).toContain('gso_max_size 65536 ')
    device.reclaim(device.grant(0, createPlainWindow(64, { frameSize: 66_048 })))
    expect(shown()).toContain('gso_max_size 65536 ')
    device.reclaim(device.grant(0, createPlainWindow(64)))
    expect(shown()).toContain(`gso_max_size ${32 * 1786 - 14} `)
  })
})

describe('partial checksums', () => {
  test('of the kernel are marked, and it takes ours', async () => {
    const device = await bed.open({ hostAddresses: ['192.0.2.1/24'] })
    const mac = bed.lab.inside(() => device.mac)
    bed.lab.ip(`neigh add 192.0.2.2 lladdr ${mac} dev tap0`)
    const queue = bed.attach(device)
    const burst = burstFor(queue)
    const udp = bed.lab.inside(() => new KernelUdpSocket('192.0.2.1', 5002))
    udp.sendTo(new Uint8Array(100).fill(7), socketAddress('192.0.2.2', 5001))
    await until('the datagram', () => queue.receive(burst) > 0)
    expect(burst.flags[0] & CHECKSUM_PARTIAL).toBe(CHECKSUM_PARTIAL)
    expect(burst.checksumStart[0]).toBe(34)
    expect(burst.checksumOffset[0]).toBe(6)
    expect(checksumHolds(bytesOf(queue, burst))).toBe(false)
    release(queue, burst)

    const kernelMac = /link\/ether (\S+)/.exec(bed.lab.run('ip', 'link', 'show', 'tap0'))?.[1] as string
    const reply = buildSegment({
      protocol: 'udp',
      source: '192.0.2.2',
      destination: '192.0.2.1',
      sourceMac: device.mac,
      destinationMac: kernelMac,
      payload: 333,
    })
    const send = (flags: number) => {
      load(queue, burst, reply.bytes)
      burst.flags[0] |= flags
      burst.checksumStart[0] = 34
      burst.checksumOffset[0] = 6
      expect(queue.transmit(burst)).toBe(1)
      burst.count = 0
    }
    // Without the mark the kernel finds it wrong.
    send(0)
    send(CHECKSUM_WANTED)
    let got: Uint8Array | undefined
    await until('the reply', () => {
      got = udp.receive()
      return got !== undefined
    })
    expect(got).toEqual(reply.bytes.slice(reply.headers))
    expect(udp.receive()).toBeUndefined()
    udp.close()
  })

  test('do not come to a device that does not take them', async () => {
    const device = await bed.open({ offloads: 'none', hostAddresses: ['192.0.2.1/24'] })
    bed.lab.ip(`neigh add 192.0.2.2 lladdr ${device.mac} dev tap0`)
    const queue = bed.attach(device)
    const burst = burstFor(queue)
    const udp = bed.lab.inside(() => new KernelUdpSocket('192.0.2.1', 5002))
    udp.sendTo(new Uint8Array(100).fill(7), socketAddress('192.0.2.2', 5001))
    await until('the datagram', () => queue.receive(burst) > 0)
    expect(burst.flags[0] & CHECKSUM_PARTIAL).toBe(0)
    expect(checksumHolds(bytesOf(queue, burst))).toBe(true)
    release(queue, burst)
    udp.close()
  })
})
