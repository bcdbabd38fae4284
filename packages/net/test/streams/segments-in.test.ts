import { CHECKSUM_PARTIAL, CHECKSUM_WANTED } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import type { NetOptions } from '../../src/index.ts'
import { ACK, FIN, SYN } from '../../src/tcp/segment.ts'
import { BROADCAST } from '../support/frames.ts'
import { counter, stackAndWire } from '../support/wire.ts'
import { RawPeer, tcpFrame } from './support/raw-peer.ts'

async function connected(options: Partial<NetOptions> = {}, nic = {}) {
  const bench = await stackAndWire(options, { nic })
  const { libos } = bench
  const listener = libos.socket('stream')
  libos.bind(listener, { address: '0.0.0.0', port: 80 })
  libos.listen(listener)
  const accept = libos.accept(listener)
  const peer = new RawPeer(bench)
  peer.open()
  const completion = libos.runtime.wait(accept)
  if (completion.kind !== 'accept') throw new Error('not accepted')
  return { ...bench, bench, peer, qd: completion.accepted }
}

describe('a segment that is wrong', () => {
  it.each([
    ['with a wrong checksum', { tcpChecksum: 0x1234 }, 'tcpDrop.BadChecksum'],
    ['with a data offset of four words', { dataOffset: 4 }, 'tcpDrop.BadHeaderLength'],
    ['with a data offset beyond its end', { dataOffset: 15 }, 'tcpDrop.Truncated'],
    ['from port 0', { sourcePort: 0 }, 'tcpDrop.BadPort'],
    ['with an option of length 0', { rawOptions: Uint8Array.of(254, 0, 0, 0) }, 'tcpDrop.BadOption'],
    ['to a group of the link', { to: BROADCAST }, 'drop.ipLinkBroadcastUnicast'],
    ['to the broadcast address', { to: BROADCAST, destination: '10.0.0.255' }, 'tcpDrop.GroupDestination'],
  ])('%s is dropped with its own counter, and changes nothing', async (_, fields, name) => {
    const { peer, libos, machines, qd } = await connected({}, { checksumVerify: false })
    expect(peer.exchange({ flags: ACK, payload: Uint8Array.of(1), ...fields })).toEqual([])
    expect(counter(libos, name)).toBe(1)
    expect(libos.sockets().find((line) => line.qd === qd)).toMatchObject({ state: 'established', receiveQueue: 0 })
    await machines.close()
  })

  it('that the device found wrong is dropped without a sum of our own', async () => {
    const { peer, libos, machines } = await connected()
    peer.exchange({ flags: ACK, payload: Uint8Array.of(1), tcpChecksum: 0x1234 })
    expect(counter(libos, 'tcpDrop.BadChecksum')).toBe(1)
    await machines.close()
  })
})

describe('checksums that a device leaves partial', () => {
  /** What a kernel writes for its device to finish: the pseudo-header's sum. */
  const partial = (length: number) => {
    const sum = 0x0a00 + 2 + 0x0a00 + 1 + 6 + 20 + length
    return (sum & 0xffff) + (sum >>> 16)
  }

  it('are right where the device says that it cannot mark them, and wrong elsewhere', async () => {
    for (const partialChecksums of ['unmarked', 'never'] as const) {
      const { peer, libos, machines, qd } = await connected({}, { partialChecksums, checksumVerify: false })
      peer.exchange({ flags: ACK, payload: Uint8Array.of(1, 2), tcpChecksum: partial(2) })
      const line = libos.sockets().find((socket) => socket.qd === qd)
      expect(line?.receiveQueue).toBe(partialChecksums === 'unmarked' ? 2 : 0)
      await machines.close()
    }
    expect(CHECKSUM_PARTIAL).not.toBe(CHECKSUM_WANTED)
  })
})

describe('a closed port', () => {
  it('is answered with a reset that the sender must believe', async () => {
    const bench = await stackAndWire()
    const peer = new RawPeer(bench, 4000, 81)
    const [toSyn] = peer.exchange({ sequence: 7, flags: SYN, acknowledgment: 0 })
    expect(toSyn.text).toBe('RST ACK 0+0 ack 8 win 0')
    const [toData] = peer.exchange({ sequence: 7, flags: FIN, payload: Uint8Array.of(1, 2) })
    expect(toData.text).toBe('RST ACK 0+0 ack 10 win 0')
    expect(toData.checksumRight).toBe(true)
    expect(counter(bench.libos, 'tcpDrop.PortClosed')).toBe(2)
    expect(counter(bench.libos, 'tcp.tcpOutRsts')).toBe(2)
    await bench.machines.close()
  })
})

describe('many segments of one frame each', () => {
  it('of one byte are packed while the application does not read', async () => {
    const { peer, machines, libos, qd } = await connected()
    for (let i = 0; i < 500; i++) {
      peer.send({ flags: ACK, payload: Uint8Array.of(i) })
      peer.next++
      if (i % 32 === 31) machines.run(1e6)
    }
    machines.run(50e6)
    expect(libos.sockets().find((line) => line.qd === qd)?.receiveQueue).toBe(500)
    const pop = libos.runtime.wait(libos.pop(qd))
    if (pop.kind !== 'pop') throw new Error('no pop')
    expect([...pop.sga.toBytes()]).toEqual(Array.from({ length: 500 }, (_, i) => i & 255))
    expect(pop.sga.segments.length).toBeLessThanOrEqual(2)
    pop.sga.free()
    await machines.close()
  })

  it('a fragment is put together before it is looked at', async () => {
    const { bench, libos, machines, qd, peer } = await connected()
    const { ipv4Packet, ethernetFrame } = await import('../support/frames.ts')
    const { tcpBytes } = await import('./support/raw-peer.ts')
    const payload = Uint8Array.from({ length: 3000 }, (_, i) => i)
    const bytes = tcpBytes({ flags: ACK, sequence: peer.next, acknowledgment: peer.received, payload })
    for (let at = 0; at < bytes.length; at += 1200) {
      const more = at + 1200 < bytes.length
      const piece = bytes.subarray(at, Math.min(at + 1200, bytes.length))
      const fragment = (at >> 3) | (more ? 0x2000 : 0)
      bench.wire.send(ethernetFrame(ipv4Packet(piece, { protocol: 6, fragment, identifier: 9 })))
    }
    machines.run(1e6)
    expect(libos.sockets().find((line) => line.qd === qd)?.receiveQueue).toBe(3000)
    const pop = libos.runtime.wait(libos.pop(qd))
    if (pop.kind !== 'pop') throw new Error('no pop')
    expect(pop.sga.toBytes()).toEqual(payload)
    pop.sga.free()
    expect(tcpFrame({ flags: ACK }).length).toBe(54)
    await machines.close()
  })
})
