import { netDeviceConformance } from '../src/index.ts'
import { loopbackFixture } from './loopback/fixture.ts'

netDeviceConformance({ name: 'loopback, one queue', setup: () => loopbackFixture(1) })
netDeviceConformance({ name: 'loopback, four queues', setup: () => loopbackFixture(4) })
