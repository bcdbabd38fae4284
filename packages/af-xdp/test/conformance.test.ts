import { netDeviceConformance } from '@parakernel/hal-conformance'
import { setTxChecksumOffload } from '@parakernel/linux'
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
  netDeviceConformance({
    name: 'af-xdp native, the kernel sums',
    setup: () => createVethFixture('ck', 1, { mode: 'native', transmitChecksum: 'kernel' }),
  })
  netDeviceConformance({
    name: 'af-xdp skb, a driver that does not sum',
    setup: async () => {
      const fixture = await createVethFixture('cm', 1, { mode: 'skb', transmitChecksum: 'metadata' })
      // Otherwise a veth leaves the checksum undone, for a peer that does not ask.
      setTxChecksumOffload(fixture.pair.interface, false)
      return fixture
    },
  })
} else {
  describe('af-xdp', () => {
    test('net device conformance', (context) => context.skip(missing))
  })
}
