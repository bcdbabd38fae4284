import { backend, createNetwork, type EmulatedNic } from '@parakernel/emulated'
import {
  type Clock,
  countersBuffer,
  createPlainWindow,
  DebugFramePool,
  filterHash,
  NetBurst,
  type NetQueue,
  type SteeringRule,
  VirtualClock,
} from '@parakernel/hal'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import {
  createRing,
  misroutedShare,
  type PartitionRule,
  placeRules,
  STEERING_COUNTERS,
  STEERING_HEADER_BYTES,
  SteeringCounters,
  steerQueues,
} from '../src/index.ts'

const FRAME = 2048

interface Packet {
  readonly id: number
  readonly protocol: 'udp' | 'tcp'
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
  /** Four bytes at the start of what the transport carries. */
  readonly key: number
}

const bytesOf = (address: string) => address.split('.').map(Number)
const macBytes = (mac: EmulatedNic['mac']) => mac.split(':').map((byte) => Number.parseInt(byte, 16))

/** Ethernet, IPv4, UDP or TCP without a checksum, then the key and the packet's number. */
function frameOf(from: EmulatedNic, to: EmulatedNic, packet: Packet): Uint8Array {
  const headers = packet.protocol === 'udp' ? 8 : 20
  const bytes = new Uint8Array(14 + 20 + headers + 8)
  const view = new DataView(bytes.buffer)
  bytes.set([...macBytes(to.mac), ...macBytes(from.mac), 8, 0])
  bytes.set([0x45, 0, 0, bytes.length - 14, 0, 0, 0, 0, 64, packet.protocol === 'udp' ? 17 : 6, 0, 0], 14)
  bytes.set([...bytesOf(packet.source), ...bytesOf(packet.destination)], 26)
  view.setUint16(34, packet.sourcePort)
  view.setUint16(36, packet.destinationPort)
  if (packet.protocol === 'udp') view.setUint16(38, headers + 8)
  else bytes[46] = 0x50
  view.setUint32(34 + headers, packet.key)
  view.setUint32(38 + headers, packet.id)
  return bytes
}

const inPrefix = (address: string, prefix: string) => {
  const [base, length = '32'] = prefix.split('/')
  const bits = (text: string) =>
    bytesOf(text)
      .map((byte) => byte.toString(2).padStart(8, '0'))
      .join('')
  return bits(address).slice(0, Number(length)) === bits(base).slice(0, Number(length))
}

/** What the contract says, written down slowly. */
function ownerOf(rules: readonly PartitionRule[], packet: Packet): number | undefined {
  for (const rule of rules) {
    const { partition, spread = 1, destinationPort: ports, hash } = rule
    const [first, last] = typeof ports === 'number' ? [ports, ports] : (ports ?? [0, 65_535])
    if (rule.protocol !== packet.protocol) continue
    if (packet.destinationPort < first || packet.destinationPort > last) continue
    if (rule.destination !== undefined && !inPrefix(packet.destination, rule.destination)) continue
    if (rule.source !== undefined && !inPrefix(packet.source, rule.source)) continue
    if (hash !== undefined) {
      const payload = new Uint8Array(8)
      new DataView(payload.buffer).setUint32(0, packet.key)
      new DataView(payload.buffer).setUint32(4, packet.id)
      if (hash.offset + hash.length > 8) continue
      return partition + (filterHash(payload, hash.offset, hash.length, hash.seed ?? 0) % spread)
    }
    return partition + ((packet.destinationPort - first) % spread)
  }
  return undefined
}

const close: (() => unknown)[] = []
afterEach(async () => {
  for (const one of close.splice(0).reverse()) await one()
})

