import { MonotonicClock } from '@parakernel/hal'
import { openVfioTransport } from '@parakernel/nvme'
import { nvmeDriverConformance } from '../../../../../packages/nvme/test/conformance/driver-suite.ts'
import { vfioController } from '../../support/controllers.ts'

nvmeDriverConformance({
  name: 'nvme over vfio',
  setup: () => ({
    clock: new MonotonicClock(),
    transport: () => openVfioTransport(vfioController()),
    // Each byte is emulated, and the block suite moves the longest transfer.
    longest: 80,
    close() {},
  }),
})
