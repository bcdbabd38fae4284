import { MonotonicClock } from '@parakernel/hal'
import { nvmeDriverConformance } from '../conformance/driver-suite.ts'
import { Qemu, qemuMissing } from './qemu.ts'
import { QtestTransport } from './qtest-transport.ts'

nvmeDriverConformance({
  name: 'the controller of QEMU',
  missing: qemuMissing(),
  setup: async () => {
    const qemu = await Qemu.start({})
    return {
      clock: new MonotonicClock(),
      // The machine outlives the driver, so that the next start finds what the last one left.
      transport: () => Object.assign(new QtestTransport(qemu), { close: () => {} }),
      createWindow: (transport, frameCount, frameSize) =>
        (transport as QtestTransport).memory.createWindow(frameCount, { frameSize }),
      remove: () => qemu.kill(),
      close: () => qemu.close(),
    }
  },
})
