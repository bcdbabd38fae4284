import { parseIpAddress } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_RSS_KEY } from '../src/index.ts'
import { TOEPLITZ_TABLE_WORDS, toeplitz, writeToeplitzTables } from '../src/steering/toeplitz.ts'
import { Lab } from './support/lab.ts'
import { build } from './support/packets.ts'
import { slowToeplitz } from './support/slow-toeplitz.ts'

/** Microsoft, "Verifying the RSS hash calculation": destination, source, hash of the addresses, hash with TCP ports. */
const vectors: readonly (readonly [string, number, string, number, number, number])[] = [
  ['161.142.100.80', 1766, '66.9.149.187', 2794, 0x323e8fc2, 0x51ccc178],
  ['65.69.140.83', 4739, '199.92.111.2', 14230, 0xd718262a, 0xc626b0ea],
  ['12.22.207.184', 38024, '24.19.198.95', 12898, 0xd2d0a5de, 0x5c2b394a],
  ['209.142.163.6', 2217, '38.27.205.30', 48228, 0x82989176, 0xafc7327f],
  ['202.188.127.2', 1303, '153.39.163.191', 44251, 0x5d1809c5, 0x10e828a2],
  ['3ffe:2501:200:3::1', 1766, '3ffe:2501:200:1fff::7', 2794, 0x2cc18cd5, 0x40207d3d],
  ['ff02::1', 4739, '3ffe:501:8::260:97ff:fe40:efab', 14230, 0x0f0c461c, 0xdde51bbf],
  ['fe80::200:f8ff:fe21:67cf', 38024, '3ffe:1900:4545:3:200:f8ff:fe21:67cf', 44251, 0x4b61e985, 0x02d1feef],
]

const tables = new Int32Array(TOEPLITZ_TABLE_WORDS)
writeToeplitzTables(DEFAULT_RSS_KEY, tables, 0)
const hashOf = (input: Uint8Array) => toeplitz(tables, 0, new DataView(input.buffer), 0, input.length, 0) >>> 0

describe('Toeplitz hash', () => {
  it.each(vectors)('%s:%i from %s:%i', (destination, destinationPort, source, sourcePort, addresses, withPorts) => {
    const input = Uint8Array.from([...parseIpAddress(source), ...parseIpAddress(destination)])
    const ports = [sourcePort >> 8, sourcePort & 255, destinationPort >> 8, destinationPort & 255]
    expect(hashOf(input)).toBe(addresses)
    expect(hashOf(Uint8Array.from([...input, ...ports]))).toBe(withPorts)
  })

  it('is what its definition says, for any key and input', () => {
    const key = fc.uint8Array({ minLength: 40, maxLength: 40 })
    const input = fc.uint8Array({ minLength: 36, maxLength: 36 })
    fc.assert(
      fc.property(key, input, (key, input) => {
        writeToeplitzTables(key, tables, 0)
        expect(hashOf(input)).toBe(slowToeplitz(key, input))
      }),
      { numRuns: 50 },
    )
    writeToeplitzTables(DEFAULT_RSS_KEY, tables, 0)
  })
})

describe('receive side scaling', () => {
  it.each(vectors)(
    'hands out the hash and follows the table: to %s:%i',
    async (destination, destinationPort, source, sourcePort, addresses, withPorts) => {
      await using lab = new Lab()
      const sender = lab.station()
      const queues = lab.nic({ queues: 4 })
      const table = Array.from({ length: 128 }, (_, i) => (i * 7 + 3) & 3)
      queues[0].nic.setIndirection(table)
      const to = queues[0].nic.mac
      const from = sender.nic.mac
      for (const protocol of ['tcp', 'udp'] as const) {
        sender.send(build({ from, to, protocol, source, destination, sourcePort, destinationPort }).bytes)
        const received = queues.map((station) => station.receive())
        expect(received[table[withPorts & 127]].map(({ hash }) => hash >>> 0)).toEqual([withPorts])
      }
      const fragment = build({ from, to, source, destination, sourcePort, destinationPort })
      const six = source.includes(':')
      if (six) fragment.bytes[fragment.network + 6] = 59
      else fragment.bytes[fragment.network + 6] = 0x20
      sender.send(fragment.bytes)
      const received = queues.map((station) => station.receive())
      expect(received[table[addresses & 127]].map(({ hash }) => hash >>> 0)).toEqual([addresses])
    },
  )

  it('uses the key that is given', async () => {
    await using lab = new Lab()
    const sender = lab.station()
    const rssKey = '00112233445566778899aabbccddeeff'.repeat(3).slice(0, 80)
    const receiver = lab.station({ rssKey })
    sender.send(build({ from: sender.nic.mac, to: receiver.nic.mac, sourcePort: 1, destinationPort: 2 }).bytes)
    const expected = slowToeplitz(Buffer.from(rssKey, 'hex'), Uint8Array.of(10, 0, 0, 1, 10, 0, 0, 2, 0, 1, 0, 2))
    expect(receiver.receive()[0].hash >>> 0).toBe(expected)
  })

  it('sends what is not IP to the first queue, without a hash', async () => {
    await using lab = new Lab()
    const sender = lab.station()
    const queues = lab.nic({ queues: 4 })
    const { bytes } = build({ from: sender.nic.mac, to: queues[0].nic.mac })
    bytes.set([0x88, 0xb5], 12)
    sender.send(bytes)
    expect(queues.map((station) => station.receive().map(({ hash }) => hash))).toEqual([[0], [], [], []])
  })

  it('refuses an indirection table that names no queue', async () => {
    await using lab = new Lab()
    const { nic } = lab.station({ queues: 1 })
    expect(() => nic.setIndirection(new Array(128).fill(1))).toThrow(/EINVAL/)
    expect(() => nic.setIndirection([0])).toThrow(/EINVAL/)
  })
})
