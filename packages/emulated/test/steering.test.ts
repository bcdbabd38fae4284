import type { SteeringRule } from '@parakernel/hal'
import { parseIpAddress } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lab } from './support/lab.ts'
import { build, type PacketSpec } from './support/packets.ts'

const addresses = fc.constantFrom('10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2')
const ports = fc.integer({ min: 1, max: 12 })
const rules: fc.Arbitrary<SteeringRule> = fc
  .record({
    protocol: fc.constantFrom('udp' as const, 'tcp' as const),
    port: fc.option(fc.tuple(ports, fc.integer({ min: 0, max: 5 }), fc.boolean())),
    destinationAddress: fc.option(addresses),
    queue: fc.integer({ min: 0, max: 2 }),
    spread: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ port, destinationAddress, ...rule }) => ({
    ...rule,
    ...(port !== null && { destinationPort: port[2] ? port[0] : ([port[0], port[0] + port[1]] as const) }),
    ...(destinationAddress !== null && { destinationAddress }),
  }))

/** What the contract says, in order of the rules. */
function expected(
  list: readonly SteeringRule[],
  packet: Required<Pick<PacketSpec, 'protocol' | 'destination' | 'destinationPort'>>,
) {
  for (const { protocol, destinationPort, destinationAddress, queue, spread = 1 } of list) {
    if (protocol !== packet.protocol) continue
    if (destinationAddress !== undefined && destinationAddress !== packet.destination) continue
    if (destinationPort === undefined) return queue
    const [first, last] = typeof destinationPort === 'number' ? [destinationPort, destinationPort] : destinationPort
    if (packet.destinationPort < first || packet.destinationPort > last) continue
    return queue + ((packet.destinationPort - first) % spread)
  }
  return undefined
}

describe('steering', () => {
  it('follows the first rule that matches, and RSS without one', async () => {
    await using lab = new Lab()
    const sender = lab.station()
    const queues = lab.nic({ queues: 4 })
    const { nic } = queues[0]
    nic.setIndirection(new Array(128).fill(3))
    const packet = fc.record({
      protocol: fc.constantFrom('udp' as const, 'tcp' as const),
      destination: addresses,
      destinationPort: fc.integer({ min: 1, max: 20 }),
      vlan: fc.option(fc.constant(5), { nil: undefined }),
      ipOptions: fc.constantFrom(0, 4),
    })
    fc.assert(
      fc.property(
        fc.array(rules, { maxLength: 5 }),
        fc.array(packet, { minLength: 1, maxLength: 10 }),
        (list, packets) => {
          nic.clearSteering()
          for (const rule of list) nic.steer(rule)
          for (const { vlan, ...spec } of packets) {
            const source = spec.destination.includes(':') ? 'fd00::9' : '10.0.0.9'
            const tag = vlan === undefined ? {} : { vlan }
            sender.send(build({ from: sender.nic.mac, to: nic.mac, source, ...spec, ...tag }).bytes)
            expect(queues.findIndex((queue) => queue.receive().length > 0)).toBe(expected(list, spec) ?? 3)
          }
        },
      ),
      { numRuns: 100 },
    )
  })

  it('does not take a fragment for what its first bytes look like', async () => {
    await using lab = new Lab()
    const sender = lab.station()
    const queues = lab.nic({ queues: 2 })
    queues[0].nic.setIndirection(new Array(128).fill(0))
    queues[0].nic.steer({ protocol: 'udp', destinationPort: 2000, queue: 1 })
    const { bytes } = build({ from: sender.nic.mac, to: queues[0].nic.mac })
    bytes.set([0x00, 0x10], 20)
    sender.send(bytes)
    expect(queues.map((queue) => queue.receive().length)).toEqual([1, 0])
  })

  it('refuses rules that make no sense, with a reason', async () => {
    await using lab = new Lab()
    const { nic } = lab.nic({ queues: 2 })[0]
    const bad: readonly [object, RegExp][] = [
      [{ protocol: 'icmp', queue: 0 }, /protocol/],
      [{ protocol: 'udp', queue: 1, spread: 2 }, /queues 1 to 2/],
      [{ protocol: 'udp', queue: 0, spread: 0 }, /spread/],
      [{ protocol: 'udp', queue: 0, destinationPort: 65_536 }, /ports/],
      [{ protocol: 'udp', queue: 0, destinationPort: [9, 8] }, /ports/],
      [{ protocol: 'udp', queue: 0, destinationAddress: '10.0.0.300' }, /address/],
    ]
    for (const [rule, message] of bad) expect(() => nic.steer(rule as SteeringRule)).toThrow(message)
    for (let port = 1; port <= 256; port++) nic.steer({ protocol: 'udp', destinationPort: port, queue: 0 })
    expect(() => nic.steer({ protocol: 'udp', destinationPort: 300, queue: 0 })).toThrow(/ENOSPC/)
  })

  it.each([
    ['::', '00000000000000000000000000000000'],
    ['fe80::1', 'fe800000000000000000000000000001'],
    ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['192.0.2.1', 'c0000201'],
  ])('reads the address %s', (text, hex) => {
    expect(Buffer.from(parseIpAddress(text)).toString('hex')).toBe(hex)
  })
})