/** A NIC whose queues are those of as many partitions, all in this thread, and a sender on the same network. */
function bed(partitions: number, rules: readonly PartitionRule[], steering: boolean, slots = 1024) {
  const clock: Clock = new VirtualClock()
  const network = createNetwork({ clock, memory: 64 * 1024 * 1024 })
  close.push(() => network.close())
  const nic = network.nic({ name: 'nic', queues: partitions, ringSize: 512, steering })
  const sender = network.nic({ name: 'sender', ringSize: 512 })
  const placed = placeRules(rules, partitions, nic)
  const inSoftware = placed.some(({ where }) => where === 'software')
  const attach = (of: EmulatedNic, queue: number) => {
    const window = createPlainWindow(2048, { frameSize: FRAME })
    const pool = new DebugFramePool(window)
    const attached: NetQueue = backend.attach(of.grant(queue, window), { pool, clock })
    close.push(() => {
      attached.detach()
      expect(pool.available, pool.report()).toBe(pool.frameCount)
    })
    return attached
  }
  const wake = new SharedArrayBuffer(64)
  const rings = Array.from({ length: partitions }, (_, from) =>
    Array.from({ length: partitions }, (_, to) =>
      from === to ? undefined : createRing({ slots, slotBytes: FRAME + STEERING_HEADER_BYTES, wake }),
    ),
  )
  const counters = rings.map(() => countersBuffer(STEERING_COUNTERS))
  const queues = rings.map((outgoing, partition) => {
    const plan = { rules, outgoing, incoming: rings.map((row) => row[partition]), counters: counters[partition] }
    const raw = [attach(nic, partition)]
    return inSoftware ? steerQueues(raw, plan, { partition, partitions, clock, host: undefined })[0] : raw[0]
  })
  const out = attach(sender, 0)
  const burst = new NetBurst(64, nic.capabilities.columns)
  const outBurst = new NetBurst(1, sender.capabilities.columns)

  const send = (packet: Packet) => {
    const bytes = frameOf(sender, nic, packet)
    const frame = out.pool.allocate()
    out.pool.copyIn(out.pool.address(frame) + 64, bytes)
    outBurst.count = 0
    outBurst.push(frame, 64, bytes.length)
    expect(out.transmit(outBurst)).toBe(1)
    expect(outBurst.refused).toBe(0)
  }
  const receive = (partition: number): number[] => {
    const queue = queues[partition]
    queue.receive(burst)
    return Array.from({ length: burst.count }, (_, i) => {
      const end = queue.pool.address(burst.frame[i]) + burst.offset[i] + burst.length[i]
      const id = queue.pool.view.getUint32(end - 4)
      queue.pool.release(burst.frame[i])
      return id
    })
  }
  /** Numbers of the packets that each partition has received, in their order. */
  const received: number[][] = rings.map(() => [])
  const drain = () => {
    for (let quiet = 0; quiet < 3; quiet++) {
      for (const [partition, list] of received.entries()) {
        const ids = receive(partition)
        list.push(...ids)
        if (ids.length > 0) quiet = 0
      }
    }
  }
  const statistics = () => counters.map((buffer) => new SteeringCounters(buffer).snapshot())
  return { nic, placed, queues, send, drain, received, statistics }
}

const port = fc.integer({ min: 1, max: 12 })
const address = fc.constantFrom('10.0.0.1', '10.0.1.7', '10.1.0.1')
const source = fc.constantFrom('10.2.0.1', '10.3.0.1')

function rulesFor(partitions: number): fc.Arbitrary<PartitionRule> {
  return fc
    .record({
      protocol: fc.constantFrom('udp' as const, 'tcp' as const),
      ports: fc.tuple(port, fc.integer({ min: 0, max: 5 })),
      anyPort: fc.boolean(),
      destination: fc.option(fc.constantFrom('10.0.0.1', '10.0.0.0/16', '10.1.0.1/32', '0.0.0.0/0', '10.0.1.0/23')),
      source: fc.option(fc.constantFrom('10.2.0.0/16', '10.3.0.1')),
      partition: fc.integer({ min: 0, max: partitions - 1 }),
      spread: fc.integer({ min: 1, max: partitions }),
      hash: fc.option(fc.record({ offset: fc.constantFrom(0, 1, 4, 8), length: fc.integer({ min: 1, max: 4 }) })),
    })
    .map(({ ports: [first, more], anyPort, destination, source, partition, spread, hash, ...rule }) => ({
      ...rule,
      ...(!anyPort && { destinationPort: [first, first + more] as const }),
      ...(destination !== null && { destination }),
      ...(source !== null && { source }),
      ...(hash !== null && { hash }),
      partition,
      spread: anyPort && hash === null ? 1 : Math.min(spread, partitions - partition),
    }))
}

