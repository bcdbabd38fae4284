import type { BlockDevice } from '@parakernel/hal'
import { blockDeviceConformance } from '@parakernel/hal-conformance'
import { diskFixture } from '../../../emulated/test/support/disk-fixture.ts'
import { blockFaults, blockTrace, recordBlocks } from '../../src/index.ts'

const context = { clock: { now: () => 0 } }
/** Not noticed by anybody, but the whole machinery runs. */
const HARMLESS = { rot: 1e-9, fail: 1e-9 }
const small = { blockSize: 512, queues: 2, queueDepth: 32 }

blockDeviceConformance({
  name: 'block-faults without any',
  setup: () => diskFixture({ virtual: true, disk: small }),
  decorate: (device) => blockFaults.wrap(device, {}, context),
})
blockDeviceConformance({
  name: 'block-faults that hardly ever strike, in workers',
  setup: () => diskFixture({ disk: small }),
  decorate: (device) => blockFaults.wrap(device, HARMLESS, context),
})
blockDeviceConformance({
  name: 'block-faults that delay half of the completions, over latency under a virtual clock',
  setup: () => diskFixture({ virtual: true, disk: { ...small, latency: 3_000, jitter: 5_000, atomicUnit: 2 } }),
  decorate: (device) => blockFaults.wrap(device, { delay: 0.5, delayTime: 10_000, ...HARMLESS }, context),
})
blockDeviceConformance({
  name: 'block-trace over latency',
  setup: () => diskFixture({ virtual: true, disk: { ...small, latency: 3_000, jitter: 5_000 } }),
  decorate: (device) => blockTrace.wrap(device, { file: '/dev/null', events: 64 }, context),
})
blockDeviceConformance({
  name: 'a recorder over block-faults',
  setup: () => diskFixture({ virtual: true, disk: { ...small, reorder: true } }),
  decorate: (device: BlockDevice) => recordBlocks(blockFaults.wrap(device, HARMLESS, context)).device,
  skip: { 'memory: submit and complete allocate nothing': 'a recording keeps every command' },
})
