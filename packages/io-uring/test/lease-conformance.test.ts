import { join } from 'node:path'
import { type BlockFixture, blockDeviceConformance } from '@parakernel/hal-conformance'
import { calls, LinuxHost, probeIoUring } from '@parakernel/linux'
import { test } from 'vitest'
import { createProcessLease, openProcessLease } from '../src/index.ts'
import { clock, Rig } from './rig.ts'

const F_DUPFD_CLOEXEC = 1030
const HOST = new URL('./host-module.ts', import.meta.url).href

/** The half of a lease that is another process's, here: with descriptors of its own, as if inherited. */
async function fixture(): Promise<BlockFixture> {
  const rig = new Rig()
  const path = join(rig.folder(), 'image')
  const context = { clock, host: new LinuxHost(), warn: () => {} }
  const open = () => {
    const lease = createProcessLease({ path, blockSize: 4096, size: 16 << 20 }, context)
    const descriptors = lease.descriptors.map((fd) => calls().fcntl(fd, F_DUPFD_CLOEXEC, 3))
    lease.close()
    const device = openProcessLease(JSON.parse(JSON.stringify(lease.ticket)), descriptors)
    rig.onClose(() => device.close())
    return device
  }
  return { device: open(), context, hostModule: HOST, reopen: open, close: () => rig.close() }
}

const found = probeIoUring()
if (found.available) blockDeviceConformance({ name: 'a lease of another process', setup: fixture, operations: 300 })
else test('a lease conforms', (context) => context.skip(found.missing))
