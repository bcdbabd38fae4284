import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import {
  attachNetQueue,
  createPlainWindow,
  DebugFramePool,
  MonotonicClock,
  type NetDevice,
  REFUSED,
  VirtualClock,
  VLAN_TAGGED,
} from '@parakernel/hal'
import { buildPacket } from '@parakernel/hal-conformance'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LoopbackDevice } from '../../hal-conformance/test/loopback/device.ts'
import { loopbackFixture } from '../../hal-conformance/test/loopback/fixture.ts'
import { type PcapDevice, type PcapOptions, pcap } from '../src/index.ts'
import { ByteRing, byteRingBuffer } from '../src/pcap/byte-ring.ts'
import { PcapQueue } from '../src/pcap/queue.ts'
import { load, take } from './support/bursts.ts'
import { FakeQueue, numbered } from './support/fake-queue.ts'
import { readPcap } from './support/read-pcap.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'pcap-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

async function open(options: PcapOptions = {}, clock = new VirtualClock(7_000_000_123)) {
  const fixture = await loopbackFixture(2)
  const warnings: string[] = []
  const context = { clock, warn: (message: string) => void warnings.push(message) }
  const device = pcap.wrap(fixture.device, { directory, name: 'capture', ...options }, context) as PcapDevice
  return { fixture, device, context, warnings, path: (queue: number) => join(directory, `capture-q${queue}.pcap`) }
}

async function attach(device: NetDevice, queue = 0) {
  const grant = device.grant(queue, createPlainWindow(1024))
  return attachNetQueue(grant, { pool: new DebugFramePool(grant.window), clock: new VirtualClock(7_000_000_123) })
}

const udp = (sequence: number, length = 100) =>
  buildPacket({
    source: { mac: '02:00:00:00:00:02', address: '198.18.0.2', port: 40_000 },
    destination: { mac: '02:00:00:00:00:01', address: '198.18.0.1', port: 40_001 },
    run: 1,
    sequence,
    length,
  })

describe('the file', () => {
  test('has every packet of both directions, in order, with nanoseconds', async () => {
    const { fixture, device, path } = await open()
    const queue = await attach(device)
    const packets = [udp(0), udp(1, 1514), udp(2, 61)]
    await fixture.wire.send(packets[0])
    await fixture.wire.send(packets[1])
    take(queue)
    queue.transmit(load(queue, [[packets[2]]]))
    queue.detach()
    const { snapLength, records } = readPcap(readFileSync(path(0)))
    expect(snapLength).toBe(65_535)
    expect(records.map(({ bytes }) => bytes)).toEqual(packets)
    expect(records[0]).toMatchObject({ seconds: 7, nanoseconds: 123, originalLength: 100 })
    expect(device.captures).toEqual([{ queue: 0, path: path(0), captured: 3, missed: 0 }])
    await device.close()
  })

  test('has one for each queue, and goes on over grants', async () => {
    const { fixture, device, path } = await open()
    for (let round = 0; round < 3; round++) {
      for (const number of [0, 1]) {
        const queue = await attach(device, number)
        await fixture.wire.send(udp(round), { queue: number })
        expect(take(queue)).toHaveLength(1)
        queue.detach()
        device.reclaim(queue.grant)
      }
    }
    await device.close()
    for (const number of [0, 1]) {
      expect(readPcap(readFileSync(path(number))).records.map(({ bytes }) => bytes)).toEqual([udp(0), udp(1), udp(2)])
    }
  })

  test('keeps the first bytes of each packet, and how long it was', async () => {
    const { fixture, device, path } = await open({ snapLength: 50 })
    const queue = await attach(device)
    await fixture.wire.send(udp(0, 500))
    take(queue)
    await device.close()
    const [record] = readPcap(readFileSync(path(0))).records
    expect(record.bytes).toEqual(udp(0, 500).subarray(0, 50))
    expect(record.originalLength).toBe(500)
  })

  test('is written while the device runs, without anybody detaching', async () => {
    const { fixture, device, path } = await open()
    const queue = await attach(device)
    await fixture.wire.send(udp(0))
    take(queue)
    const end = performance.now() + 5_000
    while (readFileSync(path(0)).length < 24 + 16 + 100 && performance.now() < end) await sleep(10)
    expect(readPcap(readFileSync(path(0))).records).toHaveLength(1)
    await device.close()
  })

  test('is in time since 1970 on the machine clock', async () => {
    const fixture = await loopbackFixture(1)
    const clock = new MonotonicClock()
    const device = pcap.wrap(fixture.device, { directory, name: 'capture' }, { clock })
    const grant = device.grant(0, createPlainWindow(512))
    const queue = await attachNetQueue(grant, { pool: new DebugFramePool(grant.window), clock })
    const before = Date.now()
    await fixture.wire.send(udp(0))
    take(queue)
    await device.close()
    const [record] = readPcap(readFileSync(join(directory, 'capture-q0.pcap'))).records
    expect(Math.abs(record.seconds * 1e3 + record.nanoseconds / 1e6 - before)).toBeLessThan(1_000)
  })

  test('is complete when the process ends without closing anything', () => {
    const script = fileURLToPath(new URL('./support/exit-without-close.ts', import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, ['--conditions=source', script, directory], {
      encoding: 'utf8',
    })
    expect(stderr).toBe('')
    expect(status).toBe(3)
    expect(readPcap(readFileSync(join(directory, 'exit-q0.pcap'))).records).toHaveLength(500)
  })

  test('a place that cannot be written is an error, and the queue stays free', async () => {
    writeFileSync(join(directory, 'file'), '')
    const { device, fixture } = await open({ directory: join(directory, 'file') })
    expect(() => device.grant(0, createPlainWindow(64))).toThrow(
      expect.objectContaining({ code: 'EIO', remedy: expect.stringMatching(/directory/) }),
    )
    expect(() => fixture.device.grant(0, createPlainWindow(64))).not.toThrow()
    await device.close()
  })

  test.each([{ snapLength: 0 }, { snapLength: 70_000 }, { buffer: 100_000 }, { buffer: 1 << 16 }, { path: 'a.pcap' }])(
    '%j is refused',
    (options) => {
      const device = new LoopbackDevice('x', 1, 'x')
      expect(() => pcap.wrap(device, options as PcapOptions, { clock: new VirtualClock() })).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      )
    },
  )
})

