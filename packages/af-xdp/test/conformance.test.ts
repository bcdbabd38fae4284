import { netDeviceConformance } from '@parakernel/hal-conformance'
import { describe, test } from 'vitest'
import { createVethFixture, labMissing } from './veth-fixture.ts'

const missing = labMissing()

if (missing === undefined) {
  netDeviceConformance({
    name: 'af-xdp native, 4 queues',
    setup: () => createVethFixture('cn', 4, { mode: 'native' }),
  })
  netDeviceConformance({
    name: 'af-xdp skb',
    setup: () => createVethFixture('cs', 1, { mode: 'skb' }),
  })
} else {
  describe('af-xdp', () => {
    test('net device conformance', (context) => context.skip(missing))
  })
}