const packets = fc.array(
  fc.record({
    protocol: fc.constantFrom('udp' as const, 'tcp' as const),
    source,
    destination: address,
    sourcePort: fc.integer({ min: 1000, max: 1020 }),
    destinationPort: port,
    key: fc.nat(20),
  }),
  { minLength: 1, maxLength: 200 },
)

const flowOf = ({ protocol, source, destination, sourcePort, destinationPort }: Packet) =>
  `${protocol} ${source}:${sourcePort} ${destination}:${destinationPort}`

for (const [what, steering] of [
  ['by device and software together', true],
  ['by software alone', false],
] as const) {
  describe(`steering ${what}`, () => {
    it('brings every packet to its partition: none lost or doubled, in order within a flow, misroutes counted', async () => {
      const partitions = 3
      await fc.assert(
        fc.asyncProperty(fc.array(rulesFor(partitions), { maxLength: 5 }), packets, async (rules, list) => {
          const sent = list.map((packet, id): Packet => ({ ...packet, id }))
          const first = bed(partitions, [], false)
          for (const packet of sent) first.send(packet)
          first.drain()
          const byHash = (id: number) => first.received.findIndex((ids) => ids.includes(id))

          const { placed, send, drain, received, statistics } = bed(partitions, rules, steering)
          for (const packet of sent) send(packet)
          drain()
          expect(received.flat().sort((a, b) => a - b)).toEqual(sent.map(({ id }) => id))
          for (const { id, ...packet } of sent) {
            const owner = ownerOf(rules, { ...packet, id }) ?? undefined
            const at = received.findIndex((ids) => ids.includes(id))
            if (owner !== undefined) expect(at).toBe(owner)
            // Where no rule speaks, the device's own hash does, unless rules run on the device alone.
            else expect(at).toBe(byHash(id))
          }
          for (const ids of received) {
            const last = new Map<string, number>()
            for (const id of ids) {
              const flow = flowOf(sent[id])
              // A key may part a flow: then each partition has its packets in order.
              expect(id).toBeGreaterThan(last.get(flow) ?? -1)
              last.set(flow, id)
            }
          }
          const total = statistics()
          const sum = (name: 'kept' | 'handedOver' | 'takenOver') => total.reduce((all, one) => all + one[name], 0)
          if (placed.some(({ where }) => where === 'software')) {
            expect(sum('kept') + sum('handedOver')).toBe(sent.length)
            expect(sum('takenOver')).toBe(sum('handedOver'))
          }
          if (!steering && rules.length > 0) {
            const misrouted = sent.filter(
              (packet) => (ownerOf(rules, packet) ?? byHash(packet.id)) !== byHash(packet.id),
            )
            expect(sum('handedOver')).toBe(misrouted.length)
            expect(misroutedShare(total)).toBe(misrouted.length / sent.length)
          }
          for (const one of close.splice(0).reverse()) await one()
        }),
        { numRuns: 40 },
      )
    }, 60_000)
  })
}

