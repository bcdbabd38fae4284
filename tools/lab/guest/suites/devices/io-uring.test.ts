import { MonotonicClock } from '@parakernel/hal'
import { blockBackend } from '@parakernel/io-uring'
import { exerciseBlockDevice } from '../../support/block-exercise.ts'
import { blockDeviceOf, KERNEL_SERIAL } from '../../support/controllers.ts'

exerciseBlockDevice('io_uring on an NVMe block device', () =>
  blockBackend.open({ path: blockDeviceOf(KERNEL_SERIAL) }, { clock: new MonotonicClock() }),
)
