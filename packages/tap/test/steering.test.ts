import { BPF_PROG_TYPE_SOCKET_FILTER, closeDescriptors, loadBpfProgram, runBpfProgram } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { steeringProgram } from '../src/steering/program.ts'
import { parseRule } from '../src/steering/rule.ts'
import { labMissing } from './bridge-fixture.ts'
import { buildSegment, type SegmentFields } from './packets.ts'
import { WIRE_MAC } from './tap-wire.ts'
import { burstFor, load, release, Testbed, until } from './testbed.ts'

const MACS = { sourceMac: '02:00:00:00:00:01', destinationMac: '02:00:00:00:00:02' }
const V4 = { source: '192.0.2.1', destination: '192.0.2.2' }
const V6 = { source: '2001:db8::1', destination: '2001:db8::2' }
const packet = (more: Partial<SegmentFields> = {}) =>
  buildSegment({ protocol: 'udp', ...V4, ...MACS, payload: 20, ...more }).bytes

beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
})

describe('the program', () => {
  const rules = [
    { protocol: 'udp', destinationPort: [9000, 9099], queue: 1, spread: 3 },
    { protocol: 'tcp', destinationPort: 80, destinationAddress: '192.0.2.2', queue: 5 },
    { protocol: 'tcp', destinationPort: 80, destinationAddress: '2001:db8::2', queue: 6 },
    { protocol: 'tcp', destinationAddress: '192.0.2.9', queue: 7 },
    { protocol: 'udp', destinationPort: 9001, queue: 4 },
  ] as const
  let program = -1
  beforeEach(() => {
    const code = steeringProgram(rules.map((rule) => parseRule(rule, 8, 'test')))
    program = loadBpfProgram({ type: BPF_PROG_TYPE_SOCKET_FILTER, code, name: 'pk_steer_test' })
  })
  afterEach(() => closeDescriptors(program))
  // The test run of a socket filter shows the packet from behind its Ethernet header, so the header is put there twice.
  const queueOf = (bytes: Uint8Array) => runBpfProgram(program, Uint8Array.from([...bytes.subarray(0, 14), ...bytes]))

  test('follows the first rule that matches', () => {
    for (let i = 0; i < 7; i++) expect(queueOf(packet({ destinationPort: 9000 + i }))).toBe(1 + (i % 3))
    expect(queueOf(packet({ ...V6, destinationPort: 9002 }))).toBe(3)
    expect(queueOf(packet({ protocol: 'tcp', destinationPort: 80 }))).toBe(5)
    expect(queueOf(packet({ protocol: 'tcp', ...V6, destinationPort: 80 }))).toBe(6)
    expect(queueOf(packet({ protocol: 'tcp', destination: '192.0.2.9', destinationPort: 81 }))).toBe(7)
  })

  test('looks for the ports behind options, and not in a fragment', () => {
    const plain = packet({ protocol: 'tcp', destinationPort: 80 })
    const options = Uint8Array.from([...plain.subarray(0, 34), 1, 1, 1, 1, ...plain.subarray(34)])
    options[14] = 0x46
    expect(queueOf(options)).toBe(5)
    const fragment = plain.slice()
    fragment[21] = 1
    expect(queueOf(fragment)).not.toBe(5)
    // A rule without ports takes the fragments too.
    const whole = packet({ protocol: 'tcp', destination: '192.0.2.9', destinationPort: 81 })
    whole[21] = 1
    expect(queueOf(whole)).toBe(7)
  })

  test('spreads the rest by flow, the same in both directions', () => {
    const seen = new Set<number>()
    for (let port = 1000; port < 1064; port++) {
      const there = queueOf(packet({ protocol: 'tcp', sourcePort: port, destinationPort: 443 }))
      const back = packet({
        protocol: 'tcp',
        source: V4.destination,
        destination: V4.source,
        sourcePort: 443,
        destinationPort: port,
      })
      expect(queueOf(back)).toBe(there)
      seen.add(there % 8)
    }
    expect(seen.size).toBe(8)
  })

  test('has an answer for a packet that ends within a header', () => {
    const whole = packet({ protocol: 'tcp', ...V6, destinationPort: 80 })
    // The kernel runs no shorter ones than an IPv6 header is long.
    for (let length = 40; length < 58; length++) expect(queueOf(whole.subarray(0, length))).not.toBe(6)
    expect(queueOf(whole.subarray(0, 58))).toBe(6)
  })
})

test.for([
  [{ protocol: 'icmp' }, /not udp or tcp/],
  [{ queue: 4 }, /not among the 4/],
  [{ queue: 3, spread: 2 }, /not among the 4/],
  [{ spread: 0 }, /spread 0/],
  [{ destinationPort: 65_536 }, /not a range/],
  [{ destinationPort: [9, 8] }, /not a range/],
  [{ destinationAddress: '10.0.0' }, /not an IPv4 or IPv6 address/],
] as const)('a rule with %j is refused', ([part, text]) => {
  const rule = { protocol: 'udp', queue: 0, ...part } as Parameters<typeof parseRule>[0]
  expect(() => parseRule(rule, 4, 'tap0')).toThrow(
    expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(text) }),
  )
})

test('without rules a flow comes to the queue that last sent in it', async () => {
  const bed = new Testbed()
  try {
    const device = await bed.open({ queues: 4 })
    const wire = bed.wire(device)
    const queues = [0, 1, 2, 3].map((queue) => bed.attach(device, queue))
    const burst = burstFor(queues[0])
    for (let i = 0; i < 8; i++) {
      const queue = queues[(i * 3) % 4]
      const ports = { sourcePort: 6000 + i, destinationPort: 7000 }
      const out = packet({ ...ports, sourceMac: device.mac, destinationMac: WIRE_MAC })
      load(queue, burst, out)
      expect(queue.transmit(burst)).toBe(1)
      const back = packet({
        source: V4.destination,
        destination: V4.source,
        sourcePort: ports.destinationPort,
        destinationPort: ports.sourcePort,
        sourceMac: WIRE_MAC,
        destinationMac: device.mac,
      })
      wire.send(back)
      await until('the answer where the question came from', () => queue.receive(burst) === 1)
      release(queue, burst)
    }
  } finally {
    await bed.close()
  }
})
