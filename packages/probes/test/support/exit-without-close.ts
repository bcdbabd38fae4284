import { attachNetQueue, createPlainWindow, FramePool, MonotonicClock, NetBurst } from '@parakernel/hal'
import { loopbackFixture } from '../../../hal-conformance/test/loopback/fixture.ts'
import { pcap } from '../../src/index.ts'

// Captures 500 packets and leaves at once.
const fixture = await loopbackFixture(1)
const clock = new MonotonicClock()
const device = pcap.wrap(fixture.device, { directory: process.argv[2], name: 'exit' }, { clock })
const grant = device.grant(0, createPlainWindow(512))
const queue = await attachNetQueue(grant, { pool: new FramePool(grant.window), clock })
const burst = new NetBurst(32)
for (let i = 0; i < 500; i++) {
  fixture.wire.send(new Uint8Array(100).fill(i))
  queue.receive(burst)
  for (let k = 0; k < burst.count; k++) queue.pool.release(burst.frame[k])
}
process.exit(3)