describe('rules', () => {
  const kv: PartitionRule = { protocol: 'udp', destinationPort: [4000, 4001], partition: 0, spread: 2 }

  it('run on the device where it takes them, and say why not', () => {
    const rules: PartitionRule[] = [
      kv,
      { protocol: 'tcp', destination: '10.0.0.1/32', partition: 1 },
      { protocol: 'udp', destination: '10.1.0.0/16', partition: 1 },
      { protocol: 'udp', source: '10.1.0.1', partition: 1 },
      { protocol: 'udp', destinationPort: 9, hash: { offset: 0, length: 4 }, partition: 0, spread: 2 },
    ]
    const steered: SteeringRule[] = []
    const device = { capabilities: { steering: true } as never, steer: (rule: SteeringRule) => void steered.push(rule) }
    expect(placeRules(rules, 2, device).map(({ where, why }) => `${where}: ${why}`)).toEqual([
      'device: the device takes it',
      'device: the device takes it',
      'software: no device compares prefixes',
      'software: no device looks at source addresses',
      'software: no device hashes a key',
    ])
    expect(steered).toEqual([
      { protocol: 'udp', destinationPort: [4000, 4001], queue: 0, spread: 2 },
      { protocol: 'tcp', destinationAddress: '10.0.0.1', queue: 1 },
    ])
    expect(placeRules([kv], 2, undefined)[0]).toMatchObject({ where: 'software', why: expect.stringContaining('ours') })
    const none = bed(2, [kv], false)
    expect(none.placed[0]).toMatchObject({ where: 'software', why: 'the device takes no steering rules' })
  })

  it('that the device has no room for run in software', () => {
    const rules = Array.from({ length: 257 }, (_, i): PartitionRule => ({ ...kv, destinationPort: i + 1, spread: 1 }))
    const { placed } = bed(2, rules, true)
    expect(placed.filter(({ where }) => where === 'device')).toHaveLength(256)
    expect(placed[256].why).toContain('refused')
  })

  it('that make no sense are refused', () => {
    const bad: [PartitionRule, RegExp][] = [
      [{ protocol: 'icmp' as never, partition: 0 }, /protocol/],
      [{ protocol: 'udp', partition: 2 }, /partitions 2 to 2/],
      [{ protocol: 'udp', partition: 1, spread: 2, destinationPort: [1, 2] }, /partitions 1 to 2/],
      [{ protocol: 'udp', partition: 0, spread: 2 }, /range of ports, or a hash/],
      [{ protocol: 'udp', partition: 0, spread: 0 }, /spread/],
      [{ protocol: 'udp', partition: 0, destinationPort: [9, 8] }, /ports/],
      [{ protocol: 'udp', partition: 0, destinationPort: 65_536 }, /ports/],
      [{ protocol: 'udp', partition: 0, destination: '10.0.0.0/33' }, /prefix/],
      [{ protocol: 'udp', partition: 0, source: 'fd00::/129' }, /prefix/],
      [{ protocol: 'udp', partition: 0, source: '10.0.0' }, /address/],
      [{ protocol: 'udp', partition: 0, hash: { offset: 0, length: 65 } }, /rule 0/],
    ]
    for (const [rule, message] of bad) {
      expect(() => placeRules([rule], 2, undefined)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
      expect(() => placeRules([rule], 2, undefined)).toThrow(message)
    }
  })
})

describe('a partition that does not keep up', () => {
  it('loses what its ring cannot hold, and holds up nobody', () => {
    const toOne: PartitionRule = { protocol: 'udp', partition: 1 }
    const { send, queues, drain, received, statistics, nic } = bed(2, [toOne], false, 16)
    nic.setIndirection(new Array(128).fill(0))
    const flow = { source: '10.2.0.1', destination: '10.0.0.1', sourcePort: 1000, destinationPort: 1, key: 0 }
    for (let id = 0; id < 60; id++) send({ ...flow, protocol: 'udp', id })
    send({ ...flow, protocol: 'tcp', id: 60 })
    const burst = new NetBurst(64, nic.capabilities.columns)
    // Partition 0 alone runs.
    while (queues[0].receive(burst) === 0);
    expect(burst.count).toBe(1)
    queues[0].pool.release(burst.frame[0])
    expect(queues[1].arm()).toBe(true)
    expect(statistics()[0]).toMatchObject({ kept: 1, handedOver: 16, droppedRingFull: 44 })
    drain()
    expect(received[1]).toEqual(Array.from({ length: 16 }, (_, id) => id))
    expect(statistics()[1]).toMatchObject({ takenOver: 16 })
    expect(misroutedShare(statistics())).toBe(60 / 61)
  })
})
