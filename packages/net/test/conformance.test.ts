import type { NicOptions } from '@parakernel/emulated'
import type { NetDevice } from '@parakernel/hal'
import { networkLibosConformance } from '@parakernel/libos-conformance'
import { faults } from '@parakernel/probes'
import type { NetOptions } from '../src/index.ts'
import { Machines, MILLISECOND } from './support/machines.ts'

interface Variant {
  readonly name: string
  readonly nic?: NicOptions
  readonly queues?: number
  readonly options?: Partial<NetOptions>
  /** With PARAKERNEL_LONG=1 alone: what it shows, others show together. */
  readonly long?: true
  readonly wrap?: (device: NetDevice, machines: Machines) => NetDevice
}

const variants: readonly Variant[] = [
  { name: 'net on an emulated NIC that computes checksums' },
  { name: 'net on a NIC without offloads', nic: { checksumVerify: false, checksumCompute: false, vlan: false } },
  {
    name: 'net on a NIC with unmarked partial checksums',
    nic: { partialChecksums: 'unmarked', checksumVerify: false },
  },
  { name: 'net with checksums in software', options: { checksum: 'software' }, long: true },
  { name: 'net in a VLAN that the NIC tags', options: { vlanId: 42 }, long: true },
  { name: 'net in a VLAN that it tags itself', options: { vlanId: 42 }, nic: { vlan: false }, long: true },
  {
    name: 'net in a VLAN that it tags itself, with checksums in software',
    options: { vlanId: 42, checksum: 'software' },
    nic: { vlan: false },
  },
  { name: 'net on a NIC whose packets are chains of frames', nic: { mtu: 4000 } },
  { name: 'net on a NIC of four queues that spreads flows by hash', queues: 4, long: true },
  {
    name: 'net in a VLAN that the NIC tags, whose four queues share flows by hash',
    queues: 4,
    options: { vlanId: 42 },
  },
  {
    name: 'net over links of 10 us',
    wrap: (device, { clock }) => faults.wrap(device, { delay: 10_000 }, { clock }),
  },
]

/** Addresses of IPv6 that are used at once: nobody else is on the link. */
const common6 = (host: number) => ({ addresses: [`fd00::${host}/64`], ndProbes: 0 })

const LONG = process.env['PARAKERNEL_LONG'] === '1'

for (const { name, nic = {}, queues = 1, options = {}, wrap } of variants.filter(({ long }) => LONG || !long)) {
  networkLibosConformance({
    name,
    broadcastAddress: '10.0.0.255',
    async setup() {
      const machines = new Machines()
      const common = { nic, queues, ...(wrap === undefined ? {} : { wrap: (d: NetDevice) => wrap(d, machines) }) }
      const a = await machines.add({ ...common, options: { ...common6(1), address: '10.0.0.1/24', ...options } })
      const b = await machines.add({ ...common, options: { ...common6(2), address: '10.0.0.2/24', ...options } })
      machines.loop.start('guest')
      return {
        a: a.libos,
        b: b.libos,
        addressOfA: '10.0.0.1',
        addressOfB: '10.0.0.2',
        ipv6AddressOfA: 'fd00::1',
        ipv6AddressOfB: 'fd00::2',
        settle: async () => machines.run(20 * MILLISECOND),
        close: () => machines.close(),
      }
    },
  })
}
