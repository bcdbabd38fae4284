import { netDeviceConformance } from '@parakernel/hal-conformance'
import { describe, test } from 'vitest'
import { createBridgeFixture, labMissing } from './bridge-fixture.ts'

const missing = labMissing()

if (missing === undefined) {
  netDeviceConformance({ name: 'tap', setup: () => createBridgeFixture('cs') })
  netDeviceConformance({
    name: 'tap, 4 queues',
    setup: () => createBridgeFixture('cm', { queues: 4, offloads: 'all' }),
  })
  netDeviceConformance({ name: 'tap without offloads', setup: () => createBridgeFixture('cn', { offloads: 'none' }) })
} else {
  describe('tap', () => {
    test('net device conformance', (context) => context.skip(missing))
  })
}
