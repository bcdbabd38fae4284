import { MonotonicClock } from '@parakernel/hal'
import type { Fixture } from '../../src/index.ts'
import { backend } from './backend.ts'
import type { LoopbackDevice } from './device.ts'
import { RING_SLOTS } from './packet-ring.ts'

/** Connects a loop-back device to the suite: the suite is its cable. */
export async function loopbackFixture(queues: number): Promise<Fixture> {
  return fixtureOf((await backend.open({ queues }, { clock: new MonotonicClock() })) as LoopbackDevice)
}

export function fixtureOf(device: LoopbackDevice): Fixture {
  const context = { clock: new MonotonicClock() }
  let stalled = false
  return {
    device,
    address: '198.18.0.1',
    context,
    wire: {
      mac: '02:00:00:00:00:02',
      address: '198.18.0.2',
      capacity: RING_SLOTS,
      lossless: true,
      send: (packet, { queue = 0 } = {}) => device.deliver(queue, packet),
      receive: () => (stalled ? undefined : device.take()),
      stall: (stall) => {
        stalled = stall
      },
    },
    setLink: (up) => device.setLink(up),
    setMtu: (mtu) => device.setMtu(mtu),
    setMac: (mac) => device.setMac(mac),
    remove: () => device.remove(),
    close: () => device.close(),
  }
}
