import type { BackendContext } from '@parakernel/hal'
import { EmulatedNvme } from './controller.ts'
import type { NvmeControllerOptions } from './options.ts'

/** What the NVMe driver's option `transport: 'emulated'` resolves to: a new controller for each device that is opened. */
export const nvmeTransport = {
  open: (options: NvmeControllerOptions, { clock }: BackendContext): EmulatedNvme => new EmulatedNvme(options, clock),
}
