import { type BlockRange, MonotonicClock } from '@parakernel/hal'
import { type BlockFixture, blockDeviceConformance, blockTitles } from '@parakernel/hal-conformance'
import { LinuxHost } from '@parakernel/linux'
import { type NvmeOptions, blockBackend as nvme } from '@parakernel/nvme'
import { blockDeviceOf, KERNEL_SERIAL, vfioController } from '../../support/controllers.ts'

const context = { clock: new MonotonicClock(), host: new LinuxHost() }
const hostModule = import.meta.resolve('@parakernel/linux')
const LONG = process.env['PARAKERNEL_LONG'] === '1'
/** Every instruction of the machine is emulated. */
const patience = 20_000
const operations = LONG ? 5000 : 100

async function fixture(open: () => ReturnType<typeof nvme.open>, range?: BlockRange): Promise<BlockFixture> {
  let device = await open()
  return {
    device,
    context,
    hostModule,
    ...(range === undefined ? {} : { range }),
    async reopen() {
      device = await open()
      return device
    },
    close: () => device.close(),
  }
}

const overVfio = (options: NvmeOptions) => () =>
  fixture(() => nvme.open({ device: vfioController(), queues: 4, depth: 64, ...options }, context), {
    namespace: options.namespace ?? 1,
    firstLba: 0,
    blocks: 4096,
  })

const elsewhere = 'a thread takes seconds to start here; the same queue is held by workers on the emulated controller'
const KEPT = ['a worker attaches a grant', 'a holder killed in mid-burst']
const workers = blockTitles().filter(
  (title) => title.startsWith('workers: ') && !KEPT.some((part) => title.includes(part)),
)
const skip = LONG ? {} : Object.fromEntries(workers.map((title) => [title, elsewhere]))

blockDeviceConformance({ name: 'nvme over vfio', operations, patience, skip, setup: overVfio({ namespace: 1 }) })
blockDeviceConformance({
  name: 'nvme passthrough',
  operations,
  patience,
  setup: () =>
    fixture(() => {
      const device = blockDeviceOf(KERNEL_SERIAL).replace('/dev/nvme', '/dev/ng')
      return nvme.open({ transport: 'passthrough', device, queues: 4, depth: 64 }, context)
    }),
})
