import { MonotonicClock } from '@parakernel/hal'
import type { BlockFixture } from '@parakernel/hal-conformance'
import { type NvmeDevice, type NvmeOptions, openNvme } from '../../src/index.ts'
import { Qemu, type QemuOptions } from './qemu.ts'
import { QtestTransport } from './qtest-transport.ts'

export interface QtestFixture extends BlockFixture {
  readonly device: NvmeDevice
  readonly transport: QtestTransport
  readonly qemu: Qemu
}

/** The driver on QEMU's controller, for the block suite. */
export async function qtestFixture(machine: QemuOptions = {}, driver: NvmeOptions = {}): Promise<QtestFixture> {
  const clock = new MonotonicClock()
  const qemu = await Qemu.start(machine)
  const transport = new QtestTransport(qemu)
  const device = await openNvme(transport, { queues: 2, depth: 64, ...driver }, { clock })
  return {
    device,
    transport,
    qemu,
    context: { clock },
    slow: 'every register access is a message to QEMU',
    createWindow: (count, options) => transport.memory.createWindow(count, options),
    remove: async () => {
      await qemu.kill()
      device.watch()
    },
    close: () => device.close(),
  }
}
