import { createVethPair, KernelUdpSocket, PacketSocket, socketAddress, type VethPair } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { NetLibOS } from '../src/index.ts'
import { afXdpMissing, pause, Stations } from './support/veth.ts'

const US = '10.78.1.1'
const LINUX = '10.78.1.2'
const GROUP = '239.7.8.9'
const OTHER_GROUP = '239.7.8.10'
const PORT = 5004
/** For what must come: the machine may be busy. */
const WAIT = { timeout: 10_000 }

let pair: VethPair
let stations: Stations
let net: NetLibOS
/** The sender: Linux's own stack at the other end of the cable. */
let linux: KernelUdpSocket
/** What the libOS puts on the cable. */
let cable: PacketSocket

beforeEach(async (context) => {
  const missing = afXdpMissing()
  if (missing !== undefined) context.skip(missing)
  pair = createVethPair({ label: 'ngrp', peerAddresses: [`${LINUX}/24`] })
  pair.run('ip', 'route', 'add', '224.0.0.0/4', 'dev', pair.peer)
  stations = new Stations()
  net = await stations.add({ interface: pair.interface, addresses: [`${US}/24`] }, { address: `${US}/24` })
  stations.loop.start('guest')
  linux = pair.inside(() => new KernelUdpSocket(LINUX))
  cable = pair.inside(() => new PacketSocket(pair.peer))
})
afterEach(async () => {
  linux?.close()
  cable?.close()
  await stations?.close()
  pair?.remove()
})

/** A socket at the wildcard address that notes what it hears. */
function listener(): { qd: ReturnType<NetLibOS['socket']>; heard: string[] } {
  const qd = net.socket('datagram')
  net.bind(qd, { address: '0.0.0.0', port: PORT })
  const heard: string[] = []
  net.serveDatagrams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const start = burst.address[i]
      heard.push(Buffer.from(net.pool.bytes.slice(start, start + burst.length[i])).toString())
    }
  })
  return { qd, heard }
}

/** Waits for a record of a report. */
async function reported(record: string): Promise<void> {
  const records: string[] = []
  const seen = () => {
    records.push(...reports())
    return records
  }
  await expect.poll(seen, WAIT).toContain(record)
}

async function send(text: string, address: string): Promise<void> {
  expect(linux.sendTo(new TextEncoder().encode(text), socketAddress(address, PORT))).toBe(true)
  await pause(20)
}

/** Version 3 reports (RFC 3376 section 4.2) that were seen since the last call, as `type:group`. */
function reports(): string[] {
  const records: string[] = []
  for (let frame = cable.receive(); frame !== undefined; frame = cable.receive()) {
    const header = (frame[14] & 15) * 4
    if (frame[12] !== 8 || frame[13] !== 0 || frame[23] !== 2 || frame[14 + header] !== 0x22) continue
    // TTL 1, to all routers that speak version 3, with the router alert option.
    expect([frame[22], header, frame.slice(30, 34).join('.')]).toEqual([1, 24, '224.0.0.22'])
    const count = (frame[14 + header + 6] << 8) | frame[14 + header + 7]
    for (let i = 0; i < count; i++) {
      const at = 14 + header + 8 + i * 8
      records.push(`${frame[at]}:${frame.slice(at + 4, at + 8).join('.')}`)
    }
  }
  return records
}

describe('a libOS on AF_XDP, and a sender on Linux', () => {
  it('hears a group from joining until leaving, and reports both to the routers', async () => {
    const { qd, heard } = listener()
    await send('too early', GROUP)
    expect(reports()).toEqual([])
    net.joinGroup(qd, GROUP)
    await reported(`4:${GROUP}`)
    for (let i = 0; i < 10; i++) await send(`number ${i}`, GROUP)
    await send('to another group', OTHER_GROUP)
    await expect.poll(() => heard, WAIT).toEqual(Array.from({ length: 10 }, (_, i) => `number ${i}`))
    net.leaveGroup(qd, GROUP)
    await reported(`3:${GROUP}`)
    await send('too late', GROUP)
    await send('end', US)
    await expect.poll(() => heard.slice(10), WAIT).toEqual(['end'])
  })

  it('answers the general query of a router', async () => {
    const { qd } = listener()
    net.joinGroup(qd, GROUP)
    await pause(20)
    reports()
    cable.send(generalQuery())
    await reported(`2:${GROUP}`)
  })

  it('leaves a group that it did not join to the kernel, and takes one that it did', async () => {
    const kernel = new PacketSocket(pair.interface)
    const texts: string[] = []
    const seen = () => {
      for (let frame = kernel.receive(); frame !== undefined; frame = kernel.receive()) {
        if (frame[23] === 17) texts.push(Buffer.from(frame.slice(42)).toString())
      }
      return texts
    }
    const { qd } = listener()
    net.joinGroup(qd, GROUP)
    await send('ours', GROUP)
    await send('theirs', OTHER_GROUP)
    await expect.poll(seen, WAIT).toEqual(['theirs'])
    kernel.close()
  })

  it("hears the subnet's broadcast and the limited one, and leaves DHCP to the kernel", async () => {
    const { heard } = listener()
    const kernel = new PacketSocket(pair.interface)
    cable.send(broadcastDatagram('limited', '255.255.255.255', PORT))
    cable.send(broadcastDatagram('directed', '10.78.1.255', PORT))
    cable.send(broadcastDatagram('an offer', '255.255.255.255', 68))
    await expect.poll(() => heard, WAIT).toEqual(['limited', 'directed'])
    let left = kernel.receive()
    await expect.poll(() => (left ??= kernel.receive()), WAIT).toBeDefined()
    expect(Buffer.from(left?.slice(42) ?? []).toString()).toBe('an offer')
    kernel.close()
  })
})

function ipv4Frame(to: readonly number[], header: readonly number[], payload: Uint8Array): Uint8Array {
  const frame = Uint8Array.of(...to, 2, 0, 0, 0, 0, 2, 8, 0, ...header, ...payload)
  const view = new DataView(frame.buffer)
  view.setUint16(16, header.length + payload.length)
  view.setUint16(24, complement(frame.subarray(14, 14 + header.length)))
  return frame
}

function complement(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | bytes[i + 1]
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** RFC 3376 section 4.1: to all systems, with a response time of a tenth of a second. */
function generalQuery(): Uint8Array {
  const query = Uint8Array.of(0x11, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0)
  new DataView(query.buffer).setUint16(2, complement(query))
  const header = [0x46, 0xc0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 10, 78, 1, 2, 224, 0, 0, 1, 0x94, 4, 0, 0]
  return ipv4Frame([1, 0, 0x5e, 0, 0, 1], header, query)
}

/** Without a UDP checksum, as IPv4 allows. */
function broadcastDatagram(text: string, destination: string, port: number): Uint8Array {
  const payload = new TextEncoder().encode(text)
  const datagram = Uint8Array.of(0x13, 0x88, port >> 8, port & 255, 0, 8 + payload.length, 0, 0, ...payload)
  const header = [0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 78, 1, 2, ...destination.split('.').map(Number)]
  return ipv4Frame([255, 255, 255, 255, 255, 255], header, datagram)
}
