import { MonotonicClock } from '@parakernel/hal'
import type { Fixture } from '@parakernel/hal-conformance'
import { createLabNamespace, LinuxHost, probeLab } from '@parakernel/linux'
import { backend, type TapOptions } from '../src/index.ts'
import { TapWire } from './tap-wire.ts'

const clock = new MonotonicClock()
const PORT_BASE = 7000

/** Fixtures may live at the same time: each has a name of its own. */
let made = 0

/** Why tests with a real interface cannot run here; undefined when they can. */
export function labMissing(): string | undefined {
  for (const availability of [probeLab(), backend.probe({ clock })]) {
    if (!availability.available) return `needs ${availability.missing}`
  }
  return undefined
}

/** A TAP device and a `TapWire` on a bridge, in a namespace without a single address. `label` is one or two letters. */
export async function createBridgeFixture(label: string, options: Partial<TapOptions> = {}): Promise<Fixture> {
  const lab = createLabNamespace({ label: `${label}${(made++ % 1296).toString(36)}` })
  // Without snooping, every group is passed on without being asked for.
  lab.ip('link add br0 type bridge stp_state 0 mcast_snooping 0', 'link set br0 addrgenmode none', 'link set br0 up')
  const context = { clock, host: new LinuxHost() }
  const device = await backend.open({ interface: 'dut', namespace: lab.namespace, ringSize: 256, ...options }, context)
  const wire = new TapWire(lab, 'wire')
  lab.ip('link set dut master br0', 'link set wire master br0')
  const { queues } = device
  if (queues > 1) {
    device.steer({ protocol: 'udp', destinationPort: [PORT_BASE, PORT_BASE + queues - 1], queue: 0, spread: queues })
  }
  return {
    device,
    address: '10.78.0.1',
    wire: Object.assign(wire, {
      flow: (queue: number) => ({ sourcePort: PORT_BASE, destinationPort: PORT_BASE + queue }),
    }),
    context,
    hostModule: new URL('./host-module.ts', import.meta.url).href,
    setLink: (up) => lab.ip(`link set dut ${up ? 'up' : 'down'}`),
    setMtu: (mtu) => lab.ip(`link set dut mtu ${mtu}`),
    remove: () => lab.ip('link del dut'),
    async close() {
      await device.close()
      wire.close()
      lab.remove()
    },
  }
}
