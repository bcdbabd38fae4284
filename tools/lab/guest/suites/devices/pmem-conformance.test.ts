import { MonotonicClock } from '@parakernel/hal'
import {
  type PersistentConformanceOptions,
  persistentDeviceConformance,
  persistentTitles,
} from '@parakernel/hal-conformance'
import { LinuxHost } from '@parakernel/linux'
import { persistentBackend } from '@parakernel/pmem'
import { daxFolder } from '../../support/dax.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'
const context = { clock: new MonotonicClock(), host: new LinuxHost() }
const SIZE = 1 << 20

let files = 0
const setup: PersistentConformanceOptions['setup'] = async () => {
  const path = `${daxFolder()}/conformance${files++}`
  const open = (size?: number) => persistentBackend.open({ path, ...(size === undefined ? {} : { size }) }, context)
  let device = await open(SIZE)
  return {
    device,
    context,
    hostModule: import.meta.resolve('@parakernel/linux'),
    async reopen() {
      device = await open()
      return device
    },
    close: () => device.close(),
  }
}

const elsewhere = 'a thread takes seconds to start here; the same is shown on a file of the host'
const workers = persistentTitles().filter((title) => title.startsWith('workers: '))

persistentDeviceConformance({
  name: 'pmem on DAX',
  operations: LONG ? 20_000 : 500,
  skip: LONG ? {} : Object.fromEntries(workers.map((title) => [title, elsewhere])),
  setup,
})