describe('tshark', () => {
  test('reads the file without a malformed frame', async (context) => {
    if (spawnSync('tshark', ['--version']).status !== 0) context.skip('tshark is not installed')
    const { fixture, device, path } = await open({ snapLength: 2000 })
    const queue = await attach(device)
    for (let i = 0; i < 300; i++) {
      await fixture.wire.send(udp(i, 60 + i))
      take(queue)
      expect(queue.transmit(load(queue, [[udp(1_000 + i, 80)]]))).toBe(1)
      await fixture.wire.receive()
    }
    await device.close()
    const fields = ['frame.len', 'udp.srcport', '_ws.malformed', 'udp.checksum.status', 'frame.time_epoch']
    const out = execFileSync(
      'tshark',
      [
        '-r',
        path(0),
        '-o',
        'udp.check_checksum:TRUE',
        '-T',
        'fields',
        ...fields.flatMap((field) => ['-e', field]),
        '-E',
        'separator=,',
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const lines = out.trim().split('\n')
    expect(lines).toHaveLength(600)
    for (const [i, line] of lines.entries()) {
      const [length, port, malformed, checksum, time] = line.split(',')
      expect(Number(length)).toBe(i % 2 === 0 ? 60 + i / 2 : 80)
      expect([port, malformed, checksum]).toEqual(['40000', '', '1'])
      expect(time).toMatch(/7\.000000123|1970.*07\.000000123/)
    }
  })
})

describe('the queue', () => {
  const settings = (ring: SharedArrayBuffer, snapLength = 65_535) => ({
    ring,
    bell: new SharedArrayBuffer(64),
    fd: -1,
    snapLength,
    epochSeconds: 0,
    epochNanoseconds: 0,
  })

  /** What a ring holds, through a file. */
  const contents = (ring: ByteRing) => {
    const path = join(directory, 'ring')
    const fd = openSync(path, 'w')
    expect(ring.drain(fd)).toBe(true)
    closeSync(fd)
    return readRecords(path)
  }

  test('captures what the device took, and neither what it refused nor what it left', () => {
    const inner = new FakeQueue()
    const buffer = byteRingBuffer(131_072)
    const queue = new PcapQueue(inner, inner.grant, settings(buffer), new VirtualClock())
    const packets = Array.from({ length: 6 }, (_, i) => numbered(i, 40 + i))
    const burst = load(queue, [[packets[0]], [packets[1]], [packets[2], packets[3]], [packets[4]], [packets[5]]])
    burst.frame[1] = 100_000
    burst.offset[0] = inner.pool.headroom
    inner.room = 3
    const done = queue.transmit(burst)
    expect(done).toBe(5)
    expect(burst.flags[1] & REFUSED).toBe(REFUSED)
    const records = contents(new ByteRing(buffer))
    expect(records).toEqual(
      [packets[0], Buffer.concat([packets[2], packets[3]]), packets[4]].map((p) => new Uint8Array(p)),
    )
  })

  test('puts a tag back in that the device took out', () => {
    const inner = new FakeQueue()
    const buffer = byteRingBuffer(131_072)
    const queue = new PcapQueue(inner, inner.grant, settings(buffer), new VirtualClock())
    inner.fed.push({ fragments: [numbered(1, 60), numbered(2, 20)], flags: VLAN_TAGGED, vlan: 0x2005 })
    take(queue)
    const [record] = contents(new ByteRing(buffer))
    expect(record).toHaveLength(84)
    expect([...record.subarray(12, 16)]).toEqual([0x81, 0, 0x20, 5])
    expect(record.subarray(0, 12)).toEqual(numbered(1, 60).subarray(0, 12))
    expect(record.subarray(16, 64)).toEqual(numbered(1, 60).subarray(12))
    expect(record.subarray(64)).toEqual(numbered(2, 20))
  })

  test('counts what does not fit while nobody writes, and keeps what does whole', () => {
    const inner = new FakeQueue()
    const buffer = byteRingBuffer(131_072)
    const queue = new PcapQueue(inner, inner.grant, settings(buffer), new VirtualClock())
    for (let i = 0; i < 400; i++) {
      inner.feed(numbered(i, 600))
      expect(take(queue)).toHaveLength(1)
    }
    const ring = new ByteRing(buffer)
    expect(ring.captured).toBe(Math.floor(131_072 / 616))
    expect(ring.captured + ring.missed).toBe(400)
    expect(contents(ring)).toHaveLength(ring.captured)
    inner.feed(numbered(1, 600))
    take(queue)
    expect(contents(ring)).toHaveLength(1)
  })

  test('goes round the ring many times', () => {
    const inner = new FakeQueue()
    const buffer = byteRingBuffer(131_072)
    const queue = new PcapQueue(inner, inner.grant, settings(buffer), new VirtualClock())
    const ring = new ByteRing(buffer)
    for (let i = 0; i < 2_000; i++) {
      const packet = numbered(i, 100 + ((i * 37) % 600))
      queue.transmit(load(queue, [[packet]]))
      expect(contents(ring)).toEqual([packet])
    }
    expect(ring.missed).toBe(0)
  })

  test('a file that cannot be written ends the capture, counted', () => {
    const buffer = byteRingBuffer(131_072)
    const inner = new FakeQueue()
    const queue = new PcapQueue(inner, inner.grant, settings(buffer), new VirtualClock())
    inner.feed(numbered(1))
    take(queue)
    const ring = new ByteRing(buffer)
    expect(ring.drain(-1)).toBe(true)
    expect(ring.failed).toBe(true)
    inner.feed(numbered(2))
    take(queue)
    expect(ring.missed).toBe(1)
  })

  test('a warning tells of missed packets', async () => {
    const { fixture, device, warnings } = await open({ buffer: 131_072 })
    const queue = await attach(device)
    // One thread, without a pause: the writer gets no turn fast enough for 200 full packets a round.
    for (let round = 0; round < 200; round++) {
      for (let i = 0; i < 32; i++) fixture.wire.send(udp(i, 1514))
      expect(take(queue)).toHaveLength(32)
    }
    const [{ captured, missed }] = device.captures
    expect(captured + missed).toBe(6_400)
    await device.close()
    expect(warnings).toHaveLength(missed > 0 ? 1 : 0)
  })
})

function readRecords(path: string): Uint8Array[] {
  return readPcap(Buffer.concat([new Uint8Array(24), readFileSync(path)]), false).records.map(({ bytes }) => bytes)
}
