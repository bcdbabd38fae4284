import { netDeviceConformance } from '@parakernel/hal-conformance'
import { describe, test } from 'vitest'
import { createVethFixture, labMissing } from './veth-fixture.ts'

const skip = {
  'pressure: a pool that is dry when the queue is attached gets its frames later':
    'a ring gets its frames when the holder calls, and the case does not call between release and packet',
}
const missing = labMissing()

if (missing === undefined) {
  netDeviceConformance({
    name: 'af-xdp native, 4 queues',
    skip,
    setup: () => createVethFixture('cn', 4, { mode: 'native' }),
  })
  netDeviceConformance({
    name: 'af-xdp skb',
    skip,
    setup: () => createVethFixture('cs', 1, { mode: 'skb' }),
  })
} else {
  describe('af-xdp', () => {
    test('net device conformance', (context) => context.skip(missing))
  })
}
